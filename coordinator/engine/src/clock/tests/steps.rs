//! Steps of a clock, and changes of a path that are none (the table of the twin-envelope test).

use super::generator::{MS, Random, SECOND, US, World, assert_contains, at, learned};
use crate::clock::PairClock;

fn wan() -> World {
    World { min_forward: 25 * MS, min_reverse: 25 * MS, jitter: 2 * MS, ..World::plain() }
}

/// Contained everywhere except within a second of a step, where the instant itself is uncertain.
fn assert_sound(clock: &PairClock, world: &World, length: i64) {
    for tenth in 0..length / (100 * MS) {
        assert_contains(clock, world, world.start + tenth * 100 * MS);
    }
}

#[test]
fn a_step_larger_than_the_round_trip_is_found_in_a_short_capture() {
    for by in [40 * MS, -40 * MS, 3 * SECOND, -3 * SECOND, 3600 * SECOND] {
        for seed in 0..20 {
            let plain = World::plain();
            let world = World { steps: vec![(plain.start + 5 * SECOND, by)], ..plain };
            let clock = learned(&world.trace(10 * SECOND, 50, &mut Random(seed)));
            let [step] = clock.steps() else { panic!("{by}: {:?}", clock.steps()) };
            assert!((step.by.as_ns() - by).abs() < 200 * US, "{by}: {step:?}");
            let late = step.at.as_ns() - (world.start + 5 * SECOND);
            assert!((-100 * MS..500 * MS).contains(&late), "{by}: found at {late} ns");
            assert_sound(&clock, &world, 10 * SECOND);
        }
    }
}

#[test]
fn a_step_smaller_than_the_round_trip_is_found_in_a_long_capture() {
    for by in [5 * MS, -5 * MS, MS, -MS] {
        let mut worst = 0;
        for seed in 0..20 {
            let world = World { steps: vec![(wan().start + 100 * SECOND, by)], ..wan() };
            let clock = learned(&world.trace(160 * SECOND, 20, &mut Random(seed)));
            let [step] = clock.steps() else { panic!("{by} seed {seed}: {:?}", clock.steps()) };
            worst = worst.max((step.by.as_ns() - by).abs());
            assert!((step.at.as_ns() - world.start - 100 * SECOND).abs() < 3 * SECOND, "{by}: {step:?}");
            assert_sound(&clock, &world, 160 * SECOND);
        }
        println!("step {by}: worst size error {worst} ns");
        assert!(worst < 150 * US, "{by}: {worst}");
    }
}

#[test]
fn a_local_step_beyond_what_a_rate_may_wander_is_found() {
    for by in [250 * US, -250 * US] {
        let mut found = 0;
        for seed in 0..20 {
            let local =
                World { min_forward: 100 * US, min_reverse: 100 * US, jitter: 20 * US, ..World::plain() };
            let world = World { steps: vec![(local.start + 60 * SECOND, by)], ..local };
            let clock = learned(&world.trace(100 * SECOND, 100, &mut Random(seed)));
            found += usize::from(clock.steps().len() == 1);
        }
        assert_eq!(found, 20, "{by}");
    }
}

#[test]
fn a_route_change_in_one_direction_is_never_a_step() {
    for by in [5 * MS, -5 * MS, 20 * MS, -20 * MS, 200 * MS] {
        for seed in 0..20 {
            let world = wan();
            let change = Some((world.start + 60 * SECOND, by));
            let forward = World { reroute_forward: change, ..world.clone() };
            let reverse = World { reroute_reverse: change, ..world.clone() };
            let both = World { reroute_forward: change, reroute_reverse: change, ..world };
            for world in [forward, reverse, both] {
                let clock = learned(&world.trace(120 * SECOND, 20, &mut Random(seed)));
                assert!(clock.steps().is_empty(), "{by}: {:?}", clock.steps());
                assert_sound(&clock, &world, 120 * SECOND);
            }
        }
    }
}

#[test]
fn a_quiet_clock_never_steps() {
    for seed in 0..10 {
        let world = wan();
        let clock = learned(&world.trace(1800 * SECOND, 20, &mut Random(seed)));
        assert!(clock.steps().is_empty(), "{:?}", clock.steps());
        assert_sound(&clock, &world, 1800 * SECOND);
    }
}

#[test]
fn a_line_through_five_packets_each_way_proves_no_step() {
    // The first five seconds with packets both ways happen to lie on a line that is 40 ppm off; all that follows
    // leaves it, in both directions alike.
    let path = World { min_forward: 5 * US, min_reverse: 5 * US, jitter: 391_367, ..World::plain() };
    let world = World { start: 836_160_419, offset: 0, skew_ppb: 0, swing_ppb: 13_982, ..path };
    let clock = learned(&world.trace(106_351_626_587, 1, &mut Random(2_927_036_889_753_514_433)));
    assert!(clock.steps().is_empty(), "{:?}", clock.steps());
    assert_sound(&clock, &world, 106 * SECOND);
}

#[test]
fn a_step_too_near_to_another_to_be_found_leaves_the_bound_sound() {
    // One of 300 us contradicts nothing on a path of 400 us, and another ends its clock before it can be told from
    // queueing, or has just begun its clock.
    let path = World {
        min_forward: 200 * US,
        min_reverse: 200 * US,
        jitter: 10 * US,
        skew_ppb: 0,
        ..World::plain()
    };
    for (small, large) in [(62_300, 65_000), (67_700, 65_000), (60_000, 65_000), (70_000, 65_000)] {
        for by in [300 * US, -300 * US].into_iter().flat_map(|a| [(a, 20 * MS), (a, -20 * MS)]) {
            let steps = vec![(path.start + small * MS, by.0), (path.start + large * MS, by.1)];
            let world = World { steps, ..path.clone() };
            let clock = learned(&world.trace(120 * SECOND, 30, &mut Random(1)));
            for tenth in 0..1200 {
                let x = world.start + tenth * 100 * MS;
                if world.steps.iter().all(|(step, _)| (x - step).abs() > SECOND) {
                    assert_contains(&clock, &world, x);
                }
            }
        }
    }
}

#[test]
fn between_two_steps_in_quick_succession_the_bound_is_not_that_of_the_clocks_around() {
    let path = World {
        min_forward: 200 * US,
        min_reverse: 200 * US,
        jitter: 10 * US,
        skew_ppb: 0,
        ..World::plain()
    };
    for apart in (2050..4000).step_by(150) {
        let step = path.start + 60 * SECOND;
        let steps = vec![(step, -2846 * US), (step + apart * MS, 1926 * US)];
        let world = World { steps, ..path.clone() };
        let clock = learned(&world.trace(90 * SECOND, 30, &mut Random(0)));
        for tenth in 11..apart / 100 - 10 {
            assert_contains(&clock, &world, step + tenth * 100 * MS);
        }
    }
}

#[test]
fn two_steps_are_both_found() {
    let plain = World::plain();
    let steps = vec![(plain.start + 20 * SECOND, 500 * MS), (plain.start + 40 * SECOND, -200 * MS)];
    let world = World { steps, ..plain };
    let clock = learned(&world.trace(60 * SECOND, 50, &mut Random(1)));
    let sizes: Vec<i64> = clock.steps().iter().map(|s| (s.by.as_ns() + MS / 2).div_euclid(MS)).collect();
    assert_eq!(sizes, [500, -200]);
    assert_sound(&clock, &world, 60 * SECOND);
    let s = clock.summary();
    assert!((s.offset.unwrap().as_ns() - world.truth(s.at.unwrap().as_ns())).abs() < 50 * US);
    assert_eq!(clock.offset_at(at(world.start)).estimate.map(|e| e.as_ns() / SECOND), Some(37));
}
