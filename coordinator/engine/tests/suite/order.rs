//! Segments that arrive late, twice or in vain: each is counted, named and told why.

use super::clean::traffic;
use super::judge::{Judge, Judgement};
use super::sim::{MS, Passage, SEC, Sim, Wire};
use super::talk::{ACK, C2S, S2C, Talk};
use correlate_engine::fate::Fate;
use correlate_proto::report::{Code, Confidence, Details};
use correlate_proto::{Direction, Record};
use proptest::prelude::*;

/// One transfer of `segments` by the client, over a path without jitter.
fn transfer(sim: &mut Sim, segments: u32) -> Talk {
    sim.jitter = 0;
    let mut talk = Talk::new(sim, 40_000, 0);
    talk.open(sim);
    talk.transfer(sim, C2S, segments, 10);
    talk
}

fn judged(sim: Sim, talk: &Talk) -> Judgement {
    Judge::until(talk.now + 5 * SEC).of(sim)
}

fn named(judged: &Judgement, fate: Fate) -> Vec<u64> {
    judged.fates.iter().filter(|record| record.fate == fate).map(|record| record.packet).collect()
}

#[test]
fn a_segment_that_five_others_overtake_is_late_by_five_places() {
    let late = |wire: &Wire, _: &mut super::rng::Rng| {
        let chosen = wire.direction == C2S && wire.index == 14;
        // Segments leave 12 µs apart.
        if chosen { Passage::Late(5 * 12_000 + 1_000) } else { Passage::Pass }
    };
    let mut sim = Sim::new(1).over(late);
    let talk = transfer(&mut sim, 40);
    let judged = judged(sim, &talk);
    judged.accuses_nobody();
    let found = judged.the(Code::Reordering);
    assert_eq!((found.direction, found.count, found.confidence), (Some(C2S), 1, Confidence::Proven));
    assert!(
        matches!(found.details, Details::Reordering { reordered: 1, largest_extent: 5, .. }),
        "{:?}",
        found.details
    );
    assert_eq!(named(&judged, Fate::Reordered).len(), 1);
    assert_eq!(judged.report.connections[0].directions.client_to_server.reordered, 1);
}

#[test]
fn a_second_copy_of_a_packet_is_a_duplicate_and_of_a_pure_ack_too() {
    for direction in Direction::BOTH {
        let mut sim = Sim::new(2).over(move |wire, _| {
            if wire.direction == direction && wire.index == 12 { Passage::Twice } else { Passage::Pass }
        });
        let talk = transfer(&mut sim, 60);
        let judged = judged(sim, &talk);
        judged.accuses_nobody();
        let found = judged.the(Code::Duplication);
        assert_eq!(
            (found.direction, found.count, found.confidence),
            (Some(direction), 1, Confidence::Proven)
        );
        assert_eq!(judged.report.findings.len(), 1, "{:?}", judged.codes());
    }
}

/// The sender's capture lacks a pure ACK: what arrives is no copy of anything.
#[test]
fn an_ack_that_the_senders_capture_lacks_is_no_duplicate() {
    for v6 in [false, true] {
        let mut sim = Sim::new(3);
        let mut talk = Talk::new(&mut sim, 40_000, 0);
        if v6 {
            talk = talk.over_v6();
        }
        talk.open(&mut sim);
        talk.transfer(&mut sim, S2C, 80, 10);
        talk.transfer(&mut sim, C2S, 40, 10);
        let mut captures = sim.captures();
        let mut acks = 0;
        captures[0].retain(|record| match record {
            Record::Segment(segment) if segment.flags == ACK && segment.payload_len == 0 => {
                acks += 1;
                acks % 7 != 3
            }
            Record::Segment(_) | Record::IcmpError(_) => true,
        });
        let judged = Judge::until(talk.now + 5 * SEC).of_captures(captures);
        assert!(judged.find(Code::Duplication).is_none(), "{:?}", judged.codes());
        let missed = named(&judged, Fate::MissedBySender).len();
        assert!(v6 || missed >= 5, "{missed} of the missing ACKs are told by their IP IDs");
        assert_eq!(named(&judged, Fate::Duplicated).len(), 0);
    }
}

/// A copy that the sender repeats after `wait`, the first one having arrived.
fn repeated(lose_ack: bool, wait: i64, overtaken: bool) -> Judgement {
    let mut sim = Sim::new(4).over(move |wire, _| match (wire.direction, wire.index) {
        (Direction::ServerToClient, index) if lose_ack && index >= 3 && wire.at < SEC => Passage::Lose,
        (Direction::ClientToServer, 4) if overtaken => Passage::Late(30 * MS),
        _ => Passage::Pass,
    });
    sim.jitter = 0;
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.transfer(&mut sim, S2C, 1, 1);
    let first = talk.stacks[0].next;
    let count = if overtaken { 6 } else { 1 };
    for place in 0..count {
        talk.send(&mut sim, C2S, ACK, first + place * 1448, 1448);
    }
    let sent = talk.now;
    if !overtaken {
        talk.now = sent + 5 * MS + MS / 10;
        talk.ack(&mut sim, S2C);
    }
    talk.now = sent + wait;
    // The second of the burst is what is overtaken; a tail is repeated else.
    let again = if overtaken { first + 1448 } else { first };
    if wait > SEC {
        talk.now = sent + wait;
    }
    talk.send(&mut sim, C2S, ACK, again, 1448);
    talk.now += 200 * MS;
    talk.send(&mut sim, C2S, ACK, first + count * 1448, 100);
    Judge::until(talk.now + 5 * SEC).of(sim)
}

fn spurious(judged: &Judgement) -> [u64; 5] {
    let found = judged.the(Code::SpuriousRetransmission);
    assert_eq!(named(judged, Fate::Spurious).len(), 1);
    assert_eq!(judged.report.connections[0].directions.client_to_server.spurious, 1);
    let Details::Spurious { reordering, ack_loss, tail_probe, delay, unknown, .. } = found.details else {
        panic!("{:?}", found.details)
    };
    [reordering, ack_loss, tail_probe, delay, unknown]
}

#[test]
fn a_repeat_after_its_ack_was_lost_is_put_down_to_that() {
    assert_eq!(spurious(&repeated(true, 210 * MS, false)), [0, 1, 0, 0, 0]);
}

#[test]
fn a_repeat_of_what_was_overtaken_is_put_down_to_reordering() {
    assert_eq!(spurious(&repeated(false, 32 * MS, true)), [1, 0, 0, 0, 0]);
}

#[test]
fn a_repeat_of_the_tail_before_its_ack_can_have_come_is_a_probe() {
    assert_eq!(spurious(&repeated(false, 7 * MS, false)), [0, 0, 1, 0, 0]);
}

/// A keep-alive with an octet, as some stacks send it, repeats what was acknowledged long ago, and means it.
#[test]
fn keep_alives_are_not_sent_in_vain() {
    let mut sim = Sim::new(5);
    let mut talk = transfer(&mut sim, 4);
    for _ in 0..5 {
        talk.now += SEC;
        let next = talk.stacks[0].next;
        talk.send(&mut sim, C2S, ACK, next - 1, 1);
        talk.now += 6 * MS;
        talk.ack(&mut sim, S2C);
    }
    let judged = judged(sim, &talk);
    assert_eq!(judged.codes(), [], "{:?}", judged.codes());
    assert_eq!(judged.report.connections[0].directions.client_to_server.retransmitted, 0);
}

#[test]
fn a_direction_that_loses_nothing_but_pure_acks_has_no_packet_loss() {
    let mut sim = Sim::new(6).over(|wire, _| {
        let ack = wire.direction == S2C && wire.flags == ACK && wire.payload_len == 0;
        if ack && wire.index % 5 == 4 && wire.at > 20 * MS { Passage::Lose } else { Passage::Pass }
    });
    let talk = transfer(&mut sim, 400);
    let lost = sim.lost[1];
    let judged = judged(sim, &talk);
    judged.accuses_nobody();
    let found = judged.the(Code::AckLoss);
    assert_eq!((found.direction, found.count), (Some(S2C), lost));
    assert_eq!(judged.lost(), [0, lost], "the path counts them all the same");
    assert!(judged.find(Code::PacketLoss).is_none());
}

#[test]
fn acks_and_data_lost_alike_are_one_loss_and_lost_unlike_are_two() {
    let run = |acks: u64| {
        let mut sim = Sim::new(7).over(move |wire, rng| {
            let ack = wire.payload_len == 0;
            let share = if ack { acks } else { 20 };
            let lose = wire.flags == ACK && wire.at > 50 * MS && rng.chance(share);
            if lose { Passage::Lose } else { Passage::Pass }
        });
        let mut talk = transfer(&mut sim, 600);
        talk.transfer(&mut sim, S2C, 600, 10);
        judged(sim, &talk)
    };
    let alike = run(20);
    assert!(alike.find(Code::AckLoss).is_none(), "{:?}", alike.codes());
    let unlike = run(200);
    for direction in Direction::BOTH {
        let of = |code: Code| {
            let found =
                unlike.report.findings.iter().find(|f| f.code == code && f.direction == Some(direction));
            found.map_or_else(|| panic!("{code}: {:?}", unlike.codes()), |found| found.count)
        };
        let lost = unlike.lost()[direction.index()];
        assert_eq!(of(Code::AckLoss) + of(Code::PacketLoss), lost, "each lost segment is told once");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 40, ..ProptestConfig::default() })]

    /// The report's counts, the findings and the traced fates are of one mind, whatever is lost beside.
    #[test]
    fn every_duplicate_is_counted_and_named(seed: u64, order: u64, loss in 0u64..30, shift in -100 * SEC..100 * SEC) {
        let mut sim = Sim::new(seed).over(move |wire, rng| {
            let lose = wire.payload_len > 0 && rng.chance(loss);
            if lose {
                return Passage::Lose;
            }
            if wire.flags == ACK && rng.chance(15) { Passage::Twice } else { Passage::Pass }
        });
        let end = traffic(&mut sim, 6, 60);
        let twice = sim.twice;
        let judged = Judge { order, shift: [0, shift], ..Judge::until(end) }.of(sim);
        let named = named(&judged, Fate::Duplicated).len();
        prop_assert_eq!(u64::try_from(named).unwrap(), twice[0] + twice[1]);
        for direction in Direction::BOTH {
            let told = judged.report.findings.iter()
                .filter(|found| found.code == Code::Duplication && found.direction == Some(direction));
            prop_assert_eq!(told.map(|found| found.count).sum::<u64>(), twice[direction.index()]);
        }
    }
}
