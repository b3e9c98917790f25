//! How near the estimate comes.

use super::generator::{MS, Packet, Random, SECOND, US, World, assert_contains, at, learned};

fn error(clock: &crate::clock::PairClock, world: &World, x: i64) -> i64 {
    clock.offset_at(at(x)).estimate.unwrap().as_ns() - world.truth(x)
}

#[test]
fn a_skewed_clock_is_known_within_20_us_after_five_seconds() {
    let mut worst = 0;
    for seed in 0..200 {
        let world = World::plain();
        let mut random = Random(seed);
        let length = if seed % 2 == 0 { 5 * SECOND } else { 10 * SECOND };
        let clock = learned(&world.trace(length, 50, &mut random));
        for tenth in 0..=10 {
            let x = world.start + length / 10 * tenth;
            assert_contains(&clock, &world, x);
            worst = worst.max(error(&clock, &world, x).abs());
        }
        let skew = clock.skew_ppb().unwrap();
        assert!((skew - 50_000).abs() < 20_000, "skew {skew} ppb");
        assert!(clock.steps().is_empty());
    }
    println!("worst error {worst} ns");
    assert!(worst < 20_000, "worst error {worst} ns");
}

#[test]
fn asymmetry_is_the_only_error_that_stays() {
    let world = World { min_forward: 2 * MS, min_reverse: 8 * MS, ..World::plain() };
    let clock = learned(&world.trace(20 * SECOND, 100, &mut Random(7)));
    let x = world.start + 10 * SECOND;
    let off = error(&clock, &world, x) - (2 * MS - 8 * MS) / 2;
    assert!(off.abs() < 20 * US, "{off} ns beside the asymmetry");
    assert_contains(&clock, &world, x);
    let rtt = clock.min_rtt().unwrap().as_ns();
    assert!((10 * MS..10 * MS + 100 * US).contains(&rtt), "{rtt}");
}

#[test]
fn the_asymmetry_counts_as_the_far_clock_measures_it() {
    // 53 ms by A's clock are 8 us more by one that gains 156 ppm, and half of that is in the offset.
    let world =
        World { min_forward: 53 * MS, min_reverse: 0, jitter: 0, skew_ppb: 156_000, ..World::plain() };
    assert_eq!(world.asymmetry(), 53 * MS + 8268);
    let clock = learned(&world.trace(10 * SECOND, 20, &mut Random(1)));
    let off = error(&clock, &world, world.start + 5 * SECOND) - world.asymmetry() / 2;
    assert!(off.abs() < 5, "{off} ns");
}

#[test]
fn a_handshake_alone_gives_a_bound_of_the_round_trip() {
    let world = World { jitter: 20 * US, ..World::plain() };
    let random = &mut Random(3);
    let packets: [Packet; 3] = [
        world.forward(world.start, random),
        world.reverse(world.start + 11 * MS, random),
        world.forward(world.start + 11 * MS + 50 * US, random),
    ];
    let clock = learned(&packets);
    for x in [0, 5 * MS, 11 * MS, 100 * MS] {
        assert_contains(&clock, &world, world.start + x);
    }
    let s = clock.summary();
    let width = s.uncertainty.unwrap().as_ns();
    assert!(width < 5100 * US, "half width {width}");
    assert!((s.offset.unwrap().as_ns() - 37 * SECOND).abs() < 200 * US);
    assert_eq!(s.samples, (2, 1));
    assert_eq!(s.method.name(), "max-margin");
}

#[test]
fn one_direction_bounds_one_side() {
    let world = World::plain();
    let mut packets = world.trace(3 * SECOND, 20, &mut Random(5));
    packets.retain(|p| matches!(p, Packet::Forward { .. }));
    let clock = learned(&packets);
    let found = clock.offset_at(at(world.start + SECOND));
    assert!(found.estimate.is_none() && found.lo.is_none());
    assert!(found.hi.unwrap().as_ns() >= world.truth(world.start + SECOND));
    assert_eq!(clock.summary().method.name(), "one-way");
    assert_eq!(clock.min_rtt(), None);
}

#[test]
fn nothing_seen_is_nothing_known() {
    let clock = learned(&[]);
    assert_eq!(clock.offset_at(at(0)), crate::clock::Alignment::default());
    assert_eq!(clock.summary().method.name(), "none");
    assert_eq!(clock.summary().at, None);
}

#[test]
fn a_local_pair_is_known_to_microseconds() {
    let world = World { min_forward: 30 * US, min_reverse: 30 * US, jitter: 20 * US, ..World::plain() };
    let clock = learned(&world.trace(60 * SECOND, 200, &mut Random(11)));
    for second in 2..58 {
        let x = world.start + second * SECOND;
        assert_contains(&clock, &world, x);
        let off = error(&clock, &world, x);
        assert!(off.abs() < 2 * US, "{off} ns at {second} s");
        let found = clock.offset_at(at(x));
        let width = found.hi.unwrap().as_ns() - found.lo.unwrap().as_ns();
        assert!(width < 120 * US, "{width} ns wide at {second} s");
    }
}

#[test]
fn a_free_running_clock_is_bounded_and_known_better() {
    use super::generator::feed;
    use crate::clock::{ClockInput, PairClock};
    let world = World { swing_ppb: 200, jitter: 2 * MS, ..World::plain() };
    let packets = world.trace(300 * SECOND, 20, &mut Random(21));
    let mut clock = PairClock::new(ClockInput::Raw);
    feed(&mut clock, &packets);
    clock.finish();
    for tenth in 0..3000 {
        assert_contains(&clock, &world, world.start + tenth * 100 * MS);
    }
    for second in 60..240 {
        let off = error(&clock, &world, world.start + second * SECOND);
        assert!(off.abs() < 60 * US, "{off} ns at {second} s");
    }
}
