//! Every link type, tag and tunnel gives the same segment as the bare packet.

use super::{SEQ, ethernet, frame, ipv4_around, ipv4_tcp, ipv6_tcp, segment, skipped};
use crate::capture::LinkType;
use crate::dissect::SkipReason;
use correlate_proto::Segment;

/// The fields that what is around the packet must not change.
fn expect_same(link: LinkType, bytes: &[u8], packet: &[u8]) {
    let bare = segment(&frame(LinkType::RawIp, packet));
    assert_eq!(segment(&frame(link, bytes)), bare, "{link:?}");
    assert_eq!((bare.seq.0, bare.payload_len, bare.tuple.dst.port), (SEQ, 5, 5_432));
}

fn udp(port: u16, rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + rest.len()).unwrap().to_be_bytes();
    let port = port.to_be_bytes();
    ipv4_around(17, &[&[0x12, 0x34, port[0], port[1], len[0], len[1], 0, 0][..], rest].concat())
}

fn both() -> [(u16, Vec<u8>); 2] {
    [(0x0800, ipv4_tcp(b"hello")), (0x86DD, ipv6_tcp(b"hello"))]
}

#[test]
fn every_link_type_is_taken_off() {
    for (ether_type, packet) in both() {
        let [high, low] = ether_type.to_be_bytes();
        expect_same(LinkType::Ethernet, &ethernet(ether_type, &packet), &packet);
        let sll = [&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, high, low][..], &packet].concat();
        expect_same(LinkType::LinuxSll, &sll, &packet);
        let sll2 = [&[high, low, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..], &packet].concat();
        expect_same(LinkType::LinuxSll2, &sll2, &packet);
        let family = if ether_type == 0x0800 { 2 } else { 30 };
        expect_same(LinkType::Null, &[&[family, 0, 0, 0][..], &packet].concat(), &packet);
        expect_same(LinkType::Loop, &[&[0, 0, 0, family][..], &packet].concat(), &packet);
        let protocol = if ether_type == 0x0800 { 0x21 } else { 0x57 };
        expect_same(LinkType::Ppp, &[&[0xFF, 0x03, 0, protocol][..], &packet].concat(), &packet);
        expect_same(LinkType::Ppp, &[&[protocol][..], &packet].concat(), &packet);
    }
}

#[test]
fn every_tag_is_taken_off() {
    for (ether_type, packet) in both() {
        let [high, low] = ether_type.to_be_bytes();
        let vlan = [&[0, 42, high, low][..], &packet].concat();
        expect_same(LinkType::Ethernet, &ethernet(0x8100, &vlan), &packet);
        for outer in [0x88A8, 0x9100, 0x8100] {
            let tagged = [&[0, 7, 0x81, 0x00][..], &vlan].concat();
            expect_same(LinkType::Ethernet, &ethernet(outer, &tagged), &packet);
        }
        let labels = [&[0, 1, 0x40, 64, 0, 2, 0x41, 64][..], &packet].concat();
        expect_same(LinkType::Ethernet, &ethernet(0x8847, &labels), &packet);
        let pseudowire = [&[0, 1, 0x41, 64, 0, 0, 0, 0][..], &ethernet(ether_type, &packet)].concat();
        expect_same(LinkType::Ethernet, &ethernet(0x8847, &pseudowire), &packet);
        let protocol = if ether_type == 0x0800 { 0x21 } else { 0x57 };
        let pppoe = [&[0x11, 0, 0, 1, 0, 99, 0, protocol][..], &packet].concat();
        expect_same(LinkType::Ethernet, &ethernet(0x8864, &pppoe), &packet);
        let snap = [&[0xAA, 0xAA, 3, 0, 0, 0, high, low][..], &packet].concat();
        expect_same(LinkType::Ethernet, &ethernet(100, &snap), &packet);
    }
}

#[test]
fn every_tunnel_is_taken_off() {
    for (ether_type, packet) in both() {
        let [high, low] = ether_type.to_be_bytes();
        let inner = ethernet(ether_type, &packet);
        for port in [4_789, 8_472] {
            let vxlan = udp(port, &[&[8, 0, 0, 0, 0, 0, 1, 0][..], &inner].concat());
            expect_same(LinkType::RawIp, &vxlan, &packet);
        }
        let geneve = [&[1, 0, 0x65, 0x58, 0, 0, 1, 0, 9, 9, 9, 9][..], &inner].concat();
        expect_same(LinkType::RawIp, &udp(6_081, &geneve), &packet);
        let gre = [&[0, 0, high, low][..], &packet].concat();
        expect_same(LinkType::RawIp, &ipv4_around(47, &gre), &packet);
        let full = [&[0xB0, 0, high, low, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3][..], &packet].concat();
        expect_same(LinkType::RawIp, &ipv4_around(47, &full), &packet);
        let erspan = [&[0x10, 0, 0x88, 0xBE, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0][..], &inner].concat();
        expect_same(LinkType::RawIp, &ipv4_around(47, &erspan), &packet);
        let number = if ether_type == 0x0800 { 4 } else { 41 };
        expect_same(LinkType::RawIp, &ipv4_around(number, &packet), &packet);
        let mut outer = vec![0x60, 0, 0, 0, 0, 0, number, 64];
        outer[4..6].copy_from_slice(&u16::try_from(packet.len()).unwrap().to_be_bytes());
        outer.extend([3; 32]);
        outer.extend(&packet);
        expect_same(LinkType::RawIp, &outer, &packet);
    }
}

/// Puts extension headers between an IPv6 header and what it carries.
fn with_extensions(packet: &[u8], first: u8, extensions: &[u8]) -> Vec<u8> {
    let mut bytes = [&packet[..40], extensions, &packet[40..]].concat();
    let len = u16::try_from(bytes.len() - 40).unwrap();
    bytes[4..6].copy_from_slice(&len.to_be_bytes());
    bytes[6] = first;
    bytes
}

#[test]
fn extension_headers_are_taken_off() {
    let packet = ipv6_tcp(b"hello");
    let bare = segment(&frame(LinkType::RawIp, &packet));
    // Hop-by-hop, destination options, routing, atomic fragment, authentication, then TCP.
    let mut chain = vec![60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0];
    chain.extend([51, 0, 0, 0, 0, 0, 0, 1]);
    chain.extend([6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]);
    let bytes = with_extensions(&packet, 0, &chain);
    let found = segment(&frame(LinkType::RawIp, &bytes));
    assert_eq!(Segment { ip: bare.ip, ..found }, bare);
    assert_eq!(found.ip.len, u32::try_from(bytes.len()).unwrap());
}

#[test]
fn only_the_first_fragment_has_a_segment() {
    let packet = ipv6_tcp(b"hello");
    let first = with_extensions(&packet, 44, &[6, 0, 0, 1, 0, 0, 0, 1]);
    let found = segment(&frame(LinkType::RawIp, &first));
    assert!(found.first_fragment);
    assert_eq!((found.payload_len, found.payload_sum), (5, None));
    let later = with_extensions(&packet, 44, &[6, 0, 0, 9, 0, 0, 0, 1]);
    assert_eq!(skipped(&frame(LinkType::RawIp, &later)), SkipReason::Fragment);

    let mut packet = ipv4_tcp(b"hello");
    packet[6] = 0x20;
    let found = segment(&frame(LinkType::RawIp, &packet));
    assert!(found.first_fragment);
    assert_eq!((found.payload_len, found.payload_sum), (5, None));
    packet[7] = 5;
    assert_eq!(skipped(&frame(LinkType::RawIp, &packet)), SkipReason::Fragment);
}

#[test]
fn what_is_no_evidence_says_why() {
    let arp = ethernet(0x0806, &[0; 28]);
    assert_eq!(skipped(&frame(LinkType::Ethernet, &arp)), SkipReason::NotIp);
    let dns = ethernet(0x0800, &udp(53, &[0; 12]));
    assert_eq!(skipped(&frame(LinkType::Ethernet, &dns)), SkipReason::NotTcp);
    let radiotap = LinkType::from_number(127);
    let reason = skipped(&frame(radiotap, &[0; 60]));
    assert_eq!(reason.name(), "link type IEEE802_11_RADIOTAP");
    assert_eq!(skipped(&frame(LinkType::RawIp, &[0x55; 40])), SkipReason::Malformed);
    let endless = ethernet(0x8100, &[0x81, 0x00].repeat(200));
    assert_eq!(skipped(&frame(LinkType::Ethernet, &endless)), SkipReason::TooDeep);
}
