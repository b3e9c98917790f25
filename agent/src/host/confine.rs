//! Giving up what a capture does not need.
//!
//! Capabilities, the `no_new_privs` bit and the filter of system calls belong to a thread and pass to the threads that
//! it starts: [`confine`] is called before there are others.

use super::{Privileges, sys};
use std::io;

/// Why a process could not be confined.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot give up {what}: {source}; start the agent with a kernel from 3.17 on, outside of a sandbox that forbids it"
)]
pub struct ConfineError {
    what: &'static str,
    source: io::Error,
}

/// Keeps, of what the calling thread holds, `CAP_NET_RAW`, with which captures are opened, and with `namespaces` what
/// opens them in other network namespaces (`CAP_SYS_ADMIN`, and `CAP_SYS_PTRACE` to find those of other users'
/// processes). All else is given up for good: no program can be started any more, nor the system changed. Gives
/// what is held from now on.
pub fn confine(namespaces: bool) -> Result<Privileges, ConfineError> {
    let failed = |what| move |source| ConfineError { what, source };
    sys::forbid_new_privileges().map_err(failed("new privileges"))?;
    let kept: &[u32] =
        if namespaces { &[sys::NET_RAW, sys::SYS_ADMIN, sys::SYS_PTRACE] } else { &[sys::NET_RAW] };
    sys::keep_capabilities(kept).map_err(failed("capabilities"))?;
    forbid_calls(namespaces).map_err(failed("system calls"))?;
    Ok(Privileges::current())
}

/// Calls that start programs, look into other processes or change the system. An agent makes none of them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const FORBIDDEN: [i64; 38] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn forbid_calls(namespaces: bool) -> io::Result<()> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
    let entering = (!namespaces).then_some(libc::SYS_setns);
    let rules = FORBIDDEN.into_iter().chain(entering).map(|call| (call, Vec::new())).collect();
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, arch).map_err(io::Error::other)?;
    let program = BpfProgram::try_from(filter).map_err(io::Error::other)?;
    match seccompiler::apply_filter(&program) {
        Err(seccompiler::Error::Seccomp(error)) if error.raw_os_error() == Some(libc::ENOSYS) => {
            tracing::warn!("this kernel filters no system calls; capabilities are given up all the same");
            Ok(())
        }
        other => other.map_err(io::Error::other),
    }
}

/// The numbers of system calls are known for two processors only.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn forbid_calls(_namespaces: bool) -> io::Result<()> {
    tracing::warn!("system calls are not filtered on this processor; capabilities are given up all the same");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::live::{Live, LiveOptions};

    /// On a thread of its own, which ends with what it gave up.
    fn confined<T: Send + 'static>(
        namespaces: bool,
        work: impl FnOnce(Privileges) -> T + Send + 'static,
    ) -> T {
        std::thread::spawn(move || work(confine(namespaces).unwrap())).join().unwrap()
    }

    #[test]
    fn nothing_but_capturing_is_left() {
        let before = Privileges::current();
        let held = confined(false, |held| held);
        assert_eq!(held.net_raw, before.net_raw, "what was not held is not gained");
        assert!(
            !held.sys_admin && !held.net_admin && held.no_new_privileges && held.calls_filtered,
            "{held:?}"
        );
        assert!(held.capabilities.iter().all(|name| *name == "CAP_NET_RAW"), "{held:?}");
        let held = confined(true, |held| held);
        assert_eq!(held.sys_admin, before.sys_admin);
    }

    #[test]
    fn no_program_is_started_any_more() {
        let error = confined(false, |_| std::process::Command::new("/bin/true").status().unwrap_err());
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        assert!(std::process::Command::new("/bin/true").status().is_ok(), "other threads are as they were");
    }

    #[test]
    fn captures_open_as_they_did_before() {
        let open = || {
            let options = LiveOptions { interfaces: vec!["lo".to_owned()], ..LiveOptions::default() };
            Live::open(&options).map(drop).map_err(|error| error.to_string())
        };
        let before = open();
        assert_eq!(confined(false, move |_| open()), before);
        assert!(before.is_ok() || std::env::var("CI").as_deref() != Ok("true"), "no privilege: {before:?}");
    }
}
