//! Records that make no sense, in any order: a report all the same, soon, and without accusing anyone of an error
//! that invented packets cannot show.

use super::judge::{Judge, id};
use super::rng::Rng;
use super::sim::Sim;
use super::talk::{C2S, Talk};
use core::num::NonZeroU16;
use correlate_engine::{Config, Correlator, Feed};
use correlate_proto::report::Code;
use correlate_proto::{
    CapturePointId, Endpoint, FourTuple, Heard, IcmpError, IcmpKind, IpFields, Record, SackBlocks, Segment,
    SeqNum, Span, TcpFlags, TcpOptions, Timestamp,
};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn tuple(rng: &mut Rng) -> FourTuple {
    let mut end = || {
        let octet = u8::try_from(rng.below(3)).unwrap();
        let addr = if rng.chance(300) {
            IpAddr::V6(Ipv6Addr::from(u128::from(octet)))
        } else {
            IpAddr::V4(Ipv4Addr::new(10, 0, 0, octet))
        };
        Endpoint { addr, port: u16::try_from(rng.below(4)).unwrap() }
    };
    FourTuple { src: end(), dst: end() }
}

/// Numbers that lie at the borders, near each other, or anywhere.
fn number(rng: &mut Rng) -> u32 {
    match rng.below(4) {
        0 => u32::try_from(rng.below(5000)).unwrap(),
        1 => 0u32.wrapping_sub(u32::try_from(rng.below(5000)).unwrap()),
        2 => 1 << 31,
        _ => rng.bits32(),
    }
}

fn stamp(rng: &mut Rng) -> Timestamp<correlate_proto::Local> {
    Timestamp::from_ns(match rng.below(20) {
        0 => rng.upto(1 << 60),
        1 => -rng.upto(1 << 60),
        _ => 1_700_000_000_000_000_000 + rng.upto(10_000_000_000),
    })
}

fn segment(rng: &mut Rng) -> Segment {
    let mut sack = SackBlocks::default();
    for _ in 0..rng.below(5) {
        sack.push(SeqNum(number(rng)), SeqNum(number(rng)));
    }
    let payload_len = match rng.below(4) {
        0 => 0,
        1 => rng.bits32() >> 12,
        _ => u32::try_from(rng.below(3000)).unwrap(),
    };
    Segment {
        packet: rng.next(),
        at: stamp(rng),
        heard: [Heard::Unknown, Heard::Out, Heard::In][usize::try_from(rng.below(3)).unwrap()],
        interface: rng.bits16(),
        tuple: tuple(rng),
        seq: SeqNum(number(rng)),
        ack: SeqNum(number(rng)),
        flags: TcpFlags(if rng.chance(500) { rng.bits16() & 0xfff } else { 0x10 }),
        window: rng.bits16(),
        payload_len,
        gso_size: NonZeroU16::new(rng.bits16() | 512).filter(|_| rng.chance(300)),
        ip: IpFields {
            id: rng.chance(700).then(|| rng.bits16() & 0xf),
            ttl: u8::try_from(rng.below(256)).unwrap(),
            tos: 0,
            dont_fragment: rng.chance(500),
            len: rng.bits32(),
            flow_label: 0,
        },
        options: TcpOptions {
            mss: rng.chance(200).then(|| rng.bits16()),
            window_scale: rng.chance(200).then_some(14),
            sack_permitted: rng.chance(500),
            timestamps: rng.chance(500).then(|| (number(rng), number(rng))),
            sack,
            layout: rng.bits32(),
        },
        payload_sum: None,
        first_fragment: rng.chance(50),
        header_truncated: rng.chance(50),
    }
}

fn record(rng: &mut Rng) -> Record {
    if !rng.chance(50) {
        return Record::Segment(segment(rng));
    }
    let kinds = [
        IcmpKind::TooBig { mtu: number(rng) },
        IcmpKind::PortUnreachable,
        IcmpKind::Prohibited,
        IcmpKind::Unreachable,
        IcmpKind::TimeExceeded,
        IcmpKind::Other,
    ];
    let quoted = tuple(rng);
    Record::IcmpError(IcmpError {
        packet: rng.next(),
        at: stamp(rng),
        heard: Heard::Unknown,
        interface: 0,
        from: quoted.dst.addr,
        to: quoted.src.addr,
        kind: kinds[usize::try_from(rng.below(6)).unwrap()],
        icmp_type: 3,
        icmp_code: 1,
        quoted,
        quoted_seq: SeqNum(number(rng)),
        quoted_ip_id: None,
        quoted_ip_len: rng.bits32(),
        ttl: 1,
    })
}

fn correlator() -> Correlator {
    let judge = Judge::default();
    let config = Config { announce: true, trace_fates: true, ..Config::default() };
    Correlator::new(config, vec![judge.point(0), judge.point(1)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_records_in_any_order_give_a_report(seed: u64, count in 1usize..400) {
        let mut rng = Rng::new(seed);
        let mut feed = Feed::new(correlator(), vec![Span(0), Span(rng.upto(1 << 40))]);
        for _ in 0..count {
            let end = usize::from(rng.chance(500));
            let mut batch: Vec<Record> = (0..rng.below(6)).map(|_| record(&mut rng)).collect();
            feed.push_batch(id(end), &mut batch);
            if rng.chance(100) {
                feed.advance(id(end), stamp(&mut rng));
            }
        }
        let report = feed.into_correlator().finish();
        prop_assert!(report.findings.len() < 100);
    }

    #[test]
    fn the_same_garbage_seen_at_both_ends_loses_nothing(seed: u64, count in 1usize..300) {
        let mut rng = Rng::new(seed);
        let mut correlator = correlator();
        for number in 0..count {
            let mut one = segment(&mut rng);
            let at = 1_700_000_000_000_000_000 + i64::try_from(number).unwrap() * 1_000_000;
            one.at = Timestamp::from_ns(at);
            one.packet = u64::try_from(number).unwrap() + 1;
            one.first_fragment = false;
            correlator.push(CapturePointId(0), &Record::Segment(one));
            one.at = Timestamp::from_ns(at + 100_000);
            correlator.push(CapturePointId(1), &Record::Segment(one));
        }
        let report = correlator.finish();
        // Numbers are drawn from few: now and then two strangers look like one connection whose addresses a device
        // translates, and then each lacks what the other has.
        prop_assume!(!report.findings.iter().any(|finding| finding.code == Code::AddressTranslated));
        let lost: u64 = report.paths.iter().map(|path| path.segments_lost).sum();
        prop_assert_eq!(lost, 0, "{:#?}", report.findings);
    }
}

fn stamped(at: i64) -> Record {
    let mut sim = Sim::new(1);
    let mut talk = Talk::new(&mut sim, 1, 0);
    Record::Segment(Segment { at: Timestamp::from_ns(at), ..talk.packet(C2S, TcpFlags::SYN, 0, 0) })
}

#[test]
fn stamps_at_the_end_of_time_do_not_hang_the_feed() {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut feed = Feed::new(correlator(), vec![Span(0); 2]);
        for end in 0..2 {
            feed.push_batch(id(end), &mut vec![stamped(i64::MAX)]);
        }
        let _ = done.send(feed.into_correlator().finish());
    });
    assert!(wait.recv_timeout(std::time::Duration::from_secs(60)).is_ok());
}
