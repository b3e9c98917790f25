//! The twin-envelope test: steps smaller than the round trip, which contradict nothing.
//!
//! Per second, the fastest packet each way. A step of B's clock moves both envelopes by the same amount; a
//! longer path moves only its own direction, and a queue both ways moves them apart. Sudden slews move both
//! too, but go on moving within the last seconds, where a step has come to rest.

use super::num::quantile;

/// The fastest packets of a second, free of skew: forward bound from above, reverse bound from below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bucket {
    pub(super) upper: f64,
    pub(super) lower: f64,
}

/// A shift of the clock, seen in the last [`SHORT`] buckets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shift {
    /// By how much, B relative to A, in nanoseconds.
    pub(super) by: f64,
    /// Old level of the forward envelope.
    pub(super) upper: f64,
    /// Old level of the reverse envelope.
    pub(super) lower: f64,
}

/// Buckets in which the new level must hold.
pub(super) const SHORT: usize = 5;
/// Buckets left out between old and new: packets in flight at the instant of a negative step hid 42 of 100
/// steps without this gap.
pub(super) const GUARD: usize = 2;
/// Most buckets of the old level.
pub(super) const LONG: usize = 60;
/// Buckets of history that the noise is measured on.
pub(super) const HISTORY: usize = 120;
/// Below this many sliding minima their spread is not known; single buckets, which scatter more, stand in.
const ENOUGH: usize = 20;
/// Looks for a step in buckets ordered by time, all with both directions, that is larger than `floor` nanoseconds.
pub(super) fn shift(buckets: &[Bucket], floor: f64) -> Option<Shift> {
    let (past, short) = buckets.split_at_checked(buckets.len().checked_sub(SHORT)?)?;
    let past = &past[..past.len().checked_sub(GUARD)?];
    if past.len() < SHORT {
        return None;
    }
    let long = &past[past.len().saturating_sub(LONG)..];
    let (old, new) = (level(long), level(short));
    let (by_upper, by_lower) = (new.upper - old.upper, new.lower - old.lower);
    let by = f64::midpoint(by_upper, by_lower);
    let threshold = (4.0 * noise(&past[past.len().saturating_sub(HISTORY)..])).max(floor);
    // 1. Both moved the same way, 2. each by more than noise, 3. by about the same.
    let same_sign = by_upper * by_lower > 0.0;
    let loud = by_upper.abs() > threshold && by_lower.abs() > threshold;
    let equal = (by_upper - by_lower).abs() < by.abs() / 2.0 + 2.0 * threshold;
    (same_sign && loud && equal && rests(short, by)).then_some(Shift {
        by,
        upper: old.upper,
        lower: old.lower,
    })
}

/// The tightest bounds among the buckets.
fn level(buckets: &[Bucket]) -> Bucket {
    buckets.iter().fold(Bucket { upper: f64::INFINITY, lower: f64::NEG_INFINITY }, |level, bucket| Bucket {
        upper: level.upper.min(bucket.upper),
        lower: level.lower.max(bucket.lower),
    })
}

/// How far the minimum of [`SHORT`] buckets usually stays from the envelope: 90th percentile, both directions.
fn noise(past: &[Bucket]) -> f64 {
    let whole = level(&past[past.len().saturating_sub(LONG)..]);
    let size = if past.len() >= ENOUGH + SHORT { SHORT } else { 1 };
    let mut shortfall: Vec<f64> = past
        .windows(size)
        .map(level)
        .flat_map(|l| [(l.upper - whole.upper).abs(), (whole.lower - l.lower).abs()])
        .collect();
    quantile(&mut shortfall, 9, 10)
}

/// Whether the new level has come to rest: from the first two to the last two of its buckets it moves by less
/// than half the shift, in at least one direction. A slew goes on moving in both.
fn rests(short: &[Bucket], by: f64) -> bool {
    let (Some(first), Some(last)) = (short.first_chunk::<2>(), short.last_chunk::<2>()) else { return false };
    let (first, last) = (level(first), level(last));
    let most = by.abs() / 2.0;
    (last.upper - first.upper).abs() < most || (last.lower - first.lower).abs() < most
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten seconds of history with a few µs of noise, two of guard, five moved by so much (µs).
    fn trace(upper: f64, lower: f64) -> Option<Shift> {
        let wobble = |k: usize| f64::from(u32::try_from(k * 7 % 5).unwrap()) * 1000.0;
        let buckets: Vec<Bucket> = (0..40)
            .map(|k| {
                let moved = if k >= 34 { 1000.0 } else { 0.0 };
                Bucket { upper: 5e6 + wobble(k) + upper * moved, lower: -5e6 - wobble(k + 2) + lower * moved }
            })
            .collect();
        shift(&buckets, 2000.0)
    }

    #[test]
    fn both_envelopes_up_or_down_is_a_step_of_that_sign() {
        assert!((trace(500.0, 500.0).unwrap().by - 500_000.0).abs() < 5000.0);
        assert!((trace(-500.0, -500.0).unwrap().by - -500_000.0).abs() < 5000.0);
    }

    #[test]
    fn a_longer_path_in_one_direction_is_no_step() {
        assert_eq!(trace(500.0, 0.0), None);
        assert_eq!(trace(0.0, -500.0), None);
        assert_eq!(trace(-500.0, 0.0), None);
        assert_eq!(trace(0.0, 500.0), None);
    }

    #[test]
    fn a_longer_path_both_ways_is_no_step() {
        assert_eq!(trace(500.0, -500.0), None);
        assert_eq!(trace(500.0, -300.0), None);
        assert_eq!(trace(-500.0, 400.0), None);
    }

    #[test]
    fn unequal_shifts_are_no_step() {
        assert_eq!(trace(900.0, 200.0), None);
    }

    #[test]
    fn noise_is_no_step() {
        assert_eq!(trace(0.0, 0.0), None);
        assert_eq!(trace(1.0, 1.0), None);
    }

    #[test]
    fn a_slew_that_goes_on_is_no_step() {
        let buckets: Vec<Bucket> = (0..40)
            .map(|k| {
                let moved = f64::from((k - 32).max(0)) * 500_000.0;
                Bucket { upper: 5e6 + moved, lower: -5e6 + moved }
            })
            .collect();
        assert_eq!(shift(&buckets, 2000.0), None);
    }

    #[test]
    fn too_little_history_decides_nothing() {
        let buckets = [Bucket { upper: 1e6, lower: 0.0 }; 11];
        assert_eq!(shift(&buckets, 2000.0), None);
        assert_eq!(shift(&[], 2000.0), None);
    }
}
