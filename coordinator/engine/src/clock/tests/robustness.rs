//! Wrong matches, absurd stamps, gaps, hours.

use super::generator::{MS, Packet, Random, SECOND, US, World, assert_contains, at, feed, learned, push};
use crate::clock::{ClockInput, PairClock};

#[test]
fn a_single_wrong_match_is_dropped_and_makes_no_step() {
    for seed in 0..40 {
        let world = World::plain();
        let random = &mut Random(seed);
        let mut packets = world.trace(10 * SECOND, 50, random);
        let n = usize::try_from(random.below(packets.len() as u64)).unwrap();
        let by = if seed % 2 == 0 { 300 * MS } else { -300 * MS };
        packets[n] = match packets[n] {
            Packet::Forward { a, b } => Packet::Forward { a, b: b + by },
            Packet::Reverse { b, a } => Packet::Reverse { b: b + by, a },
        };
        let clock = learned(&packets);
        assert!(clock.steps().is_empty(), "{:?}", clock.steps());
        for tenth in 0..100 {
            assert_contains(&clock, &world, world.start + tenth * 100 * MS);
        }
    }
}

#[test]
fn absurd_stamps_neither_move_the_clock_nor_cost_memory() {
    let world = World::plain();
    let mut packets = world.trace(20 * SECOND, 50, &mut Random(2));
    let absurd = [i64::MIN, i64::MAX, 0, -1, world.start + 30_000_000 * SECOND, world.start - 900 * SECOND];
    for (k, stamp) in absurd.into_iter().enumerate() {
        let b = world.start + world.offset;
        packets.insert(100 * (k + 1), Packet::Forward { a: stamp, b });
        packets.insert(100 * (k + 1) + 50, Packet::Reverse { b, a: stamp });
    }
    let clock = learned(&packets);
    assert!(clock.steps().is_empty(), "{:?}", clock.steps());
    for tenth in 0..200 {
        assert_contains(&clock, &world, world.start + tenth * 100 * MS);
    }
    let off = clock.offset_at(at(world.start + 10 * SECOND)).estimate.unwrap().as_ns();
    assert!((off - world.truth(world.start + 10 * SECOND)).abs() < 20 * US);
}

#[test]
fn silence_of_hours_widens_the_bound_and_no_more() {
    let world = World::plain();
    let random = &mut Random(4);
    let mut packets = world.trace(5 * SECOND, 20, random);
    let later = world.start + 7200 * SECOND;
    packets.push(world.forward(later, random));
    packets.push(world.reverse(later + 20 * MS, random));
    let clock = learned(&packets);
    assert!(clock.steps().is_empty());
    for x in [0, SECOND, 5 * SECOND, 3600 * SECOND, 7200 * SECOND, 9000 * SECOND] {
        assert_contains(&clock, &world, world.start + x);
    }
    let found = clock.offset_at(at(later));
    assert!(found.hi.unwrap().as_ns() - found.lo.unwrap().as_ns() < 13 * MS);
}

#[test]
fn a_step_during_silence_is_found() {
    let plain = World::plain();
    let world = World { steps: vec![(plain.start + 1000 * SECOND, 60 * SECOND)], ..plain };
    let random = &mut Random(4);
    let mut packets = world.trace(5 * SECOND, 20, random);
    let after = World { start: world.start + 2000 * SECOND, ..world.clone() };
    packets.extend(
        World { offset: world.truth(world.start + 2000 * SECOND), steps: Vec::new(), ..after }.trace(
            5 * SECOND,
            20,
            random,
        ),
    );
    let clock = learned(&packets);
    let [step] = clock.steps() else { panic!("{:?}", clock.steps()) };
    assert!((step.by.as_ns() - 60 * SECOND).abs() < 20 * MS, "{step:?}");
    for x in [0, 5 * SECOND, 999 * SECOND, 1001 * SECOND, 2001 * SECOND] {
        assert_contains(&clock, &world, world.start + x);
    }
}

#[test]
fn hours_are_followed_and_the_first_minute_still_answers() {
    let world = World { jitter: 500 * US, ..World::plain() };
    let random = &mut Random(9);
    let mut clock = PairClock::new(ClockInput::Realtime);
    let mut part = world.clone();
    for hour in 0..3 {
        part.start = world.start + hour * 3600 * SECOND;
        part.offset = world.truth(part.start);
        feed(&mut clock, &part.trace(3600 * SECOND, 4, random));
    }
    clock.finish();
    assert!(clock.steps().is_empty());
    for minute in 0..180 {
        let x = world.start + minute * 60 * SECOND + 30 * SECOND;
        assert_contains(&clock, &world, x);
        let off = clock.offset_at(at(x)).estimate.unwrap().as_ns() - world.truth(x);
        assert!(off.abs() < 400 * US, "{off} in minute {minute}");
    }
    assert!((clock.skew_ppb().unwrap() - 50_000).abs() < 500, "{:?}", clock.skew_ppb());
}

#[test]
fn packets_that_come_after_the_fit_still_count() {
    let world = World::plain();
    let packets = world.trace(10 * SECOND, 50, &mut Random(1));
    let (early, late): (Vec<Packet>, Vec<Packet>) =
        packets.iter().partition(|p| matches!(p, Packet::Forward { .. }));
    let mut clock = PairClock::new(ClockInput::Realtime);
    feed(&mut clock, &early);
    assert!(clock.offset_at(at(world.start + SECOND)).estimate.is_none());
    for packet in &late {
        push(&mut clock, *packet);
    }
    clock.advance(at(world.start + 11 * SECOND));
    let off = clock.offset_at(at(world.start + 5 * SECOND)).estimate.unwrap().as_ns();
    assert!((off - world.truth(world.start + 5 * SECOND)).abs() < 100 * US);
}
