//! Switching offloads of an interface (`SIOCETHTOOL`, include/uapi/linux/ethtool.h).

use super::option::check;
use std::io;
use std::os::fd::AsRawFd;

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

/// Switches checksum offload, scatter-gather, TSO, GSO and GRO of `interface` on or off, in the calling
/// thread's namespace. Switching on goes in the listed order, since TSO needs checksums and scatter-gather.
pub(crate) fn switch_offloads(interface: &str, on: bool) -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("[::]:0").or_else(|_| std::net::UdpSocket::bind("0.0.0.0:0"))?;
    for command in FEATURES {
        let mut value = Value { command, data: u32::from(on) };
        // SAFETY: an ifreq of zeroes is valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes().take(libc::IFNAMSIZ - 1)) {
            *to = libc::c_char::from_ne_bytes([from]);
        }
        request.ifr_ifru.ifru_data = std::ptr::from_mut(&mut value).cast();
        // SAFETY: the request names a terminated interface and points at a live `ethtool_value`.
        check(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) })?;
    }
    Ok(())
}
