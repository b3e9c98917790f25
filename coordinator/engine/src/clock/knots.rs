//! Fits along the time axis, and the offset at any instant between and beyond them.

use super::fit::Fit;
use super::num::{ceil_ns, floor_ns, real, round_ns};
use correlate_proto::Span;

/// The offset of B's clock from A's (B minus A) at some instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alignment {
    /// Best estimate, off by half the difference of the two directions' minimum delays, which no algorithm can
    /// see. Absent unless both directions were seen.
    pub estimate: Option<Span>,
    /// The offset is not less. Absent if no packet from B to A was seen.
    pub lo: Option<Span>,
    /// The offset is not more. Absent if no packet from A to B was seen.
    pub hi: Option<Span>,
}

/// One fit at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Knot {
    /// The second it stands for; there is one knot per second at most.
    pub(super) second: i64,
    /// The instant at which it holds, by A's clock.
    pub(super) at: i64,
    /// Knots of one epoch lie on one clock without a step.
    pub(super) epoch: u32,
    /// Offset and bounds at the instant.
    pub(super) here: Bounds,
    /// Rate of the estimate.
    pub(super) slope: f64,
    /// Bounds of the rate within `reach` of the instant.
    pub(super) rates: (f64, f64),
    /// Half the window that was fitted, in nanoseconds.
    pub(super) reach: i64,
}

/// Offset and bounds in whole nanoseconds, bounds rounded outwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bounds {
    pub(super) estimate: Option<i64>,
    pub(super) lo: Option<i64>,
    pub(super) hi: Option<i64>,
}

impl Bounds {
    /// Absolute offsets of a fit.
    pub(super) fn of(fit: &Fit) -> Self {
        Self {
            estimate: fit.estimate.map(|v| fit.base.saturating_add(round_ns(v))),
            lo: fit.lower.map(|v| fit.base.saturating_add(floor_ns(v)).saturating_sub(1)),
            hi: fit.upper.map(|v| fit.base.saturating_add(ceil_ns(v)).saturating_add(1)),
        }
        .settled()
    }

    /// The same with the estimate inside the bounds.
    fn settled(self) -> Self {
        let above = |v: i64| self.lo.map_or(v, |lo| v.max(lo));
        let below = |v: i64| self.hi.map_or(v, |hi| v.min(hi));
        Self { estimate: self.estimate.map(|v| below(above(v))), ..self }
    }

    /// What both allow; of contradicting ones the first.
    pub(super) fn and(self, other: Self) -> Self {
        let lo = self.lo.into_iter().chain(other.lo).max();
        let hi = self.hi.into_iter().chain(other.hi).min();
        match (lo, hi) {
            (Some(a), Some(b)) if a > b => self,
            _ => Self { estimate: self.estimate.or(other.estimate), lo, hi }.settled(),
        }
    }

    /// What either allows.
    fn or(self, other: Self) -> Self {
        let lo = self.lo.zip(other.lo).map(|(a, b)| a.min(b));
        let hi = self.hi.zip(other.hi).map(|(a, b)| a.max(b));
        Self { estimate: self.estimate.or(other.estimate), lo, hi }
    }

    pub(super) fn alignment(self) -> Alignment {
        Alignment { estimate: self.estimate.map(Span), lo: self.lo.map(Span), hi: self.hi.map(Span) }
    }
}

impl Knot {
    /// The offset at `x` as this knot tells it: its rates hold within its reach, beyond it only `max_rate`.
    pub(super) fn project(&self, x: i64, max_rate: f64) -> Bounds {
        let by = x.saturating_sub(self.at);
        let inside = by.clamp(-self.reach, self.reach);
        let beyond = max_rate * real(by.saturating_sub(inside).saturating_abs());
        let (a, b) = (self.rates.0 * real(inside), self.rates.1 * real(inside));
        let drift = round_ns(self.slope * real(by));
        Bounds {
            estimate: self.here.estimate.map(|v| v.saturating_add(drift)),
            lo: self.here.lo.map(|v| v.saturating_add(floor_ns(a.min(b) - beyond))),
            hi: self.here.hi.map(|v| v.saturating_add(ceil_ns(a.max(b) + beyond))),
        }
    }
}

/// Most knots kept. When full, every second one of the older half goes: an hour and more is kept second by
/// second, a day at about twenty seconds. Between knots the bounds widen by the rates, so none is ever wrong.
pub(super) const MAX_KNOTS: usize = 4096;

/// Knots ordered by second.
#[derive(Debug, Clone, Default)]
pub(super) struct Knots {
    list: Vec<Knot>,
}

impl Knots {
    /// Sets or replaces the knot of a second.
    pub(super) fn set(&mut self, knot: Knot) {
        match self.list.binary_search_by_key(&knot.second, |k| k.second) {
            Ok(i) => self.list[i] = knot,
            Err(i) => {
                self.list.insert(i, knot);
                if self.list.len() > MAX_KNOTS {
                    self.thin();
                }
            }
        }
    }

    /// Removes the knots of the seconds from `from` to `to`, both included.
    pub(super) fn remove(&mut self, from: i64, to: i64) {
        let start = self.list.partition_point(|k| k.second < from);
        let end = self.list.partition_point(|k| k.second <= to).max(start);
        self.list.drain(start..end);
    }

    fn thin(&mut self) {
        let half = self.list.len() / 2;
        let mut i = 0;
        self.list.retain(|_| {
            i += 1;
            i > half || i % 2 == 1
        });
    }

    /// All knots in order.
    pub(super) fn all(&self) -> &[Knot] {
        &self.list
    }

    /// The knots before or at an instant and after it.
    pub(super) fn around(&self, x: i64) -> (Option<&Knot>, Option<&Knot>) {
        let i = self.list.partition_point(|k| k.at <= x);
        (i.checked_sub(1).map(|i| &self.list[i]), self.list.get(i))
    }

    /// The offset at `x`. Between knots of one clock both bound it; across a step either may hold.
    pub(super) fn at(&self, x: i64, max_rate: f64, step_at: impl Fn(u32) -> i64) -> Bounds {
        match self.around(x) {
            (None, None) => Bounds::default(),
            (Some(k), None) | (None, Some(k)) => k.project(x, max_rate),
            (Some(a), Some(b)) if a.epoch == b.epoch => {
                let both = a.project(x, max_rate).and(b.project(x, max_rate));
                Bounds { estimate: between(a, b, x).or(both.estimate), ..both }.settled()
            }
            (Some(a), Some(b)) => {
                let (old, new) = (a.project(x, max_rate), b.project(x, max_rate));
                if x < step_at(b.epoch) { old.or(new) } else { new.or(old) }
            }
        }
    }
}

/// The estimate between two knots of one clock, linear.
fn between(a: &Knot, b: &Knot, x: i64) -> Option<i64> {
    let (from, to) = a.here.estimate.zip(b.here.estimate)?;
    let share = real(x.saturating_sub(a.at)) / real(b.at.saturating_sub(a.at)).max(1.0);
    Some(from.saturating_add(round_ns(real(to.saturating_sub(from)) * share)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knot(second: i64, epoch: u32, offset: i64) -> Knot {
        let here = Bounds { estimate: Some(offset), lo: Some(offset - 100), hi: Some(offset + 100) };
        let at = second * 1_000_000_000;
        Knot { second, at, epoch, here, slope: 0.0, rates: (-1e-6, 1e-6), reach: 5_000_000_000 }
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_knot_still_answers() {
        let mut knots = Knots::default();
        for second in 0..20_000 {
            knots.set(knot(second, 0, 7));
        }
        assert!(knots.all().len() <= MAX_KNOTS);
        assert_eq!(knots.all()[0].second, 0);
        let newest: Vec<i64> = knots.all().iter().rev().take(1000).map(|k| k.second).collect();
        assert!(newest.windows(2).all(|w| w[0] - w[1] == 1), "the newest are kept second by second");
        let old = knots.at(5_000_500_000_000, 700e-6, |_| 0);
        assert_eq!(old.estimate, Some(7));
        assert!(old.lo.unwrap() <= 7 - 100 && old.hi.unwrap() >= 107);
    }

    #[test]
    fn across_a_step_both_offsets_are_possible() {
        let mut knots = Knots::default();
        knots.set(knot(0, 0, 0));
        knots.set(knot(4, 1, 50_000));
        let b = knots.at(1_000_000_000, 700e-6, |_| 2_000_000_000);
        assert_eq!(b.estimate, Some(0));
        assert!(b.lo.unwrap() <= -100 && b.hi.unwrap() >= 50_100);
        assert_eq!(knots.at(3_000_000_000, 700e-6, |_| 2_000_000_000).estimate, Some(50_000));
    }

    #[test]
    fn beyond_its_reach_a_knot_widens_by_the_largest_rate() {
        let k = knot(0, 0, 0);
        let near = k.project(5_000_000_000, 700e-6);
        let far = k.project(15_000_000_000, 700e-6);
        assert_eq!(near.hi, Some(5_100));
        assert_eq!(far.hi, Some(5_100 + 7_000_000));
        assert_eq!(far.lo, Some(-5_100 - 7_000_000));
    }
}
