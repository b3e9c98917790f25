//! A memory-mapped receive ring of a packet socket (`TPACKET_V2`, packet(7)). Its size does not depend on the system's limit on socket buffers, which without root would
//! be 208 KiB: too little to lose nothing.

use super::option::set;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// Octets of a ring in all.
const RING_LEN: usize = 16 << 20;

/// Octets of the kernel's allocations, of which the ring consists; a multiple of every slot size and page size.
const BLOCK_LEN: usize = 128 << 10;

/// How large the frames are that a ring must take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slots {
    /// Wire frames of up to 1514 octets: 8192 of them.
    Frames,
    /// Super-packets of up to 64 KiB: 128 of them.
    SuperPackets,
}

impl Slots {
    /// Octets of one slot: the frame, and what the kernel puts before it.
    const fn len(self) -> usize {
        match self {
            Self::Frames => 2048,
            Self::SuperPackets => BLOCK_LEN,
        }
    }
}

/// A mapped ring and the place where the next frame is expected.
#[derive(Debug)]
pub(crate) struct Ring {
    start: NonNull<u8>,
    slot_len: usize,
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
    /// The slot was too small for the whole frame.
    pub(crate) cut: bool,
}

impl Ring {
    /// Gives the socket a ring and maps it.
    pub(crate) fn attach(fd: BorrowedFd<'_>, slots: Slots) -> io::Result<Self> {
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        set(fd, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        let number = |count: usize| u32::try_from(count).map_err(io::Error::other);
        let request = libc::tpacket_req {
            tp_block_size: number(BLOCK_LEN)?,
            tp_block_nr: number(RING_LEN / BLOCK_LEN)?,
            tp_frame_size: number(slots.len())?,
            tp_frame_nr: number(RING_LEN / slots.len())?,
        };
        set(fd, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new shared mapping of the ring that was just made, of exactly its length.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), RING_LEN, access, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("the ring is mapped at 0"))?;
        Ok(Self { start, slot_len: slots.len(), next: 0 })
    }

    /// Hands the next frame to `take` and its slot back to the kernel; `None` if there is none. `before` octets
    /// in front of the frame, where the kernel puts a `virtio_net_hdr` if asked to, are handed over too.
    pub(crate) fn take<T>(&mut self, before: usize, take: impl FnOnce(Slot<'_>) -> T) -> Option<T> {
        // SAFETY: `next` is always below the number of slots, so the slot lies within the mapping.
        let slot = unsafe { self.start.add(self.next * self.slot_len) };
        // SAFETY: a slot is aligned to 16 octets and begins with its 32-bit status, which the kernel writes
        // concurrently: so it is only read and written atomically.
        let status = unsafe { AtomicU32::from_ptr(slot.cast().as_ptr()) };
        if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the status says that the slot is ours; the kernel has filled in the header.
        let header = unsafe { slot.cast::<libc::tpacket2_hdr>().read() };
        let start = usize::from(header.tp_mac).saturating_sub(before).min(self.slot_len);
        let len = usize::try_from(header.tp_snaplen).unwrap_or(0).saturating_add(before);
        let len = len.min(self.slot_len - start);
        // SAFETY: within the slot by the lines above, initialised memory, and ours until the status changes.
        let bytes = unsafe { std::slice::from_raw_parts(slot.as_ptr().add(start), len) };
        let at_ns = i64::from(header.tp_sec) * 1_000_000_000 + i64::from(header.tp_nsec);
        let taken = take(Slot { at_ns, bytes, cut: header.tp_snaplen < header.tp_len });
        status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.next = (self.next + 1) % (RING_LEN / self.slot_len);
        Some(taken)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping of `attach`, which nothing refers to any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), RING_LEN) };
    }
}
