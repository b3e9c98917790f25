//! Frames built by hand or by etherparse's builder, and what dissection makes of them.

mod errors;
mod laws;
mod layers;
mod lengths;

use super::{Dissected, SkipReason, dissect};
use crate::capture::{Frame, LinkType};
use correlate_proto::{Heard, IcmpError, Record, Segment, Timestamp};
use etherparse::{PacketBuilder, TcpOptionElement};

pub(super) const CLIENT: [u8; 4] = [10, 0, 1, 2];
pub(super) const SERVER: [u8; 4] = [10, 0, 4, 12];
pub(super) const SEQ: u32 = 0xFFFF_FF00;

/// A frame over these octets, whole.
pub(super) fn frame(link: LinkType, bytes: &[u8]) -> Frame<'_> {
    Frame {
        number: 7,
        at: Timestamp::from_ns(1_000),
        bytes,
        wire_len: u32::try_from(bytes.len()).unwrap(),
        link,
        heard: Heard::Unknown,
        interface: 0,
        gso_size: None,
        checksum_partial: false,
        vlan: None,
    }
}

/// An IPv4 packet with TCP, a timestamps option and this payload.
pub(super) fn ipv4_tcp(payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(40_000, 5_432, SEQ, 500).ack(77).psh();
    let options = [TcpOptionElement::Noop, TcpOptionElement::Noop, TcpOptionElement::Timestamp(11, 22)];
    let builder = builder.options(&options).unwrap();
    let mut bytes = Vec::new();
    builder.write(&mut bytes, payload).unwrap();
    bytes
}

/// The same over IPv6.
pub(super) fn ipv6_tcp(payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ipv6([1; 16], [2; 16], 60).tcp(40_000, 5_432, SEQ, 500).ack(77);
    let mut bytes = Vec::new();
    builder.write(&mut bytes, payload).unwrap();
    bytes
}

pub(super) fn ethernet(ether_type: u16, rest: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &ether_type.to_be_bytes(), rest].concat()
}

/// An IPv4 header around something else than TCP.
pub(super) fn ipv4_around(protocol: u8, rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + rest.len()).unwrap().to_be_bytes();
    let head = [0x45, 0, len[0], len[1], 0, 9, 0, 0, 30, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    [&head[..], rest].concat()
}

pub(super) fn segment(frame: &Frame<'_>) -> Segment {
    match dissect(frame) {
        Dissected::Record(Record::Segment(segment)) => segment,
        other @ (Dissected::Record(_) | Dissected::Skipped(_)) => panic!("no segment: {other:?}"),
    }
}

pub(super) fn icmp_error(bytes: &[u8]) -> IcmpError {
    match dissect(&frame(LinkType::Ethernet, bytes)) {
        Dissected::Record(Record::IcmpError(error)) => error,
        other @ (Dissected::Record(_) | Dissected::Skipped(_)) => panic!("no ICMP error: {other:?}"),
    }
}

pub(super) fn skipped(frame: &Frame<'_>) -> SkipReason {
    match dissect(frame) {
        Dissected::Skipped(reason) => reason,
        Dissected::Record(record) => panic!("a record: {record:?}"),
    }
}
