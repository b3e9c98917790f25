//! A healthy path accuses nobody, however it is captured, cut, shifted and handed over.

use super::judge::Judge;
use super::sim::{MS, Offload, SEC, Sim};
use super::talk::{C2S, S2C, Talk};
use correlate_proto::report::Status;
use correlate_proto::{Direction, Segment};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

const YEAR: i64 = 365 * 86_400 * SEC;

/// Some connections of different shapes on one path, one after the other and overlapping.
pub(super) fn traffic(sim: &mut Sim, connections: u16, segments: u32) -> i64 {
    let mut end = 0;
    for number in 0..connections {
        let mut talk = Talk::new(sim, 40_000 + number, i64::from(number) * 70 * MS);
        if number % 3 == 1 {
            talk = talk.over_v6();
        }
        if number % 4 == 2 {
            talk = talk.without_stamps();
        }
        if number % 5 == 3 {
            talk = talk.opened_by(S2C);
        }
        talk.whole(sim, segments / 4, segments);
        end = end.max(talk.now);
    }
    end + 2 * SEC
}

fn offload() -> impl Strategy<Value = Offload> {
    prop_oneof![
        Just(Offload::None),
        (2u32..44).prop_map(Offload::Known),
        (2u32..44).prop_map(Offload::Unknown)
    ]
}

fn renumber(segment: &mut Segment, direction: Direction) {
    let translate = |addr: &mut IpAddr, to: [u8; 4]| {
        if addr.is_ipv4() {
            *addr = IpAddr::V4(Ipv4Addr::from(to));
        }
    };
    let (client, server) = match direction {
        Direction::ClientToServer => (&mut segment.tuple.src, &mut segment.tuple.dst),
        Direction::ServerToClient => (&mut segment.tuple.dst, &mut segment.tuple.src),
    };
    translate(&mut client.addr, [192, 0, 2, 7]);
    translate(&mut server.addr, [172, 16, 0, 9]);
}

#[test]
fn a_clean_session_is_clean_and_every_segment_is_matched() {
    let mut sim = Sim::new(1);
    let end = traffic(&mut sim, 12, 60);
    let judged = Judge::until(end).of(sim);
    judged.accuses_nobody();
    assert_eq!(judged.report.verdict.status, Status::Clean, "{:?}", judged.report.verdict);
    assert_eq!(judged.fates, []);
    assert_eq!(judged.report.connection_totals.by_outcome.get("healthy"), Some(&12));
    for path in &judged.report.paths {
        assert!(path.segments_sent > 100);
    }
}

/// What two reports of one recording may not differ in when only the clocks differ.
fn essence(report: &correlate_proto::report::Report) -> (Vec<String>, Vec<String>, String) {
    let findings = report
        .findings
        .iter()
        .map(|found| format!("{} {} {:?}", found.code, found.sentence, found.connections));
    let connections = report.connections.iter().map(|one| {
        format!("{} {:?} {} {:?} {:?}", one.id, one.initiator, one.state, one.closed_by, one.directions)
    });
    (findings.collect(), connections.collect(), report.verdict.sentence.clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn clean_traffic_is_clean_with_any_offload_order_and_clock(
        seed: u64, order: u64, batch in 1u64..3000, watermarks: bool,
        near in offload(), far in offload(), shift in -9 * YEAR..9 * YEAR,
    ) {
        let run = |offload: [Offload; 2], shift: i64| {
            let mut sim = Sim::new(seed);
            sim.offload = offload;
            let end = traffic(&mut sim, 6, 40);
            Judge { shift: [0, shift], order, batch, watermarks, ..Judge::until(end) }.of(sim)
        };
        let judged = run([near, far], shift);
        judged.accuses_nobody();
        prop_assert_eq!(judged.report.verdict.status, Status::Clean);
        prop_assert_eq!(judged.lost(), [0, 0]);
        prop_assert_eq!(essence(&judged.report), essence(&run([near, far], 0).report));
    }

    #[test]
    fn how_a_recording_is_cut_into_batches_changes_nothing(
        seed: u64, orders: (u64, u64), batches in (1u64..500, 1u64..500),
        loss in 0u64..60, misses in 0u64..60,
    ) {
        let run = |order, batch| {
            let mut sim = Sim::new(seed).over(move |_, rng| {
                if rng.chance(loss) { super::sim::Passage::Lose } else { super::sim::Passage::Pass }
            });
            sim.misses = [misses, misses];
            let end = traffic(&mut sim, 5, 30);
            Judge { order, batch, watermarks: false, ..Judge::until(end) }.of(sim)
        };
        let (one, other) = (run(orders.0, batches.0), run(orders.1, batches.1));
        prop_assert_eq!(format!("{:?}", one.report), format!("{:?}", other.report));
    }

    #[test]
    fn renumbered_addresses_are_a_note_and_nothing_else(seed: u64, order: u64) {
        let mut sim = Sim::new(seed);
        sim.rewrite = [
            Box::new(|segment| renumber(segment, C2S)),
            Box::new(|segment| renumber(segment, S2C)),
        ];
        for number in 0..4 {
            let mut talk = Talk::new(&mut sim, 40_000 + number, i64::from(number) * 40 * MS);
            // What leaves the server host bears its own addresses: the device stands between.
            talk.whole(&mut sim, 10, 30);
        }
        let judged = Judge { order, ..Judge::until(20 * SEC) }.of_captures(swapped_at_server(sim));
        judged.accuses_nobody();
        prop_assert_eq!(judged.lost(), [0, 0]);
    }

    #[test]
    fn captures_that_begin_and_end_at_any_moment_accuse_nobody(
        seed: u64, cuts in prop::array::uniform4(0i64..1500), order: u64, covered: bool,
    ) {
        let mut sim = Sim::new(seed);
        let running = |from: i64, to: i64| (from.min(to) * MS, from.max(to) * MS);
        let windows = [running(cuts[0], cuts[1]), running(cuts[2], cuts[3])];
        sim.running = windows;
        traffic(&mut sim, 8, 40);
        let coverage = if covered { windows.map(Some) } else { [None; 2] };
        let judged = Judge { coverage, order, ..Judge::default() }.of(sim);
        judged.accuses_nobody();
    }
}

/// The server's capture with the server host's own words: what it sends bears the translated tuple as well.
fn swapped_at_server(sim: Sim) -> [Vec<correlate_proto::Record>; 2] {
    let [mut client, mut server] = sim.captures();
    for record in &mut server {
        if let correlate_proto::Record::Segment(segment) = record {
            let to_server = segment.tuple.dst.port == 443;
            renumber(segment, if to_server { C2S } else { S2C });
        }
    }
    for record in &mut client {
        if let correlate_proto::Record::Segment(segment) = record
            && segment.tuple.src.port == 443
        {
            let (client_end, server_end) = super::host::Ends::v4(segment.tuple.dst.port, 443).of(C2S);
            segment.tuple = correlate_proto::FourTuple { src: server_end, dst: client_end };
        }
    }
    [client, server]
}

/// Watermarks between records decide how often segments are judged, and so what is judged before what.
#[test]
fn watermarks_without_records_change_nothing() {
    for seed in 0..12 {
        let run = |watermarks| {
            let mut sim = Sim::new(seed).over(|wire, rng| {
                if wire.payload_len > 0 && rng.chance(60) {
                    super::sim::Passage::Lose
                } else {
                    super::sim::Passage::Pass
                }
            });
            sim.misses = [60, 60];
            let end = traffic(&mut sim, 8, 30);
            Judge { watermarks, batch: 7, ..Judge::until(end) }.of(sim)
        };
        assert_eq!(format!("{:?}", run(true).report), format!("{:?}", run(false).report), "{seed}");
    }
}
