//! Fits along the time axis, and the offset at any instant between and beyond them.

use super::fit::Fit;
use super::num::{ceil_ns, floor_ns, real, round_ns};
use correlate_proto::{Local, Span, Timestamp};

/// The offset of B's clock from A's (B minus A) at some instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alignment {
    /// Best estimate, off by half the difference of the two directions' minimum delays, which no algorithm can
    /// see. Absent unless both directions were seen.
    pub estimate: Option<Span>,
    /// The offset is not less. Absent if no packet from B to A was seen, beside steps none
    /// within a second.
    pub lo: Option<Span>,
    /// The offset is not more. Absent if no packet from A to B was seen, beside steps none
    /// within a second.
    pub hi: Option<Span>,
}

/// The fastest packets of both directions around an instant, as offsets that they would prove if they had taken
/// no time: the lines of [`Alignment::estimate`]'s slope that touch them (ALGORITHMS A+ and A−). Between them lies
/// the round trip at its shortest. Unlike [`Alignment::lo`] and [`Alignment::hi`] they bound nothing: they are not
/// loosened by what the clocks' rates may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelopes {
    /// Of the packets from A to B.
    pub forward: Span,
    /// Of the packets from B to A.
    pub reverse: Span,
}

impl Envelopes {
    /// What a packet from A to B waited beyond the fastest ones: sent at `a` by A's clock, received at `b` by B's.
    /// No offset enters into it. Not below 0: what is a little faster is so by the fit's own error.
    #[must_use]
    pub fn forward_queueing(&self, a: Timestamp<Local>, b: Timestamp<Local>) -> Span {
        let apparent = b.as_ns().saturating_sub(a.as_ns());
        Span(apparent.saturating_sub(self.forward.as_ns()).max(0))
    }

    /// What a packet from B to A waited beyond the fastest ones: sent at `b` by B's clock, received at `a` by A's.
    #[must_use]
    pub fn reverse_queueing(&self, b: Timestamp<Local>, a: Timestamp<Local>) -> Span {
        let apparent = b.as_ns().saturating_sub(a.as_ns());
        Span(self.reverse.as_ns().saturating_sub(apparent).max(0))
    }

    /// The shortest round trip.
    #[must_use]
    pub fn round_trip(&self) -> Span {
        Span(self.forward.as_ns().saturating_sub(self.reverse.as_ns()))
    }
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
    /// From the estimate to the envelope of either direction; absent where the fit gave none.
    pub(super) half: Option<i64>,
    /// Rate of the estimate.
    pub(super) slope: f64,
    /// Bounds of the rate within `reach` of the instant.
    pub(super) rates: (f64, f64),
    /// Half the window that was fitted, in nanoseconds.
    pub(super) reach: i64,
    /// Beside a step, where a second one may have stayed unseen: its bounds hold if its neighbours' do not.
    pub(super) alone: bool,
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

    /// The same bounds around an estimate of another fit.
    pub(super) fn around(self, estimate: Option<i64>) -> Self {
        Self { estimate, ..self }.settled()
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
    /// The envelopes at `x`, along this knot's slope.
    fn envelopes(&self, x: i64) -> Option<Envelopes> {
        let (estimate, half) = self.here.estimate.zip(self.half)?;
        let middle = estimate.saturating_add(round_ns(self.slope * real(x.saturating_sub(self.at))));
        let (forward, reverse) = (middle.saturating_add(half), middle.saturating_sub(half));
        Some(Envelopes { forward: Span(forward), reverse: Span(reverse) })
    }

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
                let (old, new) = (a.project(x, max_rate), b.project(x, max_rate));
                let both = if a.alone || b.alone { old.or(new) } else { old.and(new) };
                Bounds { estimate: between(a, b, x).or(both.estimate), ..both }.settled()
            }
            (Some(a), Some(b)) => {
                let (old, new) = (a.project(x, max_rate), b.project(x, max_rate));
                if x < step_at(b.epoch) { old.or(new) } else { new.or(old) }
            }
        }
    }

    /// The envelopes at `x`: between two knots of one clock they pass from the one's to the other's, across a step
    /// those of the knot hold that lies on `x`'s side of it.
    pub(super) fn envelopes(&self, x: i64, step_at: impl Fn(u32) -> i64) -> Option<Envelopes> {
        match self.around(x) {
            (None, None) => None,
            (Some(k), None) | (None, Some(k)) => k.envelopes(x),
            (Some(a), Some(b)) if a.epoch == b.epoch => {
                let (Some(near), Some(far)) = (a.envelopes(a.at), b.envelopes(b.at)) else {
                    return a.envelopes(x).or_else(|| b.envelopes(x));
                };
                let pass = |from: Span, to: Span| Span(passed((a.at, from.0), (b.at, to.0), x));
                let (forward, reverse) = (pass(near.forward, far.forward), pass(near.reverse, far.reverse));
                Some(Envelopes { forward, reverse })
            }
            (Some(a), Some(b)) => if x < step_at(b.epoch) { a } else { b }.envelopes(x),
        }
    }
}

/// The estimate between two knots of one clock, linear.
fn between(a: &Knot, b: &Knot, x: i64) -> Option<i64> {
    let (from, to) = a.here.estimate.zip(b.here.estimate)?;
    Some(passed((a.at, from), (b.at, to), x))
}

/// What a line from one point to another has come to at `x`.
fn passed((at, from): (i64, i64), (until, to): (i64, i64), x: i64) -> i64 {
    let share = real(x.saturating_sub(at)) / real(until.saturating_sub(at)).max(1.0);
    from.saturating_add(round_ns(real(to.saturating_sub(from)) * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knot(second: i64, epoch: u32, offset: i64) -> Knot {
        let here = Bounds { estimate: Some(offset), lo: Some(offset - 100), hi: Some(offset + 100) };
        let at = second * 1_000_000_000;
        Knot {
            second,
            at,
            epoch,
            here,
            half: Some(60),
            slope: 0.0,
            rates: (-1e-6, 1e-6),
            reach: 5_000_000_000,
            alone: false,
        }
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
    fn envelopes_pass_from_knot_to_knot_and_stay_on_their_side_of_a_step() {
        let mut knots = Knots::default();
        knots.set(knot(0, 0, 0));
        knots.set(knot(4, 0, 400));
        knots.set(knot(8, 1, 50_000));
        let at = |second: i64| {
            let found = knots.envelopes(second * 1_000_000_000, |_| 6_000_000_000).unwrap();
            (found.forward.0, found.reverse.0)
        };
        assert_eq!((at(0), at(1), at(3)), ((60, -60), (160, 40), (360, 240)));
        assert_eq!((at(5), at(7), at(9)), ((460, 340), (50_060, 49_940), (50_060, 49_940)));
        assert_eq!(Knots::default().envelopes(0, |_| 0), None);
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
