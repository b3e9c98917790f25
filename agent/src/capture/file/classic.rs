//! Classic capture files (`pcap-savefile(5)`), of both byte orders, and the variants that are told by their
//! magic number.

use super::buffer::Buffer;
use super::{Found, Stop};
use crate::capture::link::LinkType;
use correlate_proto::{Heard, Local, Timestamp};

/// Octets of the file header.
pub(super) const FILE_HEADER: usize = 24;
/// The largest frame that libpcap accepts (`MAXIMUM_SNAPLEN`): a greater length is damage, and nothing behind
/// it can be found again.
const MAX_CAPTURED: u32 = 262_144;

/// A classic file's properties.
#[derive(Debug, Clone, Copy)]
pub(super) struct Classic {
    big_endian: bool,
    nanoseconds: bool,
    layout: Layout,
    link: LinkType,
    packets: u64,
}

/// How a packet's header is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Seconds, fraction, captured length, wire length.
    Usual,
    /// The lengths the other way round: files before version 2.3 (libpcap `sf-pcap.c`).
    Swapped,
    /// Version 2.3: either way, as its many writers had it; the captured length is the smaller one.
    Unsure,
    /// Alexey Kuznetzov's patch: interface, protocol and packet type follow.
    Kuznetzov,
}

impl Classic {
    /// Reads a file header; absent if the magic number is none of a classic file.
    pub(super) fn recognise(header: &[u8; FILE_HEADER]) -> Option<Result<Self, String>> {
        let [a, b, c, d, ..] = *header;
        let (big_endian, magic) = match (u32::from_le_bytes([a, b, c, d]), u32::from_be_bytes([a, b, c, d])) {
            (magic @ (0xA1B2_C3D4 | 0xA1B2_3C4D | 0xA1B2_CD34), _) => (false, magic),
            (_, magic @ (0xA1B2_C3D4 | 0xA1B2_3C4D | 0xA1B2_CD34)) => (true, magic),
            _ => return None,
        };
        let word = |at: usize| word(header, at, big_endian);
        let (first, second) = (word(4) & 0xFFFF, word(4) >> 16);
        let (major, minor) = if big_endian { (second, first) } else { (first, second) };
        if major != 2 {
            return Some(Err(format!("a capture of the unknown version {major}.{minor}")));
        }
        let layout = match (magic, minor) {
            (0xA1B2_CD34, _) => Layout::Kuznetzov,
            (_, 0..=2) => Layout::Swapped,
            (_, 3) => Layout::Unsure,
            _ => Layout::Usual,
        };
        // The upper bits tell of a frame check sequence.
        let link = LinkType::from_number(word(20) & 0x03FF_FFFF);
        Some(Ok(Self { big_endian, nanoseconds: magic == 0xA1B2_3C4D, layout, link, packets: 0 }))
    }

    pub(super) fn link(&self) -> LinkType {
        self.link
    }

    /// Finds the next frame.
    #[inline]
    pub(super) fn locate(&mut self, input: &mut Buffer) -> Result<Found, Stop> {
        let Some(header) = input.head::<16>()? else {
            return Err(self.end(input, "header"));
        };
        let word = |at: usize| word(&header, at, self.big_endian);
        let (mut captured, mut wire_len) = (word(8), word(12));
        let swapped = match self.layout {
            Layout::Usual | Layout::Kuznetzov => false,
            Layout::Swapped => true,
            Layout::Unsure => captured > wire_len,
        };
        if swapped {
            core::mem::swap(&mut captured, &mut wire_len);
        }
        if captured > MAX_CAPTURED {
            let packet = self.packets + 1;
            return Err(Stop::Early(format!(
                "packet {packet} claims {captured} captured octets, more than any capture holds: damaged there"
            )));
        }
        let header_len = if self.layout == Layout::Kuznetzov { 24 } else { 16 };
        // At most 256 KiB, as just tested.
        let captured = captured as usize;
        if !input.ensure(header_len + captured)? {
            return Err(self.end(input, "data"));
        }
        self.packets += 1;
        let heard = if self.layout == Layout::Kuznetzov { kuznetzov_heard(input) } else { Heard::Unknown };
        let place = input.place(header_len, captured);
        input.consume(header_len + captured);
        Ok(Found {
            place,
            at: Some(self.stamp(word(0), word(4))),
            wire_len,
            link: self.link,
            heard,
            interface: 0,
            lost_before: 0,
        })
    }

    /// A fraction of a second or more is impossible; it is taken as the last instant of its second, so that
    /// one damaged stamp does not move the packet far.
    #[inline]
    fn stamp(&self, seconds: u32, fraction: u32) -> Timestamp<Local> {
        let (unit, limit) = if self.nanoseconds { (1, 999_999_999) } else { (1_000, 999_999) };
        Timestamp::from_ns(i64::from(seconds) * 1_000_000_000 + i64::from(fraction.min(limit)) * unit)
    }

    #[cold]
    fn end(&self, input: &Buffer, part: &str) -> Stop {
        if input.peek().is_empty() {
            return Stop::End;
        }
        let packet = self.packets + 1;
        Stop::Early(format!("the file is cut in the {part} of packet {packet}"))
    }
}

/// The packet type as `PACKET_OUTGOING` and its like (kernel `if_packet.h`).
fn kuznetzov_heard(input: &Buffer) -> Heard {
    input.peek().get(22).map_or(Heard::Unknown, |kind| super::cooked::heard(u16::from(*kind)))
}

/// The 32-bit number at `at`.
#[inline]
fn word<const N: usize>(bytes: &[u8; N], at: usize, big_endian: bool) -> u32 {
    let octets = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    if big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
}
