//! Doing something in another network namespace without moving there for good.

use super::sys;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Where `ip netns` keeps its names.
const NAMES: &str = "/run/netns";

/// Why a network namespace could not be entered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// There is none of that name.
    #[error("no network namespace at {path}; {known}")]
    Unknown {
        /// Where it was looked for.
        path: PathBuf,
        /// Which ones exist, as a sentence.
        known: String,
    },
    /// It could not be opened.
    #[error("cannot open network namespace {path}: {source}; run as root or as the owner of the process")]
    Open {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel refused.
    #[error(
        "cannot enter network namespace {path}: {source}; it takes CAP_SYS_ADMIN (run with sudo), and the path must be a network namespace"
    )]
    Enter {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No thread could be started.
    #[error(
        "cannot start a thread to enter network namespace {path}: {source}; raise the limit of processes (ulimit -u)"
    )]
    Thread {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A network namespace of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(PathBuf);

impl Namespace {
    /// The namespace that `given` means: a path if it has a slash in it (`/proc/123/ns/net`), otherwise a name
    /// of `ip netns`.
    pub fn named(given: &Path) -> Self {
        let is_path = given.as_os_str().as_encoded_bytes().contains(&b'/');
        Self(if is_path { given.to_owned() } else { Path::new(NAMES).join(given) })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Runs `work` on a thread of its own inside this namespace. What `work` opens stays in the namespace; the
    /// calling thread does not move.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NamespaceError> {
        let file = self.open()?;
        let path = || self.0.clone();
        std::thread::scope(|scope| {
            let inside = || sys::enter_network_namespace(&file).map(|()| work());
            let thread = std::thread::Builder::new()
                .name("namespace".to_owned())
                .spawn_scoped(scope, inside)
                .map_err(|source| NamespaceError::Thread { path: path(), source })?;
            match thread.join() {
                Ok(done) => done.map_err(|source| NamespaceError::Enter { path: path(), source }),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn open(&self) -> Result<File, NamespaceError> {
        File::open(&self.0).map_err(|source| {
            let path = self.0.clone();
            if source.kind() == io::ErrorKind::NotFound {
                NamespaceError::Unknown { path, known: known() }
            } else {
                NamespaceError::Open { path, source }
            }
        })
    }
}

fn known() -> String {
    let entries = std::fs::read_dir(NAMES).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    if names.is_empty() {
        return format!("none are named in {NAMES}; give a path such as /proc/PID/ns/net");
    }
    names.sort();
    format!("named ones are {}", names.join(", "))
}

/// Runs `work` in `namespace`, or right here if there is none.
pub fn run_in<T: Send>(
    namespace: Option<&Namespace>,
    work: impl FnOnce() -> T + Send,
) -> Result<T, NamespaceError> {
    match namespace {
        Some(namespace) => namespace.run(work),
        None => Ok(work()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_where_ip_netns_keeps_them_and_a_path_is_taken_as_it_is() {
        assert_eq!(Namespace::named(Path::new("web")).path(), Path::new("/run/netns/web"));
        assert_eq!(Namespace::named(Path::new("/proc/1/ns/net")).path(), Path::new("/proc/1/ns/net"));
    }

    #[test]
    fn an_unknown_namespace_is_an_error_that_says_what_to_give() {
        let error = Namespace::named(Path::new("no-such-namespace")).run(|| ()).expect_err("there is none");
        assert!(error.to_string().contains("/run/netns"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_namespace_is_refused() {
        let error = Namespace::named(Path::new("/proc/self/status")).run(|| ()).expect_err("no namespace");
        assert!(matches!(error, NamespaceError::Enter { .. }), "{error}");
    }
}
