//! What holds for any octets: dissection ends without a panic, the short way and the long way agree, and both
//! agree with etherparse.

use super::super::walk::long_way;
use super::{ethernet, frame, ipv4_tcp, ipv6_tcp};
use crate::capture::{Frame, LinkType};
use crate::dissect::{Dissected, dissect};
use correlate_proto::{Record, Segment};
use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const LINKS: [LinkType; 8] = [
    LinkType::Null,
    LinkType::Ethernet,
    LinkType::Ppp,
    LinkType::RawIp,
    LinkType::Loop,
    LinkType::LinuxSll,
    LinkType::LinuxSll2,
    LinkType::Other(127),
];

/// A good frame, with some octets changed and a cut.
fn mutated() -> impl Strategy<Value = (Vec<u8>, u32)> {
    let good = select(vec![ethernet(0x0800, &ipv4_tcp(b"hello")), ethernet(0x86DD, &ipv6_tcp(b"hello"))]);
    let changes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..4);
    (good, changes, any::<Index>(), 0u32..3_000).prop_map(|(mut bytes, changes, cut, more)| {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let cut = cut.index(bytes.len() * 2);
        bytes.truncate(cut);
        let wire_len = u32::try_from(bytes.len()).unwrap() + more;
        (bytes, wire_len)
    })
}

/// What etherparse's slicing says of the same frame, for the fields that it has.
fn expect_etherparse_agrees(bytes: &[u8], ours: &Segment) {
    let Ok(sliced) = LaxSlicedPacket::from_ethernet(bytes) else { return };
    let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else { return };
    assert_eq!(ours.tuple.src.port, tcp.source_port());
    assert_eq!(ours.tuple.dst.port, tcp.destination_port());
    assert_eq!(ours.seq.0, tcp.sequence_number());
    assert_eq!(ours.ack.0, tcp.acknowledgment_number());
    assert_eq!(ours.window, tcp.window_size());
    let Some(LaxNetSlice::Ipv4(ip)) = &sliced.net else { return };
    let header = ip.header();
    assert_eq!(ours.ip.id, Some(header.identification()));
    assert_eq!((ours.ip.ttl, ours.ip.dont_fragment), (header.ttl(), header.dont_fragment()));
    if header.total_len() > 0 {
        let around = u32::from(header.ihl()) * 4 + u32::from(tcp.data_offset()) * 4;
        assert_eq!(ours.payload_len, u32::from(header.total_len()) - around);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_octets_end(link in select(LINKS.to_vec()), bytes in prop::collection::vec(any::<u8>(), 0..200), wire_len: u32) {
        let _ = dissect(&Frame { wire_len, ..frame(link, &bytes) });
    }

    #[test]
    fn the_short_way_gives_what_the_long_way_gives((bytes, wire_len) in mutated()) {
        let frame = Frame { wire_len, ..frame(LinkType::Ethernet, &bytes) };
        prop_assert_eq!(dissect(&frame), long_way(&frame));
    }

    #[test]
    fn etherparse_agrees((bytes, wire_len) in mutated()) {
        let frame = Frame { wire_len, ..frame(LinkType::Ethernet, &bytes) };
        if let Dissected::Record(Record::Segment(segment)) = dissect(&frame) {
            expect_etherparse_agrees(&bytes, &segment);
        }
    }
}
