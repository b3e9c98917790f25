//! `AF_PACKET` sockets bound to one interface (packet(7)).

use super::option::{check, read, receive_buffer, send_buffer, set};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

/// Octets of the `virtio_net_hdr` that stands before each frame of a socket opened with it.
pub(crate) const VNET_LEN: usize = 10;

/// Room for one frame: the largest super-packet, its headers and the `virtio_net_hdr`.
pub(crate) const FRAME_ROOM: usize = 1 << 17;

/// What a packet socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Sends and receives; offload metadata travels before each frame; outgoing frames are not heard.
    Bridge,
    /// Only listens, to both directions.
    Tap,
}

/// A raw socket on one interface.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    fd: OwnedFd,
}

/// What was received into the caller's buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// Octets in the buffer, `virtio_net_hdr` included where the socket has it.
    pub(crate) len: usize,
    /// Kernel's stamp, `CLOCK_REALTIME`, in nanoseconds.
    pub(crate) at_ns: i64,
}

/// Now, by `CLOCK_REALTIME`, in nanoseconds since the epoch.
pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl PacketSocket {
    /// Opens a socket on `interface` of the calling thread's namespace.
    pub(crate) fn open(interface: &str, purpose: Purpose) -> io::Result<Self> {
        // Protocol 0 keeps the queue empty until the socket is bound to its interface.
        let flags = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: creates a descriptor, which is owned at once.
        let fd = unsafe { OwnedFd::from_raw_fd(check(libc::socket(libc::AF_PACKET, flags, 0))?) };
        let on: libc::c_int = 1;
        set(fd.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &on)?;
        receive_buffer(fd.as_fd(), 256 << 20)?;
        if purpose == Purpose::Bridge {
            set(fd.as_fd(), libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on)?;
            set(fd.as_fd(), libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &on)?;
            send_buffer(fd.as_fd(), 64 << 20)?;
        }
        bind(fd.as_fd(), interface)?;
        Ok(Self { fd })
    }

    /// The next frame, or `None` when nothing waits. `buffer` should have [`FRAME_ROOM`].
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut control = [0u64; 16];
        // SAFETY: a msghdr of zeroes is valid.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of::<[u64; 16]>() as _;
        // SAFETY: the message describes live buffers of the stated lengths.
        let len = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
        let Ok(len) = usize::try_from(len) else {
            let error = io::Error::last_os_error();
            let empty = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            return if empty { Ok(None) } else { Err(error) };
        };
        Ok(Some(Received { len, at_ns: stamp(&message).unwrap_or_else(now_ns) }))
    }

    /// Sends one frame, with its `virtio_net_hdr` where the socket was opened with it.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: pointer and length describe `frame`, which the kernel only reads.
        let ret = unsafe { libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Frames that the kernel dropped for want of room since the last call (`PACKET_STATISTICS` resets).
    pub(crate) fn take_drops(&self) -> io::Result<u64> {
        let stats: libc::tpacket_stats = read(self.fd.as_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS)?;
        Ok(stats.tp_drops.into())
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Index of an interface in the calling thread's namespace.
pub(crate) fn interface_index(interface: &str) -> io::Result<u32> {
    let name = std::ffi::CString::new(interface).map_err(io::Error::other)?;
    // SAFETY: `name` is a terminated string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Binds to all protocols of `interface`.
fn bind(fd: BorrowedFd<'_>, interface: &str) -> io::Result<()> {
    // SAFETY: a sockaddr_ll of zeroes is valid.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).map_err(io::Error::other)?.to_be();
    address.sll_ifindex = i32::try_from(interface_index(interface)?).map_err(io::Error::other)?;
    let len = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    // SAFETY: pointer and length describe `address`.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) }).map(drop)
}

/// The kernel's receive stamp among a message's control data.
fn stamp(message: &libc::msghdr) -> Option<i64> {
    // SAFETY: walks the control buffer that recvmsg filled, by the macros made for it; `read_unaligned`
    // because control data need not be aligned for a timespec.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while let Some(found) = header.as_ref() {
            if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SCM_TIMESTAMPNS {
                let time = libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned();
                return Some(time.tv_sec * 1_000_000_000 + time.tv_nsec);
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    None
}
