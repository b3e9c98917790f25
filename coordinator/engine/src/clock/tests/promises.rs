//! What the clock promises, for stamps of either kind: steps of disciplined clocks of half a millisecond on a path
//! of 50 ms are known within eight seconds, a change of one direction is never a step, and the bound holds the truth
//! in every second.

use super::generator::{MS, Packet, Random, SECOND, US, World, assert_contains, at, push};
use crate::clock::{ClockInput, PairClock};
use proptest::prelude::*;

const KINDS: [ClockInput; 2] = [ClockInput::Raw, ClockInput::Realtime];

/// So long after a step it must be known.
const KNOWN_WITHIN: i64 = 8 * SECOND;
/// So far off may the size of a step be told.
const SIZE_ERROR: i64 = 100 * US;
/// Around a step the instant itself is uncertain, and with it which offset holds.
const AROUND: i64 = SECOND;

/// A path of 50 ms there and back, with a jitter of 2 ms.
fn wan() -> World {
    World { min_forward: 25 * MS, min_reverse: 25 * MS, jitter: 2 * MS, skew_ppb: 20_000, ..World::plain() }
}

/// Feeds a trace second by second, and calls `each` with the clock and the newest instant after each.
fn live(kind: ClockInput, packets: &[Packet], mut each: impl FnMut(&PairClock, i64)) -> PairClock {
    let mut clock = PairClock::new(kind);
    for second in packets.chunk_by(|one, other| one.a().div_euclid(SECOND) == other.a().div_euclid(SECOND)) {
        for packet in second {
            push(&mut clock, *packet);
        }
        let now = second[second.len() - 1].a();
        clock.advance(at(now));
        each(&clock, now);
    }
    clock.finish();
    clock
}

#[test]
fn steps_of_half_a_millisecond_and_more_are_known_within_eight_seconds() {
    let mut wrong = Vec::new();
    let kind = ClockInput::Realtime;
    for by in [500 * US, MS, 5 * MS, 40 * MS, 3 * SECOND].into_iter().flat_map(|by| [by, -by]) {
        for seed in 0..20 {
            let stepped_at = wan().start + 60 * SECOND + i64::try_from(seed).unwrap() * 37 * MS;
            let world = World { steps: vec![(stepped_at, by)], ..wan() };
            let mut known_at = None;
            let packets = world.trace(80 * SECOND, 20, &mut Random(seed));
            let clock = live(kind, &packets, |clock, now| {
                if !clock.steps().is_empty() {
                    known_at.get_or_insert(now);
                }
            });
            let sizes: Vec<i64> = clock.steps().iter().map(|step| step.by.as_ns()).collect();
            let in_time = known_at
                .is_some_and(|known| (stepped_at - AROUND..stepped_at + KNOWN_WITHIN).contains(&known));
            if !in_time || sizes.len() != 1 || (sizes[0] - by).abs() > SIZE_ERROR {
                let after = known_at.map(|known| (known - stepped_at) / MS);
                wrong.push(format!("{kind:?} {by} seed {seed}: {sizes:?}, known after {after:?} ms"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of 200:\n{}", wrong.len(), wrong.join("\n"));
}

/// What the certificate assumes of steps: that each is found. One that contradicts no packet shows only by standing
/// for so long; two of them sooner after each other are to any observer of packets a path that is shorter one way and
/// as much longer the other way for a while. So the second of such a pair waits.
fn apart(mut steps: Vec<(i64, i64)>, round_trip: i64) -> Vec<(i64, i64)> {
    steps.sort_unstable();
    // Rates explain up to 700 us within a second: only what is beyond that contradicts every packet.
    let hidden = |by: i64| by.abs() < round_trip + MS;
    if let [one, other] = &mut steps[..]
        && hidden(one.1)
        && hidden(other.1)
    {
        other.0 = other.0.max(one.0 + KNOWN_WITHIN + AROUND);
    }
    steps
}

prop_compose! {
    /// A route that changes once or is put back, in one direction.
    fn changes()(from in 5 * SECOND..100 * SECOND, by in -20 * MS..200 * MS) -> (i64, i64) {
        (wan().start + from, by)
    }
}

proptest! {
    // A case takes ten times as long as one of the properties'.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 5, ..ProptestConfig::default() })]

    #[test]
    fn a_change_of_one_direction_is_never_a_step_and_the_bound_holds(
        change in changes(), is_forward: bool, raw: bool, seed: u64, jitter in 100 * US..4 * MS,
        per_second in 5..60_i64,
    ) {
        let (forward, reverse) = if is_forward { (Some(change), None) } else { (None, Some(change)) };
        let world = World { reroute_forward: forward, reroute_reverse: reverse, jitter, ..wan() };
        let packets = world.trace(110 * SECOND, per_second, &mut Random(seed));
        let kind = KINDS[usize::from(raw)];
        let clock = live(kind, &packets, |clock, now| {
            assert!(clock.steps().is_empty(), "{:?} {change:?}", clock.steps());
            assert_contains(clock, &world, now);
        });
        prop_assert!(clock.steps().is_empty(), "{:?}", clock.steps());
        for second in 0..110 {
            assert_contains(&clock, &world, world.start + second * SECOND);
        }
    }

    #[test]
    fn the_bound_holds_the_truth_in_every_second_with_steps_and_without(
        skew_ppb in -100_000..100_000_i64, share in 0..90_i32, raw: bool, seed: u64,
        min_forward in 200 * US..60 * MS, min_reverse in 200 * US..60 * MS, jitter in 10 * US..3 * MS,
        steps in prop::collection::vec((0..60 * SECOND, prop_oneof![-3 * SECOND..3 * SECOND, -5 * MS..5 * MS]), 0..3),
    ) {
        // Within a window a rate stays within 1 ppm of raw clocks, and within 25 ppm of disciplined ones.
        let swing_ppb = if raw { share * 5 } else { share * 120 };
        let start = wan().start;
        let steps: Vec<(i64, i64)> = steps.into_iter().map(|(after, by)| (start + 30 * SECOND + after, by)).collect();
        // Nobody sets an oscillator.
        let steps = if raw { Vec::new() } else { apart(steps, min_forward + min_reverse) };
        let world = World { skew_ppb, swing_ppb, steps, min_forward, min_reverse, jitter, ..wan() };
        let packets = world.trace(120 * SECOND, 30, &mut Random(seed));
        let clock = live(KINDS[usize::from(!raw)], &packets, |_, _| {});
        for second in 0..120 {
            let x = world.start + second * SECOND;
            if world.steps.iter().all(|(step, _)| (x - step).abs() > AROUND) {
                assert_contains(&clock, &world, x);
            }
        }
    }
}
