//! What went wrong with a capture, and the remedy.

use super::super::error::CaptureError;
use super::super::ring::{RingError, Step};
use std::io;

/// The error of a step of opening a ring `on` something.
pub(super) fn ring(error: RingError, on: &str) -> CaptureError {
    let RingError { step, source } = error;
    let forbidden = matches!(source.raw_os_error(), Some(libc::EPERM | libc::EACCES));
    let (what, remedy) = match step {
        Step::Socket if forbidden => (
            "open a capture socket",
            "it takes CAP_NET_RAW: run with sudo, or once: sudo setcap cap_net_raw,cap_net_admin+ep $(command -v correlate)",
        ),
        Step::Socket => ("open a capture socket", "the kernel needs AF_PACKET sockets (CONFIG_PACKET)"),
        Step::Version => {
            ("use a TPACKET_V3 ring", "Linux 3.2 or newer is needed; tcpdump's files can be analysed instead")
        }
        Step::Filter => {
            ("attach the filter", "net.core.optmem_max may be too low for it: use a shorter filter")
        }
        Step::Memory => ("allocate the ring", "use a smaller ring or free some memory"),
        Step::Map => ("map the ring", "the limit of address space (ulimit -v) may be too low"),
        Step::Bind => ("bind", "check that the interface is still there"),
    };
    CaptureError::Live { what, on: on.to_owned(), source, remedy }
}

pub(super) fn wait(source: io::Error) -> CaptureError {
    live("wait for packets", source)
}

pub(super) fn statistics(source: io::Error) -> CaptureError {
    live("read the drop counter", source)
}

fn live(what: &'static str, source: io::Error) -> CaptureError {
    CaptureError::Live {
        what,
        on: "the capture socket".to_owned(),
        source,
        remedy: "start the capture again",
    }
}

/// The tables of `/proc/net` or the list of interfaces could not be read.
pub(super) fn facts(source: io::Error) -> CaptureError {
    CaptureError::Live {
        what: "list the interfaces",
        on: "this host".to_owned(),
        source,
        remedy: "check that /proc is mounted",
    }
}

/// Hardware whose frames are not known.
pub(super) fn hardware(name: &str) -> CaptureError {
    CaptureError::Live {
        what: "capture",
        on: name.to_owned(),
        source: io::Error::new(io::ErrorKind::Unsupported, "neither Ethernet nor IP"),
        remedy: "choose the interface that carries the IP packets",
    }
}
