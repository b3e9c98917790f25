//! Losses on the path are counted exactly, and what only a capture lacks is not blamed on the path.

use super::clean::traffic;
use super::judge::Judge;
use super::sim::{MS, Passage, SEC, Sim, Wire};
use super::talk::{ACK, C2S, S2C, Talk};
use correlate_engine::fate::Fate;
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, Details, Severity};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn losses_counted_are_losses_made(
        seed: u64, loss in 0u64..80, v6: bool, order: u64, shift in -100 * SEC..100 * SEC,
    ) {
        let mut sim = Sim::new(seed).over(move |wire, rng| {
            // The handshake and the close pass, so that each connection is complete.
            if wire.payload_len > 0 && rng.chance(loss) { Passage::Lose } else { Passage::Pass }
        });
        let mut end = 0;
        for number in 0..4 {
            let mut talk = Talk::new(&mut sim, 40_000 + number, i64::from(number) * 40 * MS);
            if v6 {
                talk = talk.over_v6();
            }
            talk.whole(&mut sim, 30, 120);
            end = end.max(talk.now);
        }
        let made = sim.lost;
        let judged = Judge { order, shift: [0, shift], ..Judge::until(end + 4 * SEC) }.of(sim);
        prop_assert_eq!(judged.lost(), made);
        let lost = judged.fates.iter().filter(|fate| fate.fate == Fate::Lost).count();
        prop_assert_eq!(u64::try_from(lost).unwrap(), made[0] + made[1]);
    }

    #[test]
    fn duplicates_and_overtaking_are_no_loss(seed: u64, order: u64) {
        let mut sim = Sim::new(seed).over(|_, rng| match rng.below(40) {
            0 => Passage::Twice,
            1 => Passage::Late(3 * MS),
            _ => Passage::Pass,
        });
        let end = traffic(&mut sim, 6, 60);
        let judged = Judge { order, ..Judge::until(end) }.of(sim);
        judged.accuses_nobody();
        prop_assert_eq!(judged.lost(), [0, 0]);
    }

    #[test]
    fn records_that_a_capture_lacks_are_not_confidently_lost_on_the_path(
        seed: u64, misses in 0u64..100, which in 0usize..3,
    ) {
        let mut sim = Sim::new(seed);
        sim.misses = [[misses, 0], [0, misses], [misses, misses]][which];
        let end = traffic(&mut sim, 10, 80);
        let judged = Judge::until(end).of(sim);
        for found in &judged.report.findings {
            let sure = found.severity == Severity::Error && found.confidence > Confidence::Likely;
            prop_assert!(!(sure && found.code == Code::PacketLoss), "{:#?}", found);
        }
    }
}

/// One bulk transfer from the server whose data segments are lost as `lose` says by their place in the direction.
fn bulk(lose: impl Fn(&Wire) -> bool + 'static, segments: u32) -> (super::judge::Judgement, [u64; 2]) {
    bulk_within(lose, segments, Some(4 * SEC))
}

/// The same; the captures run for so long after the last packet, or are files of a short path that end with it.
fn bulk_within(
    lose: impl Fn(&Wire) -> bool + 'static,
    segments: u32,
    after: Option<i64>,
) -> (super::judge::Judgement, [u64; 2]) {
    let mut sim = Sim::new(7).over(move |wire, _| if lose(wire) { Passage::Lose } else { Passage::Pass });
    if after.is_none() {
        sim.delay = [MS / 5; 2];
    }
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.transfer(&mut sim, S2C, segments, 10);
    if after.is_some() {
        talk.close(&mut sim, C2S);
    }
    let made = sim.lost;
    (after.map_or_else(Judge::default, |after| Judge::until(talk.now + after)).of(sim), made)
}

#[test]
fn one_lost_segment_in_a_hundred_is_a_note_and_three_are_an_error() {
    let (judged, _) = bulk(|wire| wire.direction == S2C && wire.index == 40, 100);
    let found = judged.the(Code::PacketLoss);
    assert_eq!((found.severity, found.count, found.direction), (Severity::Info, 1, Some(S2C)));
    let (judged, _) = bulk(|wire| wire.direction == S2C && [20, 40, 60].contains(&wire.index), 100);
    let found = judged.the(Code::PacketLoss);
    assert_eq!((found.severity, found.confidence), (Severity::Error, Confidence::Proven));
    assert!(matches!(found.details, Details::Loss { lost: 3, .. }));
}

#[test]
fn a_loss_that_was_made_good_before_a_file_ends_counts_however_soon_that_is() {
    let (judged, made) =
        bulk_within(|wire| wire.direction == S2C && [20, 40, 97].contains(&wire.index), 100, None);
    assert_eq!((judged.the(Code::PacketLoss).count, made), (3, [0, 3]));
}

#[test]
fn loss_both_ways_alike_is_not_asymmetric_and_loss_one_way_is() {
    let both = |wire: &Wire| wire.index % 20 == 19;
    let (judged, _) = bulk(both, 2000);
    assert!(judged.find(Code::AsymmetricLoss).is_none());
    let (judged, _) = bulk(|wire| wire.direction == S2C && wire.index % 20 == 19, 2000);
    assert_eq!(judged.the(Code::AsymmetricLoss).direction, Some(S2C));
}

/// A connection that sends a segment each 100 ms from each end, and loses what `lose` says after 1 s.
fn chat(lose: impl Fn(&Wire) -> bool + 'static, sizes: [u32; 2]) -> super::judge::Judgement {
    let mut sim = Sim::new(11).over(
        move |wire, _| {
            if wire.at > SEC && lose(wire) { Passage::Lose } else { Passage::Pass }
        },
    );
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    let mut repeat: [Option<u64>; 2] = [None; 2];
    for _ in 0..40 {
        for side in Direction::BOTH {
            let offset = repeat[side.index()].unwrap_or(talk.stacks[side.index()].next);
            let arrived = talk.send(&mut sim, side, ACK, offset, sizes[side.index()]);
            repeat[side.index()] = if arrived.is_none() { Some(offset) } else { None };
            if let Some(at) = arrived {
                talk.now = at + MS;
                talk.ack(&mut sim, side.reversed());
            }
            talk.now += 50 * MS;
        }
    }
    Judge::until(talk.now + 5 * SEC).of(sim)
}

#[test]
fn a_direction_that_dies_is_a_black_hole_and_not_packet_loss() {
    for dead in Direction::BOTH {
        let judged = chat(move |wire| wire.direction == dead, [500, 500]);
        judged.accuses_of(&[Code::OneWayBlackhole]);
        let found = judged.the(Code::OneWayBlackhole);
        assert_eq!((found.direction, found.confidence), (Some(dead), Confidence::Proven));
    }
}

#[test]
fn a_path_that_dies_both_ways_is_no_one_way_black_hole() {
    let judged = chat(|_| true, [500, 500]);
    assert!(judged.find(Code::OneWayBlackhole).is_none(), "{:?}", judged.codes());
}

#[test]
fn packets_above_a_size_that_vanish_while_smaller_ones_pass_are_an_mtu_black_hole() {
    let judged = chat(|wire| wire.ip_len > 1400, [1448, 300]);
    judged.accuses_of(&[Code::PathMtuBlackhole]);
    let found = judged.the(Code::PathMtuBlackhole);
    assert_eq!(found.direction, Some(C2S));
    assert!(
        matches!(
            found.details,
            Details::PathMtu { largest_delivered_ip_bytes: 52, smallest_lost_ip_bytes: 1500, .. }
        ),
        "{:?}",
        found.details
    );
}

#[test]
fn loss_of_a_few_repeats_at_all_sizes_is_packet_loss_alone() {
    let judged = chat(|wire| wire.payload_len > 0 && wire.index % 7 == 3, [900, 900]);
    judged.accuses_of(&[Code::PacketLoss, Code::PacketLoss]);
}

#[test]
fn a_capture_that_counted_drops_weakens_what_rests_on_its_silence() {
    let mut sim = Sim::new(5)
        .over(|wire, _| if wire.direction == C2S && wire.at > SEC { Passage::Lose } else { Passage::Pass });
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.transfer(&mut sim, C2S, 4, 4);
    talk.now = talk.now.max(SEC + MS);
    for _ in 0..6 {
        let next = talk.stacks[0].next;
        talk.send(&mut sim, C2S, ACK, next.min(4 * 1448 + 1), 500);
        talk.now += 300 * MS;
        talk.ack(&mut sim, S2C);
    }
    let judge = Judge { dropped_by_kernel: [0, 3], ..Judge::until(talk.now + 5 * SEC) };
    let judged = judge.of(sim);
    for found in &judged.report.findings {
        assert!(found.severity < Severity::Error || found.confidence <= Confidence::Likely, "{found:#?}");
    }
}
