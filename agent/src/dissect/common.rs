//! The short way for what nearly every frame is: Ethernet without tags, IPv4 without options, TCP.
//!
//! Everything else, and everything odd, is left to the long way; the tests hold the two to the same answers.

use super::checksum::sum;
use super::cursor::Cursor;
use super::ip::{Fragment, IpPacket};
use crate::capture::{Frame, LinkType};
use correlate_proto::IpFields;
use etherparse::ip_number;
use std::net::{IpAddr, Ipv4Addr};

/// Octets of the two headers.
const HEADERS: usize = 34;
const IP_HEADER: u32 = 20;

/// The IP header, and the place of the TCP header; absent if the frame is not of the common kind.
#[expect(clippy::inline_always, reason = "measured: a copy of the header costs a quarter of the whole")]
#[inline(always)]
pub(super) fn find<'a>(frame: &Frame<'a>) -> Option<(IpPacket, Cursor<'a>)> {
    let (head, rest) = frame.bytes.split_first_chunk::<HEADERS>()?;
    let is_ipv4_without_options = head[12..15] == [0x08, 0x00, 0x45];
    let is_tcp = head[23] == ip_number::TCP.0;
    let is_fragment = u16::from_be_bytes([head[20], head[21]]) & 0x3FFF != 0;
    let stated = u32::from(u16::from_be_bytes([head[16], head[17]]));
    let is_common = frame.link == LinkType::Ethernet && is_ipv4_without_options && is_tcp && !is_fragment;
    if !is_common || stated < IP_HEADER {
        return None;
    }
    let [src, dst] = head[26..].as_chunks::<4>().0 else { return None };
    let packet = IpPacket {
        src: IpAddr::V4(Ipv4Addr::from(*src)),
        dst: IpAddr::V4(Ipv4Addr::from(*dst)),
        protocol: ip_number::TCP,
        fields: IpFields {
            id: Some(u16::from_be_bytes([head[18], head[19]])),
            ttl: head[22],
            tos: head[15],
            dont_fragment: head[20] & 0x40 != 0,
            len: stated,
            flow_label: 0,
        },
        fragment: Fragment::Whole,
        address_sum: sum(&head[26..34]),
        length_from_frame: false,
    };
    let mut at = Cursor::new(rest, 0);
    at.limit(stated - IP_HEADER);
    Some((packet, at))
}
