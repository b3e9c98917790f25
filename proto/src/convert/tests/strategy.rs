//! Arbitrary values, and samples with a pattern.

use crate::convert::{Loss, LossSource, Sidecar};
use crate::*;
use core::num::NonZeroU16;
use proptest::option;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

fn address() -> impl Strategy<Value = IpAddr> {
    // Few of them, so that flows meet again, in both directions.
    prop_oneof![
        (0u8..3).prop_map(|host| IpAddr::from([10, 0, 0, host])),
        (0u8..3).prop_map(|host| IpAddr::from([0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host])),
        any::<IpAddr>(),
    ]
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (address(), prop_oneof![Just(443u16), Just(5000), any::<u16>()])
        .prop_map(|(addr, port)| Endpoint { addr, port })
}

fn tuple() -> impl Strategy<Value = FourTuple> {
    (endpoint(), endpoint()).prop_map(|(src, dst)| FourTuple { src, dst })
}

fn heard() -> impl Strategy<Value = Heard> {
    prop_oneof![Just(Heard::Unknown), Just(Heard::Out), Just(Heard::In)]
}

fn stamp() -> impl Strategy<Value = Timestamp<Local>> {
    any::<i64>().prop_map(Timestamp::from_ns)
}

fn options() -> impl Strategy<Value = TcpOptions> {
    let blocks = prop::collection::vec((any::<u32>(), any::<u32>()), 0..=4);
    (
        any::<Option<u16>>(),
        any::<Option<u8>>(),
        any::<bool>(),
        any::<Option<(u32, u32)>>(),
        blocks,
        any::<u32>(),
    )
        .prop_map(|(mss, window_scale, sack_permitted, timestamps, blocks, layout)| {
            let mut sack = SackBlocks::default();
            for (left, right) in blocks {
                sack.push(SeqNum(left), SeqNum(right));
            }
            TcpOptions { mss, window_scale, sack_permitted, timestamps, sack, layout }
        })
}

fn ip() -> impl Strategy<Value = IpFields> {
    (any::<Option<u16>>(), any::<u8>(), any::<u8>(), any::<bool>(), any::<u32>(), any::<u32>()).prop_map(
        |(id, ttl, tos, dont_fragment, len, flow_label)| IpFields {
            id,
            ttl,
            tos,
            dont_fragment,
            len,
            flow_label,
        },
    )
}

fn segment() -> impl Strategy<Value = Record> {
    let head = (any::<u64>(), stamp(), heard(), any::<u16>(), tuple());
    let body =
        (any::<u32>(), any::<u32>(), any::<u16>(), any::<u16>(), prop_oneof![Just(0u32), any::<u32>()]);
    let tail =
        (option::of(1u16..), option::of(prop_oneof![Just(0u16), any::<u16>()]), any::<bool>(), any::<bool>());
    (head, body, tail, ip(), options()).prop_map(|(head, body, tail, ip, options)| {
        Record::Segment(Segment {
            packet: head.0,
            at: head.1,
            heard: head.2,
            interface: head.3,
            tuple: head.4,
            seq: SeqNum(body.0),
            ack: SeqNum(body.1),
            flags: TcpFlags(body.2),
            window: body.3,
            payload_len: body.4,
            gso_size: tail.0.and_then(NonZeroU16::new),
            ip,
            options,
            payload_sum: tail.1,
            first_fragment: tail.2,
            header_truncated: tail.3,
        })
    })
}

fn icmp_error() -> impl Strategy<Value = Record> {
    let kind = prop_oneof![
        any::<u32>().prop_map(|mtu| IcmpKind::TooBig { mtu }),
        Just(IcmpKind::PortUnreachable),
        Just(IcmpKind::Prohibited),
        Just(IcmpKind::Unreachable),
        Just(IcmpKind::TimeExceeded),
        Just(IcmpKind::Other),
    ];
    let head = (any::<u64>(), stamp(), heard(), any::<u16>(), address(), address());
    let body = (kind, any::<u8>(), any::<u8>(), tuple());
    let quoted = (any::<u32>(), any::<Option<u16>>(), any::<u32>(), any::<u8>());
    (head, body, quoted).prop_map(|(head, body, quoted)| {
        Record::IcmpError(IcmpError {
            packet: head.0,
            at: head.1,
            heard: head.2,
            interface: head.3,
            from: head.4,
            to: head.5,
            kind: body.0,
            icmp_type: body.1,
            icmp_code: body.2,
            quoted: body.3,
            quoted_seq: SeqNum(quoted.0),
            quoted_ip_id: quoted.1,
            quoted_ip_len: quoted.2,
            ttl: quoted.3,
        })
    })
}

pub(super) fn record() -> impl Strategy<Value = Record> {
    prop_oneof![9 => segment(), 1 => icmp_error()]
}

fn interval() -> impl Strategy<Value = Coverage> {
    (stamp(), stamp()).prop_map(|(a, b)| Coverage { from: a.min(b), to: a.max(b) })
}

fn counts() -> impl Strategy<Value = std::collections::BTreeMap<String, u64>> {
    prop::collection::btree_map("[a-z0-9:_ ]{0,12}", any::<u64>(), 0..5)
}

pub(super) fn sidecar() -> impl Strategy<Value = Sidecar> {
    let loss = (any::<bool>(), any::<u64>(), interval()).prop_map(|(kernel, count, interval)| Loss {
        source: if kernel { LossSource::Kernel } else { LossSource::Agent },
        count,
        first_at: interval.from,
        last_at: interval.to,
    });
    let sample = (any::<i64>(), stamp(), any::<u32>(), any::<bool>()).prop_map(
        |(raw_ns, realtime, width_ns, stepped)| ClockSample { raw_ns, realtime, width_ns, stepped },
    );
    let counters = (any::<i64>(), counts()).prop_map(|(at_ns, deltas)| HostCounters { at_ns, deltas });
    let many = 0..4;
    (
        (option::of(stamp()), any::<Option<i64>>()),
        prop::collection::vec(loss, many.clone()),
        prop::collection::vec(sample, many.clone()),
        prop::collection::vec(counters, many),
    )
        .prop_map(|((watermark, watermark_raw_ns), losses, clock_samples, host_counters)| Sidecar {
            watermark,
            watermark_raw_ns,
            losses,
            clock_samples,
            host_counters,
        })
}

pub(super) fn stats() -> impl Strategy<Value = PointStats> {
    let numbers =
        (any::<[u64; 5]>(), counts(), any::<Option<u64>>(), option::of(stamp()), option::of(stamp()));
    let lists = (
        prop::collection::vec(any::<i64>(), 0..10),
        prop::collection::vec(address(), 0..5),
        prop::collection::vec(interval(), 0..5),
        option::of("[a-z ]{0,20}"),
    );
    (numbers, lists).prop_map(|(numbers, (mut edges, addresses_seen, drop_windows, ended_early))| {
        edges.sort_unstable();
        let [frames, bytes, dropped_by_kernel, dropped_by_agent, truncated] = numbers.0;
        PointStats {
            frames,
            bytes,
            dropped_by_kernel,
            dropped_by_agent,
            truncated,
            skipped: numbers.1,
            interface_frames: numbers.2,
            first_at: numbers.3,
            last_at: numbers.4,
            coverage: edges
                .chunks_exact(2)
                .map(|pair| Coverage { from: Timestamp::from_ns(pair[0]), to: Timestamp::from_ns(pair[1]) })
                .collect(),
            addresses_seen,
            drop_windows,
            ended_early,
        }
    })
}

fn interface() -> impl Strategy<Value = Interface> {
    let offloads = any::<[bool; 4]>().prop_map(|[tso, gso, gro, lro]| Offloads { tso, gso, gro, lro });
    (
        "[a-z0-9]{0,15}",
        any::<u32>(),
        prop::collection::vec(address(), 0..4),
        any::<u32>(),
        option::of(offloads),
        any::<bool>(),
    )
        .prop_map(|(name, index, addresses, mtu, offloads, captured)| Interface {
            name,
            index,
            addresses,
            mtu,
            offloads,
            captured,
        })
}

pub(super) fn capture_point() -> impl Strategy<Value = CapturePoint> {
    let role = prop_oneof![Just(Role::Client), Just(Role::Via), Just(Role::Server)];
    let kind = prop_oneof![
        any::<bool>().prop_map(|all_interfaces| CaptureKind::Live { all_interfaces }),
        Just(CaptureKind::File)
    ];
    (
        any::<u16>(),
        role,
        ".{0,20}",
        kind,
        prop::collection::vec(interface(), 0..4),
        "[A-Z0-9_]{0,10}",
        any::<bool>(),
    )
        .prop_map(|(id, role, host, kind, interfaces, link_type, vouched)| CapturePoint {
            id: CapturePointId(id),
            role,
            host,
            kind,
            interfaces,
            link_type,
            vouched,
        })
}

/// Packets that use every column: data with a sum and timestamps, ACKs with SACK blocks, gaps in the numbers.
pub(super) fn sample(count: usize) -> Vec<Record> {
    let mut records = bulk(count);
    for (place, record) in records.iter_mut().enumerate() {
        let Record::Segment(segment) = record else { continue };
        segment.packet += u64::try_from(place / 5).unwrap();
        if segment.payload_len == 0 {
            segment.options.sack.push(segment.ack.add(1448), segment.ack.add(2896));
        }
    }
    records
}

/// A bulk transfer with timestamps: two data packets, then an ACK.
pub(super) fn bulk(count: usize) -> Vec<Record> {
    let tuple = FourTuple {
        src: Endpoint { addr: Ipv4Addr::new(10, 0, 0, 1).into(), port: 45000 },
        dst: Endpoint { addr: Ipv4Addr::new(10, 0, 0, 2).into(), port: 443 },
    };
    let mut sent = 0x8000_0000u32;
    (0..u32::try_from(count).unwrap())
        .map(|place| {
            let data = place % 3 != 2;
            let payload_len = if data { 1448 } else { 0 };
            let (seq, ack) = if data { (sent, 77) } else { (77, sent) };
            sent = sent.wrapping_add(payload_len);
            Record::Segment(Segment {
                packet: u64::from(place) + 1,
                at: Timestamp::from_ns(1_700_000_000_000_000_000 + i64::from(place) * 12_345),
                heard: if data { Heard::Out } else { Heard::In },
                interface: 0,
                tuple: if data { tuple } else { tuple.reversed() },
                seq: SeqNum(seq),
                ack: SeqNum(ack),
                flags: TcpFlags::ACK,
                window: 502,
                payload_len,
                gso_size: None,
                ip: IpFields {
                    id: Some(u16::try_from(place & 0xFFFF).unwrap()),
                    ttl: 64,
                    tos: 0,
                    dont_fragment: true,
                    len: payload_len + 52,
                    flow_label: 0,
                },
                options: TcpOptions {
                    timestamps: Some((1_000_000 + place / 80, 2_000_000 + place / 80)),
                    layout: 0x1234_5678,
                    ..TcpOptions::default()
                },
                payload_sum: Some(if data {
                    u16::try_from(place.wrapping_mul(40503) & 0xFFFF).unwrap()
                } else {
                    0
                }),
                first_fragment: false,
                header_truncated: false,
            })
        })
        .collect()
}
