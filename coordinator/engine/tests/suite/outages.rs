//! Times in which a whole direction carries nothing, and what only looks like one.

use super::judge::{Judge, Judgement};
use super::sim::{MS, Passage, SEC, Sim, Wire};
use super::talk::{ACK, C2S, S2C, Talk};
use correlate_proto::report::{Code, Confidence, Details, Finding, Severity};
use correlate_proto::{Direction, Record};
use proptest::prelude::*;

const FROM: i64 = 700 * MS;
const TO: i64 = 1_300 * MS;

/// `sender` sends a segment each `gap` for two seconds; what was lost it repeats after 200, 600 and 1400 ms, and again
/// when all else is done. The other end acknowledges what comes.
fn stream(sim: &mut Sim, port: u16, gap: i64, sender: Direction) -> Talk {
    let (near, receiver) = (sender.index(), sender.reversed());
    let mut talk = Talk::new(sim, port, 0);
    talk.open(sim);
    talk.transfer(sim, C2S, 1, 1);
    let began = talk.now;
    let mut lost: Vec<(i64, u64)> = Vec::new();
    for step in 0..2 * SEC / gap {
        talk.now = began + step * gap;
        let is_due = |at: i64| [200 * MS, 600 * MS, 1_400 * MS].contains(&((talk.now - at) / gap * gap));
        let due: Vec<u64> = lost.iter().filter(|(at, _)| is_due(*at)).map(|&(_, offset)| offset).collect();
        let next = talk.stacks[near].next;
        for offset in due.into_iter().chain([next]) {
            let now = talk.now;
            match talk.send(sim, sender, ACK, offset, 1000) {
                None if offset == next => lost.push((now, offset)),
                None => {}
                Some(at) => {
                    lost.retain(|&(_, known)| known != offset);
                    talk.now = at + MS / 10;
                    talk.ack(sim, receiver);
                    talk.now = now;
                }
            }
        }
    }
    for (_, offset) in lost {
        talk.now += 10 * MS;
        talk.send(sim, sender, ACK, offset, 1000);
    }
    talk.now += 20 * MS;
    talk.ack(sim, receiver);
    talk
}

fn out(wire: &Wire) -> bool {
    (FROM..TO).contains(&wire.at)
}

/// Streams on so many connections, over a path that loses as `lose` says.
fn streams(connections: u16, gap: i64, lose: impl Fn(&Wire) -> bool + 'static) -> Judgement {
    let mut sim = Sim::new(9).over(move |wire, _| if lose(wire) { Passage::Lose } else { Passage::Pass });
    let mut end = 0;
    for number in 0..connections {
        let talk = stream(&mut sim, 40_000 + number, gap + i64::from(number) * MS / 7, S2C);
        end = end.max(talk.now);
    }
    Judge::until(end + 5 * SEC).of(sim)
}

fn spans(found: &Finding) -> (i64, i64, bool) {
    let Details::Outage { longest_ms, at_most_ms, both_directions, .. } = found.details else {
        panic!("{:?}", found.details)
    };
    (longest_ms, at_most_ms, both_directions)
}

#[test]
fn a_direction_that_carries_nothing_for_a_while_is_out_and_loses_no_packets_beside() {
    for dead in Direction::BOTH {
        let judged = streams(4, 10 * MS, move |wire| wire.direction == dead && out(wire));
        judged.accuses_of(&[Code::Outage]);
        let found = judged.the(Code::Outage);
        assert_eq!((found.direction, found.confidence), (Some(dead), Confidence::Proven), "{found:#?}");
        let (longest, at_most, both) = spans(found);
        assert!((550..=600).contains(&longest) && (600..650).contains(&at_most), "{longest} {at_most}");
        assert!(!both);
        assert_eq!((found.connection_count, found.count), (4, judged.lost()[dead.index()]));
        assert!(judged.find(Code::AckLoss).is_none() && judged.find(Code::PacketLoss).is_none());
    }
}

#[test]
fn both_directions_out_at_once_say_so_of_each_other() {
    let mut sim = Sim::new(9).over(|wire, _| if out(wire) { Passage::Lose } else { Passage::Pass });
    let mut end = 0;
    for (number, sender) in (0..).zip([C2S, S2C, C2S, S2C]) {
        end = end.max(stream(&mut sim, 40_000 + number, 10 * MS, sender).now);
    }
    let judged = Judge::until(end + 5 * SEC).of(sim);
    judged.accuses_of(&[Code::Outage, Code::Outage]);
    for found in judged.report.findings.iter().filter(|found| found.code == Code::Outage) {
        assert!(spans(found).2, "{found:#?}");
    }
}

#[test]
fn with_one_connection_alone_it_is_likely_and_the_other_reading_is_given() {
    let judged = streams(1, 10 * MS, |wire| wire.direction == S2C && out(wire));
    judged.accuses_of(&[Code::Outage]);
    let found = judged.the(Code::Outage);
    assert_eq!(found.confidence, Confidence::Likely);
    assert!(found.alternatives.iter().any(|other| other.contains("one connection")), "{found:#?}");
}

#[test]
fn a_connection_that_is_dead_while_another_passes_is_no_outage() {
    let judged = streams(2, 10 * MS, |wire| {
        // The two differ by the lengths of their pauses only; the first sends every tenth packet at whole steps.
        wire.direction == S2C && out(wire) && wire.index % 2 == 0
    });
    assert!(judged.find(Code::Outage).is_none(), "{:?}", judged.codes());
}

#[test]
fn what_is_lost_beside_an_outage_is_packet_loss_of_its_own() {
    let judged = streams(4, 10 * MS, |wire| {
        wire.direction == S2C && (out(wire) || (wire.payload_len > 0 && wire.index % 40 == 39))
    });
    judged.accuses_of(&[Code::Outage, Code::PacketLoss, Code::AsymmetricLoss]);
    let loss = judged.the(Code::PacketLoss).count;
    assert_eq!(judged.the(Code::Outage).count + loss, judged.lost()[1]);
}

#[test]
fn a_pause_of_the_receivers_capture_is_no_outage() {
    let mut sim = Sim::new(10);
    let mut end = 0;
    for number in 0..4 {
        end = end.max(stream(&mut sim, 40_000 + number, 10 * MS, S2C).now);
    }
    for paused in 0..2 {
        let mut captures = sim_captures(11 + u64::try_from(paused).unwrap());
        captures[paused].retain(|record: &Record| !(FROM..TO).contains(&record.at().as_ns()));
        let judged = Judge::until(end + 5 * SEC).of_captures(captures);
        let errors: Vec<_> =
            judged.report.findings.iter().filter(|found| found.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{paused}: {errors:#?}");
    }
}

fn sim_captures(seed: u64) -> [Vec<Record>; 2] {
    let mut sim = Sim::new(seed);
    for number in 0..4 {
        stream(&mut sim, 40_000 + number, 10 * MS, S2C);
    }
    sim.captures()
}

#[test]
fn a_direction_that_is_merely_quiet_is_not_out() {
    // One packet in half a second, and one of them is lost, twice.
    let mut sim = Sim::new(12).over(|wire, _| {
        let lost = wire.direction == C2S && wire.payload_len > 0 && (2 * SEC..2_500 * MS).contains(&wire.at);
        if lost { Passage::Lose } else { Passage::Pass }
    });
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    for step in 1..20 {
        talk.now = step * 500 * MS;
        let offset = talk.stacks[0].next;
        for wait in [210 * MS, 420 * MS] {
            if let Some(at) = talk.send(&mut sim, C2S, ACK, offset, 100) {
                talk.now = at + MS;
                talk.ack(&mut sim, S2C);
                break;
            }
            talk.now += wait;
        }
    }
    let judged = Judge::until(talk.now + 5 * SEC).of(sim);
    assert!(judged.find(Code::Outage).is_none(), "{:?}", judged.codes());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 30, ..ProptestConfig::default() })]

    #[test]
    fn losses_at_random_are_no_outage(seed: u64, loss in 1u64..120, connections in 1u16..4, gap in 5i64..120) {
        let mut sim = Sim::new(seed)
            .over(move |_, rng| if rng.chance(loss) { Passage::Lose } else { Passage::Pass });
        let mut end = 0;
        for number in 0..connections {
            end = end.max(stream(&mut sim, 40_000 + number, gap * MS, S2C).now);
        }
        let judged = Judge::until(end + 5 * SEC).of(sim);
        prop_assert!(judged.find(Code::Outage).is_none(), "{:#?}", judged.the(Code::Outage));
    }
}
