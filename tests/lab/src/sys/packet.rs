//! `AF_PACKET` sockets bound to one interface (packet(7)).

use super::option::{check, read, set};
use super::ring::{Ring, Slot, Slots};
use socket2::SockFilter;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

/// Octets of the `virtio_net_hdr` that stands before each frame of a socket opened with it.
pub(crate) const VNET_LEN: usize = 10;

/// What a packet socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Sends and receives; offload metadata travels before each frame; outgoing frames are not heard.
    Bridge,
    /// Only listens, to both directions, to so many octets of each frame.
    Tap { snaplen: usize },
}

/// A raw socket on one interface.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    fd: OwnedFd,
    ring: Ring,
    purpose: Purpose,
    cut: u64,
}

/// Now, by `CLOCK_REALTIME`, in nanoseconds since the epoch.
pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl PacketSocket {
    /// Opens a socket on `interface` of the calling thread's namespace, on all of them if absent, with room for frames
    /// like these.
    pub(crate) fn open(interface: Option<&str>, purpose: Purpose, slots: Slots) -> io::Result<Self> {
        // Protocol 0 keeps the ring empty until the socket is bound to its interface.
        let flags = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: creates a descriptor, which is owned at once.
        let fd = unsafe { OwnedFd::from_raw_fd(check(libc::socket(libc::AF_PACKET, flags, 0))?) };
        let on: libc::c_int = 1;
        if purpose == Purpose::Bridge {
            // Before the ring: the kernel refuses it afterwards.
            set(fd.as_fd(), libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on)?;
            set(fd.as_fd(), libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &on)?;
        }
        if let Purpose::Tap { snaplen } = purpose {
            let most = u32::try_from(snaplen).unwrap_or(u32::MAX);
            // BPF: ret #snaplen.
            socket2::SockRef::from(&fd).attach_filter(&[SockFilter::new(0x06, 0, 0, most)])?;
        }
        let ring = Ring::attach(fd.as_fd(), slots)?;
        bind(fd.as_fd(), interface)?;
        Ok(Self { fd, ring, purpose, cut: 0 })
    }

    /// Hands the next frame to `take`, behind its `virtio_net_hdr` where the socket is a bridge's; `None` if nothing
    /// waits.
    pub(crate) fn take<T>(&mut self, take: impl FnOnce(Slot<'_>) -> T) -> Option<T> {
        let (before, wanted) = match self.purpose {
            Purpose::Bridge => (VNET_LEN, usize::MAX),
            Purpose::Tap { snaplen } => (0, snaplen),
        };
        let cut = &mut self.cut;
        self.ring.take(before, |slot| {
            *cut += u64::from(slot.kept_len < slot.wire_len.min(wanted));
            take(slot)
        })
    }

    /// Sends one frame, with its `virtio_net_hdr` where the socket is a bridge's; waits for room.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: pointer and length describe `frame`, which the kernel only reads.
        let ret = unsafe { libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Frames that the kernel dropped or cut for want of room since the last call (`PACKET_STATISTICS` resets).
    pub(crate) fn take_drops(&mut self) -> io::Result<u64> {
        let stats: libc::tpacket_stats = read(self.fd.as_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS)?;
        Ok(u64::from(stats.tp_drops) + std::mem::take(&mut self.cut))
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

/// Binds to all protocols of `interface`, or of all interfaces.
fn bind(fd: BorrowedFd<'_>, interface: Option<&str>) -> io::Result<()> {
    // SAFETY: a sockaddr_ll of zeroes is valid.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).map_err(io::Error::other)?.to_be();
    let index = interface.map_or(Ok(0), interface_index)?;
    address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
    let len = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    // SAFETY: pointer and length describe `address`.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) }).map(drop)
}
