//! Lengths: padding, snaplen, offloaded packets, lies; and the sum of the payload.

use super::{SEQ, ethernet, frame, ipv4_tcp, ipv6_tcp, segment, skipped};
use crate::capture::{Frame, LinkType};
use crate::dissect::SkipReason;
use core::num::NonZeroU16;
use correlate_proto::SeqNum;

fn sum(payload: &[u8]) -> Option<u16> {
    let words = payload.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)));
    u16::try_from(words.sum::<u64>() % 0xFFFF).ok()
}

#[test]
fn all_fields_of_a_segment_are_read() {
    let bytes = ethernet(0x0800, &ipv4_tcp(b"hello"));
    let found = segment(&frame(LinkType::Ethernet, &bytes));
    assert_eq!(found.tuple.src.to_string(), "10.0.1.2:40000");
    assert_eq!(found.tuple.dst.to_string(), "10.0.4.12:5432");
    assert_eq!((found.seq, found.ack, found.flags.0, found.window), (SeqNum(SEQ), SeqNum(77), 0x18, 500));
    assert_eq!((found.ip.ttl, found.ip.len, found.ip.dont_fragment, found.ip.id), (64, 57, true, Some(0)));
    assert_eq!(found.options.timestamps, Some((11, 22)));
    assert_eq!((found.payload_len, found.header_truncated, found.packet), (5, false, 7));
    assert_eq!(found.payload_sum, sum(b"hello"));
}

#[test]
fn padding_of_short_frames_is_no_payload() {
    for (ether_type, packet) in [(0x0800, ipv4_tcp(b"")), (0x86DD, ipv6_tcp(b""))] {
        let mut bytes = ethernet(ether_type, &packet);
        bytes.extend([0xEE; 20]);
        let found = segment(&frame(LinkType::Ethernet, &bytes));
        assert_eq!((found.payload_len, found.payload_sum), (0, Some(0)));
    }
}

#[test]
fn a_snaplen_changes_no_length() {
    let payload = [0x5A; 1_400];
    for (ether_type, packet, headers) in [(0x0800, ipv4_tcp(&payload), 66), (0x86DD, ipv6_tcp(&payload), 74)]
    {
        let bytes = ethernet(ether_type, &packet);
        let whole = segment(&frame(LinkType::Ethernet, &bytes));
        assert_eq!((whole.payload_len, whole.payload_sum), (1_400, sum(&payload)));
        let wire = frame(LinkType::Ethernet, &bytes);
        for snaplen in headers..bytes.len() {
            assert_eq!(segment(&Frame { bytes: &bytes[..snaplen], ..wire }), whole);
        }
    }
}

#[test]
fn a_cut_in_the_header_keeps_what_stands_before_it() {
    let bytes = ethernet(0x0800, &ipv4_tcp(b"hello"));
    let wire = frame(LinkType::Ethernet, &bytes);
    for snaplen in 0..66 {
        let cut = Frame { bytes: &bytes[..snaplen], ..wire };
        if snaplen < 50 {
            assert_eq!(skipped(&cut), SkipReason::Truncated, "{snaplen}");
            continue;
        }
        let found = segment(&cut);
        assert_eq!((found.payload_len, found.window, found.seq), (5, 500, SeqNum(SEQ)));
        assert_eq!((found.header_truncated, found.payload_sum, found.options.timestamps), (true, None, None));
    }
}

#[test]
fn a_packet_without_a_length_has_that_of_its_frame() {
    let payload = [0x5A; 9_000];
    for (ether_type, mut packet, at) in [(0x0800, ipv4_tcp(&payload), 2), (0x86DD, ipv6_tcp(&payload), 4)] {
        packet[at..at + 2].fill(0);
        let bytes = ethernet(ether_type, &packet);
        let found = segment(&Frame { bytes: &bytes[..96], ..frame(LinkType::Ethernet, &bytes) });
        assert_eq!((found.payload_len, found.payload_sum), (9_000, None));
        assert_eq!(found.ip.len, u32::try_from(packet.len()).unwrap());
    }
}

#[test]
fn a_stated_length_beyond_the_frame_is_believed() {
    let mut packet = ipv4_tcp(b"hello");
    packet[2..4].copy_from_slice(&1_500u16.to_be_bytes());
    let bytes = ethernet(0x0800, &packet);
    assert_eq!(segment(&frame(LinkType::Ethernet, &bytes)).payload_len, 1_500 - 52);
}

#[test]
fn headers_that_contradict_themselves_are_malformed() {
    let good = ipv4_tcp(b"");
    let broken = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[at] = value;
        skipped(&frame(LinkType::RawIp, &packet))
    };
    assert_eq!(broken(0, 0x44), SkipReason::Malformed, "IP header of 16 octets");
    assert_eq!(broken(3, 10), SkipReason::Malformed, "total length below the header's");
    assert_eq!(broken(3, 30), SkipReason::Malformed, "no room for a TCP header");
    assert_eq!(broken(32, 0x40), SkipReason::Malformed, "TCP header of 16 octets");
    assert_eq!(broken(32, 0xF0), SkipReason::Malformed, "TCP header longer than the packet");
}

#[test]
fn an_unfinished_checksum_gives_no_sum() {
    let bytes = ethernet(0x0800, &ipv4_tcp(b"hello"));
    let whole = frame(LinkType::Ethernet, &bytes);
    assert!(segment(&whole).payload_sum.is_some());
    assert_eq!(segment(&Frame { checksum_partial: true, ..whole }).payload_sum, None);
    assert_eq!(segment(&Frame { gso_size: NonZeroU16::new(1_448), ..whole }).payload_sum, None);
    // The pseudo-header's sum in the checksum's place, as a sending Linux host leaves it to its hardware.
    let mut left = bytes.clone();
    let addresses: u32 =
        left[26..34].as_chunks::<2>().0.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).sum();
    let pseudo = addresses + 6 + 37;
    let folded = u16::try_from((pseudo & 0xFFFF) + (pseudo >> 16)).unwrap();
    left[50..52].copy_from_slice(&folded.to_be_bytes());
    assert_eq!(segment(&frame(LinkType::Ethernet, &left)).payload_sum, None);
    // A wrong checksum on an empty segment.
    let mut empty = ethernet(0x0800, &ipv4_tcp(b""));
    empty[51] ^= 1;
    assert_eq!(segment(&frame(LinkType::Ethernet, &empty)).payload_sum, None);
}
