//! The kernel's memory-mapped ring of received packets: `TPACKET_V3` with segment sizes.
//!
//! The kernel fills blocks and hands them over one after the other; frames are read in place and the block is
//! given back when the last of them is passed. Layout: `Documentation/networking/packet_mmap.rst` and
//! `linux/if_packet.h`. All unsafe code of the live capture is in this file.
#![cfg(target_os = "linux")]
#![expect(
    unsafe_code,
    reason = "the ring is memory that is shared with the kernel, set up by socket options of C structures"
)]

use crate::filter::Instruction;
use core::num::NonZeroU16;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Octets of a block: small enough that a ring has many, large enough for four BIG TCP frames taken whole.
pub(super) const BLOCK_LEN: usize = 256 * 1024;
/// The kernel hands over a block that is not full when it is between one and two of these old: its timer looks
/// at intervals of this, and closes what was already open at the last look.
pub(super) const BLOCK_TIMEOUT: Duration = Duration::from_millis(60);
/// Only its product with the number counts in version 3; the kernel checks it all the same.
const FRAME_LEN: usize = 2048;
/// Octets of `struct virtio_net_hdr`, which stands right before a frame.
const VNET_LEN: usize = 10;
/// `ETH_P_ALL` as `sockaddr_ll` wants it.
const EVERYTHING: u16 = 0x0003_u16.to_be();

/// What could not be done, and what the system said.
#[derive(Debug)]
pub(super) struct RingError {
    pub(super) step: Step,
    pub(super) source: io::Error,
}

/// Steps of opening a ring, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Socket,
    Version,
    Filter,
    Memory,
    Map,
    Bind,
}

/// Where a frame stands in the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    offset: usize,
    block_end: usize,
    /// It is the first one of its block.
    pub(super) opens_block: bool,
}

/// A frame as the kernel tells of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawFrame<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) wire_len: u32,
    /// Nanoseconds of `CLOCK_REALTIME`.
    pub(super) at_ns: i64,
    /// `PACKET_HOST`, `PACKET_OUTGOING` …
    pub(super) packet_type: u8,
    /// `ARPHRD_…`
    pub(super) hardware: u16,
    /// Kernel index.
    pub(super) interface: u32,
    pub(super) gso_size: Option<NonZeroU16>,
    pub(super) checksum_partial: bool,
    pub(super) vlan: Option<u16>,
}

/// How waiting ended.
#[derive(Debug)]
pub(super) enum Wait {
    /// A block is ready, perhaps.
    Ready,
    /// Nothing happened.
    TimedOut,
    /// The interface went away or down.
    Down(io::Error),
}

/// A packet socket with its ring.
#[derive(Debug)]
pub(super) struct Ring {
    socket: OwnedFd,
    memory: NonNull<u8>,
    len: usize,
    block: usize,
    /// Frames left in the current block and where the next one stands; absent between blocks.
    walk: Option<Walk>,
    has_vnet_header: bool,
}

#[derive(Debug, Clone, Copy)]
struct Walk {
    left: u32,
    offset: usize,
    first: bool,
}

// SAFETY: the mapping belongs to this value alone and is not tied to a thread.
unsafe impl Send for Ring {}

impl Ring {
    /// A ring of `len` octets, rounded down to whole blocks, of which there are at least two. It receives nothing
    /// before [`Self::bind`]: the socket is made without a protocol, so no packet can slip past the filter.
    pub(super) fn open(len: usize, program: &[Instruction]) -> Result<Self, RingError> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no memory is passed.
        let fd = checked(unsafe { libc::socket(libc::AF_PACKET, kind, 0) }, Step::Socket)?;
        // SAFETY: the descriptor is new and owned by nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        option(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version, Step::Version)?;
        // Before 4.6 there is no such header in a ring; everything else works without.
        let on: libc::c_int = 1;
        let has_vnet_header =
            option(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on, Step::Version).is_ok();
        attach(&socket, program)?;
        let blocks = (len / BLOCK_LEN).max(2);
        let len = blocks * BLOCK_LEN;
        let number = |value: usize| libc::c_uint::try_from(value).unwrap_or(libc::c_uint::MAX);
        let request = libc::tpacket_req3 {
            tp_block_size: number(BLOCK_LEN),
            tp_block_nr: number(blocks),
            tp_frame_size: number(FRAME_LEN),
            tp_frame_nr: number(len / FRAME_LEN),
            tp_retire_blk_tov: number(BLOCK_TIMEOUT.as_millis().try_into().unwrap_or(usize::MAX)),
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        option(&socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request, Step::Memory)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping is asked for, of the length that the ring was just given.
        let memory =
            unsafe { libc::mmap(std::ptr::null_mut(), len, access, libc::MAP_SHARED, socket.as_raw_fd(), 0) };
        let memory = NonNull::new(memory.cast::<u8>()).filter(|at| at.as_ptr().cast() != libc::MAP_FAILED);
        let Some(memory) = memory else {
            return Err(RingError { step: Step::Map, source: io::Error::last_os_error() });
        };
        Ok(Self { socket, memory, len, block: 0, walk: None, has_vnet_header })
    }

    /// Begins to receive: frames of the interface with that index, or of all.
    pub(super) fn bind(&self, interface: Option<u32>) -> Result<(), RingError> {
        // SAFETY: a sockaddr_ll of zeros is valid.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
        address.sll_protocol = EVERYTHING;
        address.sll_ifindex = interface.unwrap_or(0).cast_signed();
        // SAFETY: the address lives through the call and its length is given.
        let status = unsafe {
            libc::bind(self.socket.as_raw_fd(), (&raw const address).cast(), socklen::<libc::sockaddr_ll>())
        };
        checked(status, Step::Bind).map(drop)
    }

    /// Replaces the filter.
    pub(super) fn filter(&self, program: &[Instruction]) -> Result<(), RingError> {
        attach(&self.socket, program)
    }

    /// Octets of the ring.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether segment sizes of offloaded packets are known.
    pub(super) fn has_segment_sizes(&self) -> bool {
        self.has_vnet_header
    }

    /// Frames dropped because the ring was full, since this was asked last.
    pub(super) fn take_drops(&self) -> io::Result<u64> {
        // SAFETY: the structure holds integers only.
        let mut found: libc::tpacket_stats_v3 = unsafe { std::mem::zeroed() };
        let mut len = socklen::<libc::tpacket_stats_v3>();
        // SAFETY: the kernel writes at most `len` octets to `found`.
        let status = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut found).cast(),
                &raw mut len,
            )
        };
        if status < 0 { Err(io::Error::last_os_error()) } else { Ok(u64::from(found.tp_drops)) }
    }

    /// Waits until a block is ready.
    pub(super) fn wait(&self, timeout: Duration) -> io::Result<Wait> {
        let mut poll =
            libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN | libc::POLLERR, revents: 0 };
        let ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one pollfd is passed and lives through the call.
        let ready = unsafe { libc::poll(&raw mut poll, 1, ms) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(Wait::TimedOut) } else { Err(error) };
        }
        if poll.revents & libc::POLLERR != 0 {
            return self.pending_error().map(|error| error.map_or(Wait::Ready, Wait::Down));
        }
        Ok(if ready == 0 { Wait::TimedOut } else { Wait::Ready })
    }

    /// The socket's error, which reading clears.
    fn pending_error(&self) -> io::Result<Option<io::Error>> {
        let mut code: libc::c_int = 0;
        let mut len = socklen::<libc::c_int>();
        // SAFETY: the kernel writes at most `len` octets to `code`.
        let status = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                (&raw mut code).cast(),
                &raw mut len,
            )
        };
        if status < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((code != 0).then(|| io::Error::from_raw_os_error(code)))
    }

    /// Steps to the next frame; absent if the kernel has handed over no further block. The frame before it is
    /// given back to the kernel if it was the last of its block.
    pub(super) fn advance(&mut self) -> Option<Position> {
        loop {
            if let Some(walk) = self.walk.filter(|walk| walk.left > 0) {
                let block_end = (self.block + 1) * BLOCK_LEN;
                if walk.offset + libc::TPACKET3_HDRLEN <= block_end {
                    // SAFETY: the header lies inside a block that the kernel has handed over.
                    let next = unsafe { self.header(walk.offset).tp_next_offset };
                    let offset = walk.offset.saturating_add(next as usize);
                    self.walk = Some(Walk { left: walk.left - 1, offset, first: false });
                    return Some(Position { offset: walk.offset, block_end, opens_block: walk.first });
                }
            }
            if self.walk.take().is_some() {
                self.give_back();
            }
            if self.status().load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                return None;
            }
            let start = self.block * BLOCK_LEN;
            // SAFETY: the block is ours since its status says so, and it begins with a descriptor.
            let block = unsafe {
                self.memory.as_ptr().add(start).cast::<libc::tpacket_block_desc>().read_unaligned().hdr.bh1
            };
            let offset = start.saturating_add(block.offset_to_first_pkt as usize);
            self.walk = Some(Walk { left: block.num_pkts, offset, first: true });
        }
    }

    /// The frame at `position`, which [`Self::advance`] gave last.
    pub(super) fn frame(&self, position: Position) -> RawFrame<'_> {
        // SAFETY: `advance` checked that the header and the address behind it lie inside a block that stays ours
        // until the next `advance`, which takes `&mut self` while the frame borrows `&self`.
        let (header, address) = unsafe {
            let header = self.header(position.offset);
            let behind = position.offset + aligned(size_of::<libc::tpacket3_hdr>());
            (header, self.memory.as_ptr().add(behind).cast::<libc::sockaddr_ll>().read_unaligned())
        };
        let start = position.offset.saturating_add(usize::from(header.tp_mac)).min(position.block_end);
        let len = (header.tp_snaplen as usize).min(position.block_end - start);
        // SAFETY: `start` and `len` were cut to the block just now.
        let bytes = unsafe { std::slice::from_raw_parts(self.memory.as_ptr().add(start), len) };
        let has_tag = header.tp_status & libc::TP_STATUS_VLAN_VALID != 0;
        RawFrame {
            bytes,
            wire_len: header.tp_len,
            at_ns: i64::from(header.tp_sec) * 1_000_000_000 + i64::from(header.tp_nsec),
            packet_type: address.sll_pkttype,
            hardware: address.sll_hatype,
            interface: address.sll_ifindex.cast_unsigned(),
            gso_size: self.gso_size(position.offset, usize::from(header.tp_mac)),
            checksum_partial: header.tp_status & libc::TP_STATUS_CSUMNOTREADY != 0,
            vlan: has_tag
                .then(|| header.hv1.tp_vlan_tci.to_le_bytes())
                .map(|tci| u16::from_le_bytes([tci[0], tci[1]])),
        }
    }

    /// Size of the wire segments of an offloaded packet: `gso_size` of `struct virtio_net_hdr`, at 4 in the byte
    /// order of the host, meaningful if `gso_type`, at 1, is not 0.
    fn gso_size(&self, offset: usize, mac: usize) -> Option<NonZeroU16> {
        if !self.has_vnet_header || mac < libc::TPACKET3_HDRLEN + VNET_LEN {
            return None;
        }
        // SAFETY: the header stands between the frame's header and its octets, inside the block.
        let header = unsafe {
            self.memory.as_ptr().add(offset + mac - VNET_LEN).cast::<[u8; VNET_LEN]>().read_unaligned()
        };
        if header[1] == 0 { None } else { NonZeroU16::new(u16::from_ne_bytes([header[4], header[5]])) }
    }

    /// # Safety
    /// A header lies at `offset`, inside a block that the kernel has handed over.
    unsafe fn header(&self, offset: usize) -> libc::tpacket3_hdr {
        // SAFETY: by the caller.
        unsafe { self.memory.as_ptr().add(offset).cast::<libc::tpacket3_hdr>().read_unaligned() }
    }

    #[expect(clippy::cast_ptr_alignment, reason = "blocks begin at multiples of the page size")]
    fn status(&self) -> &AtomicU32 {
        // SAFETY: every block begins with a descriptor, whose status is aligned and shared with the kernel.
        unsafe {
            let descriptor =
                self.memory.as_ptr().add(self.block * BLOCK_LEN).cast::<libc::tpacket_block_desc>();
            AtomicU32::from_ptr(&raw mut (*descriptor).hdr.bh1.block_status)
        }
    }

    fn give_back(&mut self) {
        self.status().store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.block = (self.block + 1) % (self.len / BLOCK_LEN);
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `open` with this length, and nothing borrows it any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.len) };
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

const fn aligned(len: usize) -> usize {
    len.next_multiple_of(libc::TPACKET_ALIGNMENT)
}

fn socklen<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(libc::socklen_t::MAX)
}

fn attach(socket: &OwnedFd, program: &[Instruction]) -> Result<(), RingError> {
    let len = libc::c_ushort::try_from(program.len())
        .map_err(|_| RingError { step: Step::Filter, source: io::ErrorKind::InvalidInput.into() })?;
    // The kernel copies the program and does not write to it. `Instruction` is laid out as `sock_filter`.
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast() };
    option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program, Step::Filter)
}

fn option<T>(socket: &OwnedFd, level: i32, name: i32, value: &T, step: Step) -> Result<(), RingError> {
    // SAFETY: the value lives through the call and its length is given; each call passes the type that the
    // option takes.
    let status = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), socklen::<T>())
    };
    checked(status, step).map(drop)
}

fn checked(status: libc::c_int, step: Step) -> Result<libc::c_int, RingError> {
    if status < 0 { Err(RingError { step, source: io::Error::last_os_error() }) } else { Ok(status) }
}
