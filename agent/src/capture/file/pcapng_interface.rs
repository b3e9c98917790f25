//! The parts of pcapng blocks that tell of interfaces: description, resolution, statistics, packet flags.

use super::coverage::Statistics;
use crate::capture::link::LinkType;
use correlate_proto::{Coverage, Heard, Interface, Local, Timestamp};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Interfaces of one section; a file that describes more is taken for damaged. Real ones have tens.
pub(super) const MAX_INTERFACES: usize = 4_096;
/// Characters of an interface's name that are kept; Linux has 15, Windows about 60.
const MAX_NAME: usize = 128;
/// Addresses of one interface that are kept.
const MAX_ADDRESSES: usize = 64;

/// Byte order of a section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Little,
    Big,
}

impl Order {
    /// From the byte-order magic behind a section header's type and length.
    pub(super) fn of_section(head: &[u8; 16]) -> Option<Self> {
        match head[8..12] {
            [0x4D, 0x3C, 0x2B, 0x1A] => Some(Self::Little),
            [0x1A, 0x2B, 0x3C, 0x4D] => Some(Self::Big),
            _ => None,
        }
    }

    /// The 32-bit number at `at`, which the caller knows to be there; 0 if it is not.
    #[inline]
    pub(super) fn word(self, bytes: &[u8], at: usize) -> u32 {
        let octets = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>).copied().unwrap_or_default();
        match self {
            Self::Little => u32::from_le_bytes(octets),
            Self::Big => u32::from_be_bytes(octets),
        }
    }

    /// The 16-bit number at `at`, likewise.
    #[inline]
    pub(super) fn half(self, bytes: &[u8], at: usize) -> u16 {
        let octets = bytes.get(at..).and_then(<[u8]>::first_chunk::<2>).copied().unwrap_or_default();
        match self {
            Self::Little => u16::from_le_bytes(octets),
            Self::Big => u16::from_be_bytes(octets),
        }
    }

    /// The 64-bit number in the first eight octets.
    fn long(self, bytes: &[u8]) -> Option<u64> {
        let octets = *bytes.first_chunk::<8>()?;
        Some(match self {
            Self::Little => u64::from_le_bytes(octets),
            Self::Big => u64::from_be_bytes(octets),
        })
    }
}

/// What the frames of an interface need to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Described {
    pub(super) link: LinkType,
    pub(super) snaplen: u32,
    /// Place among the source's interfaces.
    pub(super) interface: u16,
    resolution: Resolution,
    offset_ns: i64,
}

/// Length of a unit of time stamps.
#[derive(Debug, Clone, Copy)]
enum Resolution {
    /// So many nanoseconds.
    Coarse(u64),
    /// So many of them make a nanosecond.
    Fine(u64),
    /// A second divided by this power of two.
    Binary(u8),
}

impl Resolution {
    /// From the option `if_tsresol`; what is finer than the age of the universe in its units is all zeros.
    fn from_option(value: u8) -> Self {
        match value {
            0..=9 => Self::Coarse(10u64.pow(u32::from(9 - value))),
            10..=28 => Self::Fine(10u64.pow(u32::from(value - 9))),
            29..=127 => Self::Fine(u64::MAX),
            128.. => Self::Binary(value & 0x7F),
        }
    }

    #[inline]
    fn to_ns(self, units: u64) -> u64 {
        match self {
            Self::Coarse(ns) => units.saturating_mul(ns),
            Self::Fine(per_ns) => units / per_ns,
            Self::Binary(power) => {
                u64::try_from((u128::from(units) * 1_000_000_000) >> power).unwrap_or(u64::MAX)
            }
        }
    }
}

impl Described {
    /// The instant of a stamp; one beyond the year 2262 is that instant.
    #[inline]
    pub(super) fn stamp(&self, high: u32, low: u32) -> Timestamp<Local> {
        let units = (u64::from(high) << 32) | u64::from(low);
        let ns = i64::try_from(self.resolution.to_ns(units)).unwrap_or(i64::MAX);
        Timestamp::from_ns(ns.saturating_add(self.offset_ns))
    }
}

/// Reads an interface description's body and adds the interface to `interfaces`, unless one of that name is
/// there: several sections of one capture describe the same interfaces. Absent if the body is too short.
pub(super) fn describe(body: &[u8], order: Order, interfaces: &mut Vec<Interface>) -> Option<Described> {
    let fixed = body.first_chunk::<8>()?;
    let mut described = Described {
        link: LinkType::from_number(u32::from(order.half(fixed, 0))),
        snaplen: order.word(fixed, 4),
        interface: 0,
        resolution: Resolution::Coarse(1_000),
        offset_ns: 0,
    };
    let mut interface = Interface { captured: true, ..Interface::default() };
    for (code, value) in Options::new(&body[8..], order) {
        match (code, value) {
            (2, name) => interface.name = text(name),
            (4, [a, b, c, d, ..]) => add(&mut interface, IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d))),
            (5, address) => {
                if let Some(octets) = address.first_chunk::<16>() {
                    add(&mut interface, IpAddr::V6(Ipv6Addr::from(*octets)));
                }
            }
            (9, [resolution, ..]) => described.resolution = Resolution::from_option(*resolution),
            (14, offset) => {
                let seconds = order.long(offset).map_or(0, u64::cast_signed);
                described.offset_ns = seconds.saturating_mul(1_000_000_000);
            }
            _ => {}
        }
    }
    described.interface = place(interface, interfaces);
    Some(described)
}

fn place(interface: Interface, interfaces: &mut Vec<Interface>) -> u16 {
    let same = |known: &Interface| !known.name.is_empty() && known.name == interface.name;
    let at = interfaces.iter().position(same).unwrap_or_else(|| {
        if interfaces.len() < MAX_INTERFACES {
            interfaces.push(interface);
        }
        interfaces.len() - 1
    });
    u16::try_from(at).unwrap_or(u16::MAX)
}

fn add(interface: &mut Interface, address: IpAddr) {
    if interface.addresses.len() < MAX_ADDRESSES && !interface.addresses.contains(&address) {
        interface.addresses.push(address);
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).chars().take_while(|each| *each != '\0').take(MAX_NAME).collect()
}

/// Reads interface statistics: for which of the source's interfaces, and what.
pub(super) fn statistics(body: &[u8], order: Order, described: &[Described]) -> Option<(u16, Statistics)> {
    let fixed = body.first_chunk::<12>()?;
    let interface = described.get(usize::try_from(order.word(fixed, 0)).ok()?)?;
    let (mut from, mut to, mut found) = (None, None, Statistics::default());
    for (code, value) in Options::new(&body[12..], order) {
        let stamp =
            || (value.len() == 8).then(|| interface.stamp(order.word(value, 0), order.word(value, 4)));
        match code {
            2 => from = stamp(),
            3 => to = stamp(),
            // Dropped by the interface, and by the system: both were not captured.
            5 | 7 => found.dropped = found.dropped.saturating_add(order.long(value).unwrap_or(0)),
            _ => {}
        }
    }
    found.ran = from.zip(to).map(|(from, to)| Coverage { from, to });
    Some((interface.interface, found))
}

/// Direction, and frames lost before this one, from the options of a packet block.
#[inline]
pub(super) fn flags_and_drops(options: &[u8], order: Order) -> (Heard, u32) {
    let (mut heard, mut lost) = (Heard::Unknown, 0);
    if options.is_empty() {
        return (heard, lost);
    }
    for (code, value) in Options::new(options, order) {
        match (code, value.len()) {
            (2, 4..) => {
                heard = match order.word(value, 0) & 0b11 {
                    1 => Heard::In,
                    2 => Heard::Out,
                    _ => Heard::Unknown,
                }
            }
            (4, 8..) => lost = u32::try_from(order.long(value).unwrap_or(0)).unwrap_or(u32::MAX),
            _ => {}
        }
    }
    (heard, lost)
}

/// The options of a block; ends at the end-of-options mark or where one does not fit.
struct Options<'a> {
    rest: &'a [u8],
    order: Order,
}

impl<'a> Options<'a> {
    fn new(rest: &'a [u8], order: Order) -> Self {
        Self { rest, order }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let head = self.rest.first_chunk::<4>()?;
        let (code, len) = (self.order.half(head, 0), usize::from(self.order.half(head, 2)));
        if code == 0 {
            return None;
        }
        let value = self.rest.get(4..4 + len)?;
        self.rest = self.rest.get(4 + len.next_multiple_of(4)..).unwrap_or(&[]);
        Some((code, value))
    }
}
