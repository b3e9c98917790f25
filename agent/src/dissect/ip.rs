//! IPv4 and IPv6 headers.

use super::checksum::sum;
use super::cursor::Cursor;
use super::extensions;
use super::outcome::SkipReason;
use correlate_proto::IpFields;
use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice};
use std::net::IpAddr;

/// What a record and the layers above need of an IP header.
#[derive(Debug, Clone, Copy)]
pub(super) struct IpPacket {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    /// What the packet carries, behind all extension headers.
    pub(super) protocol: IpNumber,
    pub(super) fields: IpFields,
    /// Where this packet is a part of a datagram.
    pub(super) fragment: Fragment,
    /// Sum of the 16-bit words of both addresses, for the pseudo-header.
    pub(super) address_sum: u64,
    /// The header stated no length; it was taken from the frame. Offloaded super-packets look so.
    pub(super) length_from_frame: bool,
}

/// A packet's place in a fragmented datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fragment {
    /// Not fragmented.
    Whole,
    /// The first fragment, with the header of what the datagram carries.
    First,
    /// Any other.
    Later,
}

impl Fragment {
    pub(super) fn new(is_first: bool, more_follow: bool) -> Self {
        match (is_first, more_follow) {
            (true, false) => Self::Whole,
            (true, true) => Self::First,
            (false, _) => Self::Later,
        }
    }
}

/// Reads the IP header, and extension headers, at `at`; leaves it at what the packet carries, padding cut off.
#[inline]
pub(super) fn read(at: &mut Cursor<'_>) -> Result<IpPacket, SkipReason> {
    match at.peek::<1>()?[0] >> 4 {
        4 => version4(at),
        6 => version6(at),
        _ => Err(SkipReason::Malformed),
    }
}

/// RFC 791 §3.1. A total length of zero is that of an offloaded super-packet (TSO of some drivers, IPv4 BIG
/// TCP: kernel `net/ipv4/ip_output.c`): the frame's length stands in.
#[inline]
fn version4(at: &mut Cursor<'_>) -> Result<IpPacket, SkipReason> {
    const MIN_HEADER_LEN: usize = 20;
    let header_len = usize::from(at.peek::<1>()?[0] & 0x0F) * 4;
    if header_len < MIN_HEADER_LEN {
        return Err(SkipReason::Malformed);
    }
    let header = Ipv4HeaderSlice::from_slice(at.bytes).map_err(|_| at.missing(header_len))?;
    let stated = u32::from(header.total_len());
    let length_from_frame = stated == 0;
    if !length_from_frame {
        at.limit(stated);
    }
    let len = at.wire;
    at.skip(header_len)?;
    let mut packet = IpPacket {
        src: IpAddr::V4(header.source_addr()),
        dst: IpAddr::V4(header.destination_addr()),
        protocol: header.protocol(),
        fields: IpFields {
            id: Some(header.identification()),
            ttl: header.ttl(),
            tos: header.slice()[1],
            dont_fragment: header.dont_fragment(),
            len,
            flow_label: 0,
        },
        fragment: Fragment::new(header.fragments_offset().value() == 0, header.more_fragments()),
        address_sum: sum(&header.slice()[12..20]),
        length_from_frame,
    };
    if packet.protocol == etherparse::ip_number::AUTH && packet.fragment != Fragment::Later {
        packet.protocol = extensions::authentication(at)?;
    }
    Ok(packet)
}

/// RFC 8200 §3. A payload length of zero is that of a jumbogram or an offloaded super-packet (RFC 2675, kernel
/// `net/ipv6/ip6_output.c`): the frame's length stands in.
fn version6(at: &mut Cursor<'_>) -> Result<IpPacket, SkipReason> {
    const HEADER_LEN: u32 = 40;
    let header = Ipv6HeaderSlice::from_slice(at.bytes).map_err(|_| at.missing(40))?;
    let stated = u32::from(header.payload_length());
    let length_from_frame = stated == 0;
    if !length_from_frame {
        at.limit(stated + HEADER_LEN);
    }
    let len = at.wire;
    at.skip(40)?;
    let mut packet = IpPacket {
        src: IpAddr::V6(header.source_addr()),
        dst: IpAddr::V6(header.destination_addr()),
        protocol: header.next_header(),
        fields: IpFields {
            id: None,
            ttl: header.hop_limit(),
            tos: header.traffic_class(),
            dont_fragment: true,
            len,
            flow_label: header.flow_label().value(),
        },
        fragment: Fragment::Whole,
        address_sum: sum(&header.slice()[8..40]),
        length_from_frame,
    };
    extensions::walk(&mut packet, at)?;
    Ok(packet)
}
