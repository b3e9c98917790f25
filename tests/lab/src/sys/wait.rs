//! Waiting for sockets with nanosecond time-outs.

use super::option::check;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Waits until one of `fds` is readable or closed, or `timeout` has passed (`None`: for ever); tells whether one
/// is. An interrupting signal ends the wait early.
pub(crate) fn readable(fds: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<bool> {
    let mut polled: Vec<libc::pollfd> =
        fds.iter().map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }).collect();
    let spec = timeout.map(|wait| libc::timespec {
        tv_sec: libc::time_t::try_from(wait.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    });
    let spec_ptr = spec.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let count = libc::nfds_t::try_from(polled.len()).unwrap_or(0);
    // SAFETY: array, length and time-out live past the call; no signal mask is given.
    match check(unsafe { libc::ppoll(polled.as_mut_ptr(), count, spec_ptr, std::ptr::null()) }) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        other => Ok(other? > 0),
    }
}

/// Whether `fd` is readable or closed now.
pub(crate) fn is_readable(fd: BorrowedFd<'_>) -> io::Result<bool> {
    readable(&[fd], Some(Duration::ZERO))
}

/// Lets the calling thread's timers fire within a microsecond or so instead of the usual 50.
pub(crate) fn sharpen_timers() {
    let slack_ns: libc::c_ulong = 1;
    // SAFETY: concerns only the calling thread's timer slack. It cannot fail for a positive value.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, slack_ns) };
}
