//! pcapng files.

use super::{LITTLE, ORDERS, Order, Seen, open, read, read_on};
use crate::capture::{FrameSource, LinkType};
use correlate_proto::{Coverage, Heard, Timestamp};
use proptest::prelude::*;

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = [body, &vec![0; body.len().next_multiple_of(4) - body.len()]].concat();
    let len = order.u32(u32::try_from(padded.len() + 12).unwrap());
    [&order.u32(kind)[..], &len, &padded, &len].concat()
}

fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
    let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
    let len = u16::try_from(value.len()).unwrap();
    [&order.u16(code)[..], &order.u16(len), value, &padding].concat()
}

fn section(order: Order) -> Vec<u8> {
    let body = [&order.u32(0x1A2B_3C4D)[..], &order.u16(1), &order.u16(0), &[0xFF; 8]].concat();
    block(order, 0x0A0D_0D0A, &body)
}

fn interface(order: Order, link: u16, snaplen: u32, options: &[Vec<u8>]) -> Vec<u8> {
    let head = [&order.u16(link)[..], &[0, 0], &order.u32(snaplen)].concat();
    block(order, 1, &[head, options.concat()].concat())
}

/// An enhanced packet of six captured and 99 wire octets.
fn packet(order: Order, interface: u32, units: u64, options: &[Vec<u8>]) -> Vec<u8> {
    let (high, low) = (u32::try_from(units >> 32).unwrap(), u32::try_from(units & 0xFFFF_FFFF).unwrap());
    let head = [interface, high, low, 6, 99].map(|number| order.u32(number)).concat();
    block(order, 6, &[&head, &b"abcdef\0\0"[..], &options.concat()].concat())
}

#[test]
fn interfaces_have_their_own_link_resolution_and_offset() {
    for order in ORDERS {
        let mut file = section(order);
        let named = option(order, 2, b"eth0");
        let ipv4 = option(order, 4, &[10, 0, 0, 1, 255, 255, 255, 0]);
        let ipv6 = option(order, 5, &[&[0xFD; 16][..], &[64]].concat());
        let nanoseconds = option(order, 9, &[9]);
        let options = [named, ipv4, ipv6, nanoseconds, option(order, 0, b"")];
        file.extend(interface(order, 1, 0, &options));
        file.extend(interface(
            order,
            276,
            0,
            &[option(order, 2, b"any"), option(order, 14, &order.u64(1_000))],
        ));
        file.extend(interface(order, 101, 0, &[option(order, 9, &[0x94])]));
        file.extend(packet(order, 0, 1_700_000_000_000_000_007, &[option(order, 2, &order.u32(2))]));
        file.extend(packet(order, 1, 2_000_001, &[option(order, 2, &order.u32(1))]));
        file.extend(packet(order, 2, 3 << 19, &[]));
        let (seen, file) = read_on(open(&file).unwrap());
        let brief: Vec<_> = seen
            .iter()
            .map(|each| (each.at_ns, each.link, each.heard, each.interface, each.wire_len))
            .collect();
        assert_eq!(
            brief,
            [
                (1_700_000_000_000_000_007, LinkType::Ethernet, Heard::Out, 0, 99),
                (1_002_000_001_000, LinkType::LinuxSll2, Heard::In, 1, 99),
                (1_500_000_000, LinkType::RawIp, Heard::Unknown, 2, 99),
            ]
        );
        assert_eq!(seen[0].bytes, b"abcdef");
        let interfaces = file.interfaces();
        assert_eq!((interfaces[0].name.as_str(), interfaces[1].name.as_str()), ("eth0", "any"));
        let addresses: Vec<_> = interfaces[0].addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.1", "fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd"]);
        assert_eq!(file.link_type_name(), "EN10MB,LINUX_SLL2,RAW");
    }
}

#[test]
fn statistics_prove_coverage_and_drops() {
    let second = |count: u64| count * 1_000_000;
    let stamp = |units: u64| [LITTLE.u32(0), LITTLE.u32(u32::try_from(units).unwrap())].concat();
    let mut file = [section(LITTLE), interface(LITTLE, 1, 0, &[])].concat();
    file.extend(packet(LITTLE, 0, second(10), &[]));
    file.extend(packet(LITTLE, 0, second(20), &[]));
    let options = [
        option(LITTLE, 2, &stamp(second(5))),
        option(LITTLE, 3, &stamp(second(60))),
        option(LITTLE, 5, &LITTLE.u64(3)),
        option(LITTLE, 7, &LITTLE.u64(4)),
    ];
    let body = [LITTLE.u32(0).to_vec(), stamp(second(60)), options.concat()].concat();
    file.extend(block(LITTLE, 5, &body));
    let (_, stats) = read(&file);
    let whole = Coverage { from: Timestamp::from_ns(5_000_000_000), to: Timestamp::from_ns(60_000_000_000) };
    assert_eq!((stats.coverage, stats.dropped_by_kernel), (vec![whole], 7));
    assert_eq!(stats.last_at.unwrap().as_ns(), 20_000_000_000);
}

#[test]
fn a_packet_tells_how_many_were_lost_before_it() {
    let mut file = [section(LITTLE), interface(LITTLE, 1, 0, &[])].concat();
    file.extend(packet(LITTLE, 0, 1_000_000, &[]));
    file.extend(packet(LITTLE, 0, 3_000_000, &[option(LITTLE, 4, &LITTLE.u64(12))]));
    let (_, stats) = read(&file);
    let window = Coverage { from: Timestamp::from_ns(1_000_000_000), to: Timestamp::from_ns(3_000_000_000) };
    assert_eq!((stats.dropped_by_kernel, stats.drop_windows), (12, vec![window]));
}

#[test]
fn simple_and_obsolete_packets_are_read_and_other_blocks_skipped() {
    let mut file = [section(LITTLE), interface(LITTLE, 1, 4, &[])].concat();
    file.extend(block(LITTLE, 4, &[1, 2, 3, 4]));
    file.extend(block(LITTLE, 3, &[&LITTLE.u32(9)[..], b"abcd"].concat()));
    file.extend(block(LITTLE, 0x0BAD, &vec![7; 3 << 20]));
    let head = [0u32, 0, 5_000_000, 2, 2].map(|number| LITTLE.u32(number)).concat();
    file.extend(block(LITTLE, 2, &[&head, &b"xy"[..]].concat()));
    let (seen, stats) = read(&file);
    let brief: Vec<_> =
        seen.iter().map(|each: &Seen| (each.bytes.as_slice(), each.wire_len, each.at_ns)).collect();
    assert_eq!(brief, [(&b"abcd"[..], 9, 0), (b"xy", 2, 5_000_000_000)]);
    assert_eq!(stats.ended_early, None);
    // A packet without a stamp proves no time.
    assert_eq!(stats.first_at.unwrap().as_ns(), 5_000_000_000);
}

#[test]
fn sections_of_either_byte_order_follow_each_other() {
    let mut file = Vec::new();
    for order in ORDERS {
        file.extend([section(order), interface(order, 1, 0, &[option(order, 2, b"eth0")])].concat());
        file.extend(packet(order, 0, 1_000_000, &[]));
    }
    let (seen, file) = read_on(open(&file).unwrap());
    assert_eq!((seen.len(), seen[1].interface, file.interfaces().len()), (2, 0, 1));
    assert_eq!(seen[0].bytes, seen[1].bytes);
}

#[test]
fn damage_is_named_and_what_stood_before_it_kept() {
    let start = [section(LITTLE), interface(LITTLE, 1, 0, &[]), packet(LITTLE, 0, 1, &[])].concat();
    let good = packet(LITTLE, 0, 2, &[]);
    let damaged = |at: usize, value: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + value.len()].copy_from_slice(value);
        let (seen, stats) = read(&[&start[..], &bad].concat());
        assert_eq!(seen.len(), 1);
        stats.ended_early.unwrap()
    };
    assert!(damaged(4, &[4, 0, 0, 0]).contains("block 4 states an impossible length"));
    assert!(damaged(4, &[0xFF; 4]).contains("larger than 16 MiB"));
    assert!(damaged(good.len() - 4, &[1]).contains("does not repeat its length"));
    assert!(damaged(8, &[9]).contains("interface that was not described"));
    assert!(damaged(20, &[200]).contains("holds less than the packet"));
    for cut in 1..good.len() {
        let (seen, stats) = read(&[&start[..], &good[..cut]].concat());
        assert_eq!(
            (seen.len(), stats.ended_early.as_deref()),
            (1, Some("the file is cut in block 4")),
            "{cut}"
        );
    }
}

#[test]
fn one_interface_too_many_ends_the_file() {
    let mut file = section(LITTLE);
    for _ in 0..=4_096 {
        file.extend(interface(LITTLE, 1, 0, &[]));
    }
    let (seen, stats) = read(&file);
    assert!(seen.is_empty() && stats.ended_early.unwrap().contains("one interface too many"));
}

proptest! {
    #[test]
    fn any_changed_octets_end(changes in prop::collection::vec((0usize..400, any::<u8>()), 1..6)) {
        let mut file = [section(LITTLE), interface(LITTLE, 1, 0, &[option(LITTLE, 9, &[9])])].concat();
        for number in 0..8 {
            file.extend(packet(LITTLE, 0, number, &[option(LITTLE, 2, &LITTLE.u32(1))]));
        }
        for (at, value) in changes {
            let len = file.len();
            file[at % len] = value;
        }
        if let Ok(file) = open(&file) {
            read_on(file);
        }
    }
}
