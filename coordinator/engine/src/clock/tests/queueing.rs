//! Queueing by the envelopes, which no offset and no asymmetry enters.

use super::generator::{MS, Packet, Random, SECOND, US, World, at, learned};
use crate::clock::PairClock;
use proptest::prelude::*;

/// What a packet waited, as the clock has it, and in truth.
fn queueing(clock: &PairClock, world: &World, packet: Packet) -> (i64, i64) {
    let envelopes = clock.envelopes_at(at(packet.a())).unwrap();
    match packet {
        Packet::Forward { a, b } => {
            let delay = b - world.truth(a) - a;
            (envelopes.forward_queueing(at(a), at(b)).as_ns(), delay - world.min_forward)
        }
        Packet::Reverse { b, a } => {
            let delay = a - (b - world.truth(a));
            (envelopes.reverse_queueing(at(b), at(a)).as_ns(), delay - world.min_reverse)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn queueing_is_known_to_30_us_whatever_the_offset_and_the_asymmetry(
        seed: u64, offset in -1_000_000 * SECOND..1_000_000 * SECOND, skew_ppb in -80_000..80_000_i64,
        min_forward in 50 * US..40 * MS, min_reverse in 50 * US..40 * MS, length in 3 * SECOND..60 * SECOND,
    ) {
        let world = World { offset, skew_ppb, min_forward, min_reverse, ..World::plain() };
        let packets = world.trace(length, 100, &mut Random(seed));
        let clock = learned(&packets);
        let mut errors: Vec<i64> = packets
            .iter()
            .map(|packet| {
                let (found, truth) = queueing(&clock, &world, *packet);
                (found - truth).abs()
            })
            .collect();
        errors.sort_unstable();
        let (p99, worst) = (errors[errors.len() * 99 / 100], errors[errors.len() - 1]);
        prop_assert!(p99 < 30 * US && worst < 60 * US, "p99 {p99} ns, worst {worst} ns");
    }
}

#[test]
fn the_envelopes_are_the_estimate_and_half_the_round_trip_above_and_below_it() {
    let world = World { min_forward: 3 * MS, min_reverse: 9 * MS, ..World::plain() };
    let clock = learned(&world.trace(20 * SECOND, 200, &mut Random(5)));
    for second in 1..19 {
        let x = at(world.start + second * SECOND);
        let (envelopes, offset) = (clock.envelopes_at(x).unwrap(), clock.offset_at(x));
        let middle = envelopes.forward.as_ns().midpoint(envelopes.reverse.as_ns());
        assert!((middle - offset.estimate.unwrap().as_ns()).abs() <= 2);
        assert!((envelopes.round_trip().as_ns() - 12 * MS).abs() < 30 * US);
        // The certificate allows for what the rates may do, and so is wider than the envelopes.
        assert!(offset.hi.unwrap() >= envelopes.forward && offset.lo.unwrap() <= envelopes.reverse);
    }
}

#[test]
fn one_direction_has_no_envelopes() {
    let mut clock = PairClock::new(crate::clock::ClockInput::Realtime);
    clock.forward(at(5), at(9));
    clock.finish();
    assert_eq!(clock.envelopes_at(at(5)), None);
}
