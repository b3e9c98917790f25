//! Errors of ICMP for IPv4 and IPv6.

use super::{CLIENT, SEQ, SERVER, ethernet, frame, icmp_error, ipv4_around, ipv4_tcp, ipv6_tcp, skipped};
use crate::capture::LinkType;
use crate::dissect::SkipReason;
use correlate_proto::IcmpKind;
use std::net::IpAddr;

fn v4(icmp_type: u8, code: u8, word: [u8; 4], quote: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4_around(1, &[&[icmp_type, code, 0, 0][..], &word, quote].concat()))
}

fn v6(icmp_type: u8, code: u8, word: [u8; 4], quote: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + quote.len()).unwrap().to_be_bytes();
    let head = [&[0x60, 0, 0, 0, len[0], len[1], 58, 61][..], &[7; 16], &[1; 16]].concat();
    ethernet(0x86DD, &[&head, &[icmp_type, code, 0, 0][..], &word, quote].concat())
}

#[test]
fn an_error_carries_what_it_quotes() {
    let packet = ipv4_tcp(&[0; 1_000]);
    let found = icmp_error(&v4(3, 4, [0, 0, 0x05, 0x14], &packet[..28]));
    assert_eq!(found.kind, IcmpKind::TooBig { mtu: 1_300 });
    assert_eq!((found.icmp_type, found.icmp_code, found.ttl), (3, 4, 30));
    assert_eq!((found.from.to_string(), found.to.to_string()), ("192.0.2.1".into(), "192.0.2.2".into()));
    assert_eq!((found.quoted.src.addr, found.quoted.src.port), (IpAddr::from(CLIENT), 40_000));
    assert_eq!((found.quoted.dst.addr, found.quoted.dst.port), (IpAddr::from(SERVER), 5_432));
    assert_eq!((found.quoted_seq.0, found.quoted_ip_len, found.quoted_ip_id), (SEQ, 1_052, Some(0)));
}

#[test]
fn kinds_follow_type_and_code() {
    let packet = ipv4_tcp(b"");
    for (icmp_type, code, kind) in [
        (3, 0, IcmpKind::Unreachable),
        (3, 1, IcmpKind::Unreachable),
        (3, 3, IcmpKind::PortUnreachable),
        (3, 13, IcmpKind::Prohibited),
        (11, 0, IcmpKind::TimeExceeded),
        (11, 1, IcmpKind::Other),
        (12, 0, IcmpKind::Other),
    ] {
        assert_eq!(icmp_error(&v4(icmp_type, code, [0; 4], &packet)).kind, kind, "{icmp_type}/{code}");
    }
    let packet = ipv6_tcp(b"");
    for (icmp_type, code, kind) in [
        (1, 0, IcmpKind::Unreachable),
        (1, 1, IcmpKind::Prohibited),
        (1, 4, IcmpKind::PortUnreachable),
        (2, 0, IcmpKind::TooBig { mtu: 1_280 }),
        (3, 0, IcmpKind::TimeExceeded),
        (4, 1, IcmpKind::Other),
    ] {
        let found = icmp_error(&v6(icmp_type, code, [0, 0, 5, 0], &packet));
        assert_eq!((found.kind, found.quoted_ip_id, found.ttl), (kind, None, 61), "{icmp_type}/{code}");
    }
}

#[test]
fn what_quotes_no_tcp_is_skipped() {
    let reason = |bytes: &[u8]| skipped(&frame(LinkType::Ethernet, bytes));
    let packet = ipv4_tcp(b"");
    assert_eq!(reason(&v4(8, 0, [0; 4], &packet)), SkipReason::NotTcp, "an echo request is no error");
    assert_eq!(reason(&v6(128, 0, [0; 4], &packet)), SkipReason::NotTcp);
    assert_eq!(reason(&v4(3, 3, [0; 4], &ipv4_around(17, &[0; 8]))), SkipReason::IcmpQuote);
    assert_eq!(reason(&v4(3, 3, [0; 4], &packet[..27])), SkipReason::IcmpQuote, "too little of it");
    let mut later = packet;
    later[7] = 9;
    assert_eq!(reason(&v4(3, 3, [0; 4], &later)), SkipReason::IcmpQuote, "a fragment without ports");
}
