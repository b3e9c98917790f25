//! One-way delay and queueing of a direction, once the clocks are known.

use super::Samples;
use crate::clock::PairClock;
use correlate_proto::report::{OneWayDelay, Quantiles};
use correlate_proto::{Direction, Span, Timestamp};

/// What the sample of a direction says: delay as an interval, for only the clocks' bound is known, and queueing, which
/// no offset enters (ALGORITHMS §6.1).
pub(crate) fn figures(
    samples: &Samples,
    clock: &PairClock,
    direction: Direction,
) -> (Option<OneWayDelay>, Option<Quantiles>) {
    let waits = samples.kept().map(|stamps| Some((queueing_of(clock, direction, stamps)?, stamps)));
    let Some(mut waits) = waits.collect::<Option<Vec<_>>>() else { return (None, None) };
    waits.sort_unstable();
    let (Some((p50, _)), Some((p99, _))) = (rank(&waits, 50), rank(&waits, 99)) else { return (None, None) };
    (one_way_delay(&waits, samples, clock, direction), Some(Quantiles { p50, p99 }))
}

/// How long the packet with these stamps at sender and receiver waited beyond the fastest ones around it.
pub(crate) fn queueing_of(
    clock: &PairClock,
    direction: Direction,
    (sent, received): (i64, i64),
) -> Option<i64> {
    let (from, to) = (Timestamp::from_ns(sent), Timestamp::from_ns(received));
    Some(match direction {
        Direction::ClientToServer => clock.envelopes_at(from)?.forward_queueing(from, to).as_ns(),
        Direction::ServerToClient => clock.envelopes_at(to)?.reverse_queueing(from, to).as_ns(),
    })
}

/// The delays of the packets at the median and the tail of `waits`, and of the fastest: the path's own part is the same
/// for all. The uncertainty is the largest of the three.
fn one_way_delay(
    waits: &[(i64, (i64, i64))],
    samples: &Samples,
    clock: &PairClock,
    direction: Direction,
) -> Option<OneWayDelay> {
    let of = |stamps| delay_of(clock, direction, stamps);
    let (median, tail) = (of(rank(waits, 50)?.1)?, of(rank(waits, 99)?.1)?);
    let fastest = of(samples.fastest()?)?;
    let min = fastest.0.min(median.0).min(tail.0);
    let p50 = median.0.min(tail.0);
    let uncertainty = [fastest, median, tail].into_iter().map(|(_, uncertainty)| uncertainty).max()?;
    Some(OneWayDelay { min, p50, p99: median.0.max(tail.0), uncertainty })
}

/// The delay as the estimated offset has it, and how far it may be off either way.
fn delay_of(clock: &PairClock, direction: Direction, (sent, received): (i64, i64)) -> Option<(i64, i64)> {
    let apparent = received.saturating_sub(sent);
    let (at, sign) = match direction {
        Direction::ClientToServer => (sent, -1),
        Direction::ServerToClient => (received, 1),
    };
    let offset = clock.offset_at(Timestamp::from_ns(at));
    let [middle, low, high] = [offset.estimate?, offset.lo?, offset.hi?].map(Span::as_ns);
    let uncertainty = high.saturating_sub(middle).max(middle.saturating_sub(low));
    Some((apparent.saturating_add(sign * middle), uncertainty))
}

/// The percentile of sorted figures by nearest rank.
fn rank<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    sorted.get((sorted.len() * percent).div_ceil(100).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ClockInput;

    const MS: i64 = 1_000_000;
    const OFFSET: i64 = 37_000 * MS;

    /// Two seconds of a packet each 10 ms each way, 4 ms there and 6 ms back; each tenth to the server waits 3 ms.
    fn world() -> (PairClock, [Samples; 2]) {
        let mut clock = PairClock::new(ClockInput::Realtime);
        let mut samples = [Samples::default(), Samples::default()];
        for k in 0..200_i64 {
            let a = 1_700_000_000_000 * MS + k * 10 * MS;
            let waits = if k % 10 == 9 { 3 * MS } else { 0 };
            let there = (a, a + 4 * MS + waits + OFFSET);
            let back = (a + OFFSET, a + 6 * MS);
            clock.forward(Timestamp::from_ns(there.0), Timestamp::from_ns(there.1));
            clock.reverse(Timestamp::from_ns(back.0), Timestamp::from_ns(back.1));
            samples[0].take(there.0, there.1);
            samples[1].take(back.0, back.1);
        }
        clock.finish();
        (clock, samples)
    }

    #[test]
    fn queueing_needs_no_offset_and_delay_says_how_uncertain_it_is() {
        let (clock, samples) = world();
        let (delay, queueing) = figures(&samples[0], &clock, Direction::ClientToServer);
        let queueing = queueing.unwrap();
        assert!(queueing.p50 < 10_000 && (queueing.p99 - 3 * MS).abs() < 10_000, "{queueing:?}");
        let delay = delay.unwrap();
        // The asymmetry of 2 ms is invisible: half of it is in each direction, and within what is admitted.
        assert!((delay.min - 5 * MS).abs() < 10_000, "{delay:?}");
        assert!((delay.p99 - delay.min - 3 * MS).abs() < 10_000, "{delay:?}");
        assert!((delay.uncertainty - 5 * MS).abs() < 100_000, "{delay:?}");
        let (back, queueing) = figures(&samples[1], &clock, Direction::ServerToClient);
        assert!((back.unwrap().p50 - 5 * MS).abs() < 10_000 && queueing.unwrap().p99 < 10_000);
    }

    #[test]
    fn without_packets_both_ways_there_are_no_figures() {
        let (_, samples) = world();
        let mut clock = PairClock::new(ClockInput::Realtime);
        clock.forward(Timestamp::from_ns(0), Timestamp::from_ns(5));
        clock.finish();
        assert_eq!(figures(&samples[0], &clock, Direction::ClientToServer), (None, None));
        assert_eq!(figures(&Samples::default(), &world().0, Direction::ServerToClient), (None, None));
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        assert_eq!((rank::<i64>(&[], 50), rank(&[7], 99)), (None, Some(7)));
        let hundred: Vec<i64> = (1..=100).collect();
        assert_eq!((rank(&hundred, 50), rank(&hundred, 99)), (Some(50), Some(99)));
    }
}
