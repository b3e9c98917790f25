//! Interfaces by ioctl: offloads, and whether the link is up (include/uapi/linux/ethtool.h).

use super::option::check;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const SIOCETHTOOL: u64 = 0x8946;

/// The legacy one-feature commands, which every driver and kernel knows.
const FEATURES: [u32; 6] = [
    0x15, // ETHTOOL_SRXCSUM
    0x17, // ETHTOOL_STXCSUM
    0x19, // ETHTOOL_SSG
    0x1f, // ETHTOOL_STSO
    0x24, // ETHTOOL_SGSO
    0x2c, // ETHTOOL_SGRO
];

#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Tells the state of the link, and lets the kernel finish bringing it up.
const ETHTOOL_GLINK: u32 = 0x0a;

/// How long a link may take to come up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Switches checksum offload, scatter-gather, TSO, GSO and GRO of `interface` on or off, in the calling
/// thread's namespace. Switching on goes in the listed order, since TSO needs checksums and scatter-gather.
pub(crate) fn switch_offloads(interface: &str, on: bool) -> io::Result<()> {
    let socket = any_socket()?;
    for command in FEATURES {
        command_ethtool(&socket, interface, Value { command, data: u32::from(on) })?;
    }
    Ok(())
}

/// Waits until `interface`, which was set up, really sends. Until a worker of the kernel has attached its queue
/// (`net/core/link_watch.c`) it swallows frames without an error.
pub(crate) fn wait_until_running(interface: &str) -> io::Result<()> {
    let socket = any_socket()?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let running = is_running(&socket, interface)?;
        // Newer kernels finish the work here; all take the lock here that the worker holds until it is done.
        command_ethtool(&socket, interface, Value { command: ETHTOOL_GLINK, data: 0 })?;
        if running {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the link does not come up"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn any_socket() -> io::Result<UdpSocket> {
    UdpSocket::bind("[::]:0").or_else(|_| UdpSocket::bind("0.0.0.0:0"))
}

/// A request about an interface, otherwise empty.
fn request(interface: &str) -> libc::ifreq {
    // SAFETY: an ifreq of zeroes is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request
}

fn command_ethtool(socket: &UdpSocket, interface: &str, mut value: Value) -> io::Result<()> {
    let mut request = request(interface);
    request.ifr_ifru.ifru_data = std::ptr::from_mut(&mut value).cast();
    // SAFETY: the request names a terminated interface and points at a live `ethtool_value`.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) }).map(drop)
}

fn is_running(socket: &UdpSocket, interface: &str) -> io::Result<bool> {
    let mut request = request(interface);
    // SAFETY: the request names a terminated interface; the kernel fills in the flags.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request) })?;
    // SAFETY: this is the member that SIOCGIFFLAGS fills.
    let flags = i32::from(unsafe { request.ifr_ifru.ifru_flags });
    Ok(flags & libc::IFF_RUNNING != 0)
}
