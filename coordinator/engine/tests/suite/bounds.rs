//! At every bound: what the documentation says, and no accusation.

use super::judge::{Judge, id};
use super::sim::{MS, Passage, SEC, Sim, US};
use super::talk::{ACK, C2S, RST, S2C, SYN, Talk};
use correlate_engine::{Config, Correlator};
use correlate_proto::report::{Code, Confidence, Severity};
use correlate_proto::{Record, Span};

/// More connections than are held at once: the rest is left out, and the report says so.
#[test]
fn connections_beyond_the_bound_are_left_out_and_the_report_says_so() {
    let judge = Judge::default();
    let mut correlator = Correlator::new(Config::default(), vec![judge.point(0), judge.point(1)]);
    let mut sim = Sim::new(61);
    let mut talk = Talk::new(&mut sim, 1, 0);
    let syn = talk.packet(C2S, SYN, 0, 0);
    let held = 100_000u32;
    for number in 0..held + 10 {
        let mut one = syn;
        one.tuple.src.port = u16::try_from(number % 60_000).unwrap();
        one.tuple.dst.port = u16::try_from(number / 60_000).unwrap();
        one.seq = one.seq.add(number);
        one.packet = u64::from(number) + 1;
        one.at = one.at.plus(Span(i64::from(number) * US));
        correlator.push(id(0), &Record::Segment(one));
    }
    assert_eq!(correlator.progress().connections, u64::from(held));
    let report = correlator.finish();
    assert_eq!(report.connection_totals.total, u64::from(held));
    assert!(
        report.verdict.reasons.iter().any(|why| why.starts_with("10 packets belong to connections beyond"))
    );
    assert!(report.findings.iter().all(|found| found.severity == Severity::Info));
    assert!(report.connections.len() <= 1100, "the list is a sample");
}

/// Healthy connections make room when they are over.
#[test]
fn healthy_connections_are_let_go_and_counted() {
    let mut sim = Sim::new(62);
    for number in 0..300u16 {
        let mut talk = Talk::new(&mut sim, 10_000 + number, i64::from(number) * 100 * MS);
        talk.whole(&mut sim, 1, 2);
    }
    let judged = Judge::until(60 * SEC).of(sim);
    judged.accuses_nobody();
    assert_eq!(judged.report.connection_totals.total, 300);
    assert_eq!(judged.report.connection_totals.by_outcome.get("healthy"), Some(&300));
    assert_eq!(judged.report.connections.len(), 100, "a sample of the healthy ones");
}

/// 64 Ki pieces wait at most. Beyond it the oldest is given up, and the direction claims no loss any more.
#[test]
fn more_pieces_than_may_wait_are_given_up_without_a_verdict() {
    let mut sim = Sim::new(63).over(|wire, _| {
        let dark = wire.direction == C2S && wire.at > 30 * MS && wire.at < 2 * SEC;
        if dark { Passage::Lose } else { Passage::Pass }
    });
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.transfer(&mut sim, S2C, 20, 10);
    talk.now = 40 * MS;
    for _ in 0..70_000 {
        let next = talk.stacks[0].next;
        talk.send(&mut sim, C2S, ACK, next, 1448);
        talk.now += 12 * US;
    }
    talk.now = 2 * SEC;
    for _ in 0..100 {
        let next = talk.stacks[0].next;
        talk.send(&mut sim, C2S, ACK, next, 1448);
        talk.now += MS;
    }
    let judged = Judge { batch: 3000, ..Judge::until(talk.now + 6 * SEC) }.of(sim);
    let lost = judged.lost();
    assert!(lost[0] == 0, "{lost:?}: after the first was given up none of the direction is called lost");
}

/// Sixteen resets of a connection are remembered, wherever they were seen.
#[test]
fn a_storm_of_resets_is_one_note() {
    for lost in [0, 3] {
        let mut sim = Sim::new(64).over(move |wire, _| {
            if wire.flags == RST && wire.index % 4 < lost { Passage::Lose } else { Passage::Pass }
        });
        let mut talk = Talk::new(&mut sim, 40_000, 0);
        talk.open(&mut sim);
        talk.transfer(&mut sim, C2S, 20, 10);
        for number in 0..60 {
            let next = talk.stacks[0].next;
            talk.send(&mut sim, C2S, ACK, next, 500);
            talk.now += 6 * MS;
            let offset = talk.stacks[1].next + number;
            talk.send(&mut sim, S2C, RST, offset, 0);
        }
        let judged = Judge::until(talk.now + 6 * SEC).of(sim);
        assert!(judged.find(Code::RstInjected).is_none(), "{:?}", judged.codes());
        assert_eq!(judged.the(Code::ResetByServer).severity, Severity::Info);
    }
}

/// Sixty-four lost ranges are watched for being lost again; what is lost each time stays among them.
#[test]
fn a_size_limit_is_found_among_more_lost_ranges_than_are_watched() {
    let mut sim = Sim::new(65).over(|wire, rng| {
        let big = wire.ip_len > 1400 && wire.direction == C2S && wire.at > 3 * SEC;
        if big || (wire.payload_len > 0 && rng.chance(60)) { Passage::Lose } else { Passage::Pass }
    });
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.mss = 1000;
    talk.transfer(&mut sim, C2S, 2000, 20);
    talk.now = talk.now.max(3 * SEC + MS);
    let stuck = talk.stacks[0].next;
    for wait in [200, 400, 800, 1600, 3200] {
        talk.send(&mut sim, C2S, ACK, stuck, 1448);
        talk.now += wait * MS;
        talk.transfer(&mut sim, S2C, 2, 2);
        let at = talk.now;
        talk.ack(&mut sim, C2S);
        talk.now = at + MS;
    }
    let judged = Judge::until(talk.now + 6 * SEC).of(sim);
    let found = judged.the(Code::PathMtuBlackhole);
    assert!(found.confidence >= Confidence::Strong);
}

/// More sequence holes than a capture point remembers, in a capture that lacks every other segment.
#[test]
fn more_gaps_than_are_remembered_accuse_the_capture_only() {
    let mut sim = Sim::new(66);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.transfer(&mut sim, C2S, 4000, 40);
    let captures = sim.captures();
    let [client, mut server] = captures;
    let mut count = 0;
    server.retain(|record| match record {
        Record::Segment(segment) if segment.payload_len > 0 => {
            count += 1;
            count % 3 != 0
        }
        Record::Segment(_) | Record::IcmpError(_) => true,
    });
    let judged = Judge::until(talk.now + 6 * SEC).of_captures([client, server]);
    judged.accuses_of(&[Code::CaptureLoss]);
}
