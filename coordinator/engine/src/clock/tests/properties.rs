//! What holds for every trace.

use super::generator::{MS, Packet, Random, SECOND, US, World, assert_contains, at, feed, learned};
use crate::clock::{ClockInput, PairClock};
use correlate_proto::Span;
use proptest::prelude::*;

prop_compose! {
    fn worlds()(
        start in 0..2_000_000_000_i64,
        within in 0..SECOND,
        offset in -1_000_000 * SECOND..1_000_000 * SECOND,
        skew_ppb in -200_000..200_000_i64,
        min_forward in 5 * US..80 * MS,
        min_reverse in 5 * US..80 * MS,
        jitter in US..5 * MS,
    ) -> World {
        let start = start * SECOND + within;
        World { start, offset, skew_ppb, min_forward, min_reverse, jitter, ..World::plain() }
    }
}

/// A few packets within a second up to thousands over minutes.
fn sizes() -> impl Strategy<Value = (i64, i64)> {
    prop_oneof![
        (20 * MS..SECOND, 3..200_i64),
        (SECOND..12 * SECOND, 1..100_i64),
        (12 * SECOND..150 * SECOND, 1..20_i64),
    ]
}

/// The packets late by up to `late` nanoseconds against their order.
fn delayed(packets: &[Packet], late: u64, random: &mut Random) -> Vec<Packet> {
    let mut keyed: Vec<(i64, Packet)> =
        packets.iter().map(|p| (p.a() + i64::try_from(random.below(late)).unwrap(), *p)).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, p)| p).collect()
}

fn seconds_shuffled(packets: &[Packet], random: &mut Random) -> Vec<Packet> {
    let mut keyed: Vec<(i64, u64, Packet)> =
        packets.iter().map(|p| (p.a().div_euclid(SECOND), random.next(), *p)).collect();
    keyed.sort_by_key(|(second, key, _)| (*second, *key));
    keyed.into_iter().map(|(_, _, p)| p).collect()
}

proptest! {
    #[test]
    fn the_bound_contains_the_truth(
        straight in worlds(), swing_ppb in -24_000..24_000, (length, per_second) in sizes(), seed: u64,
        late in 1..3_000_000_000_u64,
    ) {
        let world = World { swing_ppb, ..straight };
        let random = &mut Random(seed);
        let packets = delayed(&world.trace(length, per_second, random), late, random);
        let mut clock = PairClock::new(ClockInput::Realtime);
        for (n, packet) in packets.iter().enumerate() {
            feed(&mut clock, &[*packet]);
            if n % 16 == 0 {
                assert_contains(&clock, &world, packet.a());
                assert_contains(&clock, &world, packet.a() - 5 * SECOND);
            }
        }
        clock.finish();
        for packet in &packets {
            assert_contains(&clock, &world, packet.a());
        }
        for k in -3..=13 {
            assert_contains(&clock, &world, world.start + length / 10 * k);
        }
        prop_assert!(clock.steps().is_empty(), "{:?}", clock.steps());
        prop_assert_eq!(clock.wrong(), 0);
    }

    #[test]
    fn the_estimate_is_off_by_half_the_asymmetry_and_little_more(
        world in worlds(), length in 5 * SECOND..40 * SECOND, per_second in 20..100_i64, seed: u64,
    ) {
        let clock = learned(&world.trace(length, per_second, &mut Random(seed)));
        let x = world.start + length / 2;
        let found = clock.offset_at(at(x));
        let (estimate, lo, hi) = (found.estimate.unwrap(), found.lo.unwrap(), found.hi.unwrap());
        prop_assert!(lo <= estimate && estimate <= hi);
        let off = estimate.as_ns() - world.truth(x) - world.asymmetry() / 2;
        // A hundred packets each way or more: the fastest of them queued for a fraction of the mean.
        prop_assert!(off.abs() < world.jitter / 2 + 2 * US, "{} ns, jitter {}", off, world.jitter);
    }

    #[test]
    fn shifting_both_clocks_shifts_nothing_else(
        world in worlds(), (length, per_second) in sizes(), seed: u64,
        shift in -1_000_000_i64..1_000_000, ahead in -1_000_000_000_000_i64..1_000_000_000_000,
    ) {
        let packets = world.trace(length, per_second, &mut Random(seed));
        // Fits fall on whole seconds of A's clock, so A moves by whole seconds; B by anything.
        let by = shift * SECOND;
        let moved: Vec<Packet> = packets.iter().map(|p| match *p {
            Packet::Forward { a, b } => Packet::Forward { a: a + by, b: b + by + ahead },
            Packet::Reverse { b, a } => Packet::Reverse { b: b + by + ahead, a: a + by },
        }).collect();
        let (plain, shifted) = (learned(&packets), learned(&moved));
        for k in 0..=10 {
            let x = world.start + length / 10 * k;
            let (one, two) = (plain.offset_at(at(x)), shifted.offset_at(at(x + by)));
            prop_assert_eq!(one.estimate.map(|s| s.as_ns() + ahead), two.estimate.map(Span::as_ns));
            prop_assert_eq!(one.lo.map(|s| s.as_ns() + ahead), two.lo.map(Span::as_ns));
            prop_assert_eq!(one.hi.map(|s| s.as_ns() + ahead), two.hi.map(Span::as_ns));
        }
        prop_assert_eq!(plain.skew_ppb(), shifted.skew_ppb());
        prop_assert_eq!(plain.min_rtt(), shifted.min_rtt());
    }

    #[test]
    fn the_order_within_a_second_does_not_matter(
        world in worlds(), (length, per_second) in sizes(), seed: u64,
    ) {
        let random = &mut Random(seed);
        let packets = world.trace(length, per_second, random);
        let watermarks = |clock: &mut PairClock, packets: &[Packet]| {
            for second in packets.chunk_by(|p, q| p.a().div_euclid(SECOND) == q.a().div_euclid(SECOND)) {
                clock.advance(at(second[0].a().div_euclid(SECOND) * SECOND));
                for packet in second {
                    super::generator::push(clock, *packet);
                }
            }
            clock.finish();
        };
        let (mut one, mut two) = (PairClock::new(ClockInput::Realtime), PairClock::new(ClockInput::Realtime));
        watermarks(&mut one, &packets);
        watermarks(&mut two, &seconds_shuffled(&packets, random));
        for packet in &packets {
            prop_assert_eq!(one.offset_at(at(packet.a())), two.offset_at(at(packet.a())));
        }
        prop_assert_eq!(one.summary(), two.summary());
    }
}
