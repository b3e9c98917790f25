//! Network namespaces held by file descriptor.

use crate::error::LabError;
use crate::sys::namespace as sys;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// A network namespace. It lives as long as this value, its clones, or a socket made inside.
#[derive(Debug, Clone)]
pub struct Namespace {
    name: &'static str,
    file: Arc<File>,
}

impl Namespace {
    /// Makes a new, empty namespace; `name` is for messages only. The calling thread stays where it is.
    pub fn new(name: &'static str) -> Result<Self, LabError> {
        let made = std::thread::spawn(|| {
            sys::unshare_network()?;
            File::open("/proc/thread-self/ns/net")
        });
        let made = made.join().map_err(|_| LabError::Panicked("namespace"))?;
        match made {
            Ok(file) => Ok(Self { name, file: Arc::new(file) }),
            Err(source) => Err(LabError::NoPrivilege { source }),
        }
    }

    /// The name given at creation.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A path by which any process that may trace this one can open the namespace while this value lives.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()))
    }

    /// Runs `work` on a thread inside the namespace and waits for its result.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                sys::enter_network(self.as_fd())?;
                Ok::<T, io::Error>(work())
            });
            inside.join().map_err(|_| LabError::Panicked("namespace"))
        })?
        .map_err(LabError::setup(format!("enter the {} namespace", self.name)))
    }

    /// Starts a thread that lives inside the namespace.
    pub fn spawn<T: Send + 'static>(
        &self,
        thread_name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<io::Result<T>>> {
        let inside = self.clone();
        Builder::new().name(thread_name.to_owned()).spawn(move || {
            sys::enter_network(inside.as_fd())?;
            Ok(work())
        })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Puts a caller who is not root into a user namespace where it may build the lab. A caller who is root is
/// left alone.
///
/// It must be called before the process has a second thread (the kernel refuses otherwise), so: first in
/// `main`, before any runtime. Afterwards the process sees itself as root of an empty network; files keep
/// their owners.
///
/// # Errors
/// [`LabError::NoPrivilege`] where the kernel forbids user namespaces, [`LabError::Threads`] when it came too
/// late.
pub fn enter_user_namespace() -> Result<(), LabError> {
    let (user, group) = sys::ids();
    if user == 0 {
        return Ok(());
    }
    sys::unshare_user_and_network().map_err(|source| match source.raw_os_error() {
        Some(libc::EINVAL) => LabError::Threads,
        _ => LabError::NoPrivilege { source },
    })?;
    let write = |file: &str, text: String| {
        std::fs::write(format!("/proc/self/{file}"), text).map_err(LabError::setup(format!("write {file}")))
    };
    write("setgroups", "deny".to_owned())?;
    write("uid_map", format!("0 {user} 1"))?;
    write("gid_map", format!("0 {group} 1"))
}
