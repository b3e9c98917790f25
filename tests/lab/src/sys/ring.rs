//! A memory-mapped receive ring of a packet socket (`TPACKET_V2`, packet(7)). Its size does not depend on the system's limit on socket buffers, which without root would
//! be 208 KiB: too little to lose nothing.

use super::option::set;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// How large the frames are that a ring must take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slots {
    /// Wire frames of up to 1514 octets, or longer ones cut: 8192 of them in 16 MiB.
    Frames,
    /// Super-packets of up to 64 KiB: 700 of them in 50 MiB.
    SuperPackets,
}

impl Slots {
    /// Octets of one slot: the frame, and what the kernel puts before it.
    const fn len(self) -> usize {
        match self {
            Self::Frames => 2 << 10,
            Self::SuperPackets => 72 << 10,
        }
    }

    /// Slots in each of the kernel's allocations, which are whole pages and waste little of a power of two.
    const fn per_block(self) -> usize {
        match self {
            Self::Frames => 64,
            Self::SuperPackets => 7,
        }
    }

    const fn blocks(self) -> usize {
        match self {
            Self::Frames => 128,
            Self::SuperPackets => 100,
        }
    }

    const fn count(self) -> usize {
        self.per_block() * self.blocks()
    }

    const fn ring_len(self) -> usize {
        self.len() * self.count()
    }
}

/// A mapped ring and the place where the next frame is expected.
#[derive(Debug)]
pub(crate) struct Ring {
    start: NonNull<u8>,
    slots: Slots,
    next: usize,
}

// SAFETY: the mapping belongs to this value alone and is not tied to a thread.
unsafe impl Send for Ring {}

/// What the kernel wrote into a slot.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    /// When it was captured, ns by `CLOCK_REALTIME`.
    pub(crate) at_ns: i64,
    /// The frame, with the asked number of octets before it.
    pub(crate) bytes: &'a [u8],
    /// Octets of the frame on the link, of which a filter or the slot may have cut the end.
    pub(crate) wire_len: usize,
    /// Octets of it that were kept.
    pub(crate) kept_len: usize,
    /// Index of the interface that it was captured on.
    pub(crate) interface: u32,
    /// Whether it was sent, or to whom (packet(7), `sll_pkttype`).
    pub(crate) packet_type: u8,
}

impl Ring {
    /// Gives the socket a ring and maps it.
    pub(crate) fn attach(fd: BorrowedFd<'_>, slots: Slots) -> io::Result<Self> {
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        set(fd, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        let number = |count: usize| u32::try_from(count).map_err(io::Error::other);
        let request = libc::tpacket_req {
            tp_block_size: number(slots.len() * slots.per_block())?,
            tp_block_nr: number(slots.blocks())?,
            tp_frame_size: number(slots.len())?,
            tp_frame_nr: number(slots.count())?,
        };
        set(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new shared mapping of the ring that was just made, of exactly its length.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), slots.ring_len(), access, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("the ring is mapped at 0"))?;
        Ok(Self { start, slots, next: 0 })
    }

    /// Hands the next frame to `take` and its slot back to the kernel; `None` if there is none. `before` octets
    /// in front of the frame, where the kernel puts a `virtio_net_hdr` if asked to, are handed over too.
    pub(crate) fn take<T>(&mut self, before: usize, take: impl FnOnce(Slot<'_>) -> T) -> Option<T> {
        // SAFETY: `next` is always below the number of slots, so the slot lies within the mapping.
        let slot = unsafe { self.start.add(self.next * self.slots.len()) };
        // SAFETY: a slot is aligned to 16 octets and begins with its 32-bit status, which the kernel writes
        // concurrently: so it is only read and written atomically.
        let status = unsafe { AtomicU32::from_ptr(slot.cast().as_ptr()) };
        if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the status says that the slot is ours; the kernel has filled in the header.
        let header = unsafe { slot.cast::<libc::tpacket2_hdr>().read() };
        let start = usize::from(header.tp_mac).saturating_sub(before).min(self.slots.len());
        let len = octets(header.tp_snaplen).saturating_add(before);
        let len = len.min(self.slots.len() - start);
        // SAFETY: within the slot by the lines above, initialised memory, and ours until the status changes.
        let bytes = unsafe { std::slice::from_raw_parts(slot.as_ptr().add(start), len) };
        let at_ns = i64::from(header.tp_sec) * 1_000_000_000 + i64::from(header.tp_nsec);
        // SAFETY: behind the header, at the next multiple of 16, the kernel has put the frame's address.
        let address = unsafe {
            let at = size_of::<libc::tpacket2_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);
            slot.add(at).cast::<libc::sockaddr_ll>().read()
        };
        let taken = take(Slot {
            interface: u32::try_from(address.sll_ifindex).unwrap_or(0),
            packet_type: address.sll_pkttype,
            at_ns,
            bytes,
            wire_len: octets(header.tp_len),
            kept_len: len.saturating_sub(before),
        });
        status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % self.slots.count();
        Some(taken)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping of `attach`, which nothing refers to any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.slots.ring_len()) };
    }
}

fn octets(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
