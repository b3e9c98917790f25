//! One contiguous stretch of stamps: fits second by second, drops wrong matches, splits at steps.

use super::cone::{self, Finding, Item};
use super::fit::{self, Fit, Window};
use super::knots::{Bounds, Knot, Knots};
use super::limits::{LOCAL_RTT_NS, Limits};
use super::num::{real, round_ns};
use super::ring::{COARSE, FINE, Lane, Point, Ring, SECOND, second_of};
use super::step::{GUARD_NS, Split};

/// The part of a run between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpanOf {
    pub(super) epoch: u32,
    /// First instant whose packets belong to it.
    pub(super) from: i64,
    /// Last one.
    pub(super) to: i64,
    /// Which of its packets may bound the offset at all of its instants.
    pub(super) judged: Judged,
}

impl SpanOf {
    const fn new(epoch: u32) -> Self {
        Self { epoch, from: i64::MIN, to: i64::MAX, judged: Judged::ALL }
    }

    /// The part of it whose packets may bound the offset at `x`; absent beside a step, where only near ones may.
    fn sure(self, x: i64) -> Option<Self> {
        let Judged { from, to } = self.judged;
        (from..=to).contains(&x).then(|| Self { from: from.max(self.from), to: to.min(self.to), ..self })
    }
}

/// Where a second step of a span would have been found. Steps come in company, and one that contradicts nothing
/// takes seconds of its own clock on both sides to be found: beside another step it stays unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Judged {
    /// No step is near.
    pub(super) const ALL: Self = Self { from: i64::MIN, to: i64::MAX };
    /// Too little of it has been seen.
    pub(super) const NOT_YET: Self = Self { from: i64::MAX, to: i64::MAX };
}

/// What runs share: the knots they fit and the totals they add to.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared {
    pub(super) knots: Knots,
    /// Steps in the order they were found.
    pub(super) splits: Vec<Split>,
    /// Next epoch to give out.
    pub(super) next_epoch: u32,
    /// Packets put aside as wrongly matched.
    pub(super) wrong: u64,
    /// Smallest margin of any fit, in nanoseconds.
    pub(super) margin: Option<f64>,
    /// Slope of the best settled of the latest fits.
    pub(super) slope: Option<f64>,
}

impl Shared {
    /// A new epoch's number.
    pub(super) fn epoch(&mut self) -> u32 {
        self.next_epoch += 1;
        self.next_epoch
    }
}

/// A ring and what was learned from it.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) ring: Ring,
    pub(super) limits: Limits,
    pub(super) spans: Vec<SpanOf>,
    /// First second not yet fitted.
    next: i64,
    /// From this instant on something contradicts and is not yet explained.
    pub(super) hold: i64,
    /// Slope of the clock before the last step: the oscillator did not change.
    pub(super) carried: f64,
    local: bool,
}

impl Run {
    /// A run around the second `newest`, of this epoch.
    pub(super) fn new(newest: i64, limits: Limits, epoch: u32) -> Self {
        Self {
            ring: Ring::new(newest),
            limits,
            spans: vec![SpanOf::new(epoch)],
            next: i64::MIN,
            hold: i64::MAX,
            carried: 0.0,
            local: false,
        }
    }

    /// Fits every second that ended before the second `now`, and again those that gained late packets.
    pub(super) fn advance(&mut self, now: i64, shared: &mut Shared) {
        let from = self.next.max(self.ring.newest().saturating_sub(COARSE - 1));
        let to = self.ring.newest().min(now.saturating_sub(1));
        let touched = self.ring.take_touched();
        for second in touched.into_iter().filter(|s| *s < from) {
            self.fit_second(second, Side::Middle, shared);
        }
        for second in from..=to {
            if self.ring.middle(second).is_some() {
                self.tick(second, shared);
            }
            self.next = second + 1;
        }
    }

    /// The last word: nothing more comes. Fits all fine seconds again with the packets around them.
    pub(super) fn finish(&mut self, shared: &mut Shared) {
        self.advance(i64::MAX, shared);
        let last = self.ring.newest();
        self.examine(last, true, shared);
        for second in last.saturating_sub(FINE - 1)..=last {
            self.fit_second(second, Side::Middle, shared);
        }
        self.measure_steps(i64::MIN, shared);
    }

    fn tick(&mut self, second: i64, shared: &mut Shared) {
        self.examine(second, false, shared);
        self.look_for_shift(second, shared);
        self.judge_new(second);
        if let Some(fit) = self.fit_second(second, Side::Before, shared) {
            if fit.settled > 0.5 {
                self.ring.set_slope(fit.slope);
                shared.slope = Some(fit.slope);
            }
            self.local = fit.margin.map_or(self.local, |m| m < LOCAL_RTT_NS);
        }
        self.fit_second(second.saturating_sub(self.windows()[0] / 2), Side::Middle, shared);
        self.measure_steps(second.saturating_sub(self.windows()[0] + 1), shared);
    }

    pub(super) fn windows(&self) -> &'static [i64] {
        if self.local { self.limits.narrow } else { self.limits.wide }
    }

    /// The span that an instant belongs to; absent next to a step.
    fn span(&self, x: i64) -> Option<SpanOf> {
        self.spans.iter().copied().find(|s| (s.from..=s.to).contains(&x))
    }

    /// The current span.
    pub(super) fn current(&self) -> SpanOf {
        self.spans.last().copied().unwrap_or(SpanOf::new(0))
    }

    /// Renames the epoch of a run that turned out to continue, or not to continue, another one.
    pub(super) fn rename(&mut self, epoch: u32) {
        if let Some(span) = self.spans.last_mut() {
            span.epoch = epoch;
        }
    }

    /// The seconds that this run's ring holds.
    pub(super) fn extent(&self) -> (i64, i64) {
        (self.ring.newest().saturating_sub(COARSE - 1), self.ring.newest())
    }

    /// Whether both directions have enough packets to trust this run against another.
    pub(super) fn proven(&self) -> bool {
        let count = |lane| {
            let (from, to) = (self.ring.newest() - FINE + 1, self.ring.newest());
            (from..=to).map(|s| self.ring.points(s, lane).count()).sum::<usize>()
        };
        count(Lane::Forward) >= cone::PROOF && count(Lane::Reverse) >= cone::PROOF
    }

    /// The points between two instants that belong to the span.
    pub(super) fn window(&self, span: SpanOf, from: i64, to: i64) -> Window {
        let (from, to) = (from.max(span.from), to.min(span.to).min(self.hold.saturating_sub(1)));
        let (oldest, newest) = self.extent();
        let seconds = second_of(from).max(oldest)..=second_of(to).min(newest);
        let lane = |lane| {
            let mut points = Vec::with_capacity(320);
            for second in seconds.clone() {
                points.extend(self.ring.points(second, lane).filter(|p| (from..=to).contains(&p.x)));
            }
            points
        };
        Window { forward: lane(Lane::Forward), reverse: lane(Lane::Reverse) }
    }

    /// Fits one second and keeps the knot; without packets of its own, or next to a step, there is none.
    pub(super) fn fit_second(&mut self, second: i64, side: Side, shared: &mut Shared) -> Option<Fit> {
        let at = self.ring.middle(second)?;
        let Some(span) = self.span(at).filter(|_| at < self.hold) else {
            shared.knots.remove(second, second);
            return None;
        };
        let sure = span.sure(at);
        let (fit, reach) = self.best_fit(sure.unwrap_or(span), at, side)?;
        shared.margin = match (shared.margin, fit.margin) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let (epoch, half, slope) = (span.epoch, fit.half.map(round_ns), fit.slope);
        let knot = Knot {
            second,
            at,
            epoch,
            here: Bounds::of(&fit),
            half,
            slope,
            rates: fit.rates,
            reach,
            alone: false,
        };
        shared.knots.set(if sure.is_some() { knot } else { self.alone(knot, span) });
        Some(fit)
    }

    /// The knot with bounds of the packets around it alone: farther ones may lie beyond a step that was not found.
    fn alone(&self, knot: Knot, span: SpanOf) -> Knot {
        let at = knot.at;
        let window = self.window(span, at.saturating_sub(GUARD_NS), at.saturating_add(GUARD_NS));
        let most = self.limits.max_rate + self.limits.wander;
        let near = fit::fallback(&window, at, &self.limits, self.carried).map(|fit| Bounds::of(&fit));
        let here = near.unwrap_or_default().around(knot.here.estimate);
        Knot { here, rates: (-most, most), alone: true, ..knot }
    }

    /// The longest window that a line explains and that a shorter one does not deny (the curvature test).
    fn best_fit(&self, span: SpanOf, at: i64, side: Side) -> Option<(Fit, i64)> {
        let attempt = |seconds: i64| {
            let (back, ahead) = match side {
                Side::Before => (seconds * SECOND, SECOND),
                Side::Middle => (seconds * SECOND / 2, seconds * SECOND / 2),
            };
            let window = self.window(span, at.saturating_sub(back), at.saturating_add(ahead));
            let points = window.forward.len() + window.reverse.len();
            (fit::fit(&window, at, &self.limits, self.carried), points)
        };
        let mut shorter = None;
        for (i, seconds) in self.windows().iter().enumerate() {
            let (candidate, points) = shorter.take().unwrap_or_else(|| attempt(*seconds));
            let Some(candidate) = candidate else { continue };
            // Live, the newest line is replaced half a window later anyway: one fit is enough.
            if let (Some(next), Side::Middle) = (self.windows().get(i + 1), side) {
                let check = attempt(*next);
                let straight = check.1 == points || check.0.as_ref().is_none_or(|c| agree(&candidate, c));
                shorter = Some(check);
                if !straight {
                    continue;
                }
            }
            return Some((candidate, seconds * SECOND / 2));
        }
        let window = self.window(span, at.saturating_sub(2 * SECOND), at.saturating_add(2 * SECOND));
        fit::fallback(&window, at, &self.limits, self.carried).map(|fit| (fit, 0))
    }

    /// Drops wrong matches and splits at contradictions, as far as the packets up to this second prove them.
    fn examine(&mut self, second: i64, last_word: bool, shared: &mut Shared) {
        self.hold = i64::MAX;
        // Each round drops a packet or ends, and a second cannot hold more of them than its slots.
        for _ in 0..64 {
            match cone::examine(&self.items(second), self.limits.max_rate + self.limits.wander) {
                Finding::Sound => return,
                Finding::Wrong(items) => self.discard(&items, shared),
                Finding::Stepped { before, after } => self.split(before, after, second, shared),
                Finding::Open { from, fewer } => {
                    if !last_word {
                        self.hold = from;
                        let from = second_of(from);
                        shared.knots.remove(from, self.ring.newest());
                        return;
                    }
                    self.discard(&fewer, shared);
                }
            }
        }
    }

    fn discard(&mut self, items: &[Item], shared: &mut Shared) {
        for item in items {
            self.ring.discard(item.lane, item.point);
            shared.wrong += 1;
        }
    }

    /// The current span's packets of the fine seconds, ordered by time.
    fn items(&self, second: i64) -> Vec<Item> {
        let span = self.current();
        let seconds = second.saturating_sub(FINE - 1).max(second_of(span.from))..=second;
        let mut items: Vec<Item> = Vec::with_capacity(1280);
        for s in seconds {
            items.extend(self.ring.merged(s).map(|(lane, point)| Item { lane, point }));
        }
        items.retain(|item| (span.from..=span.to).contains(&item.point.x));
        items
    }

    /// Tightens bounds at `x` by the packets around it that belong to the same epoch, given bounds of the rate.
    pub(super) fn tighten(&self, x: i64, bounds: Bounds, rates: (f64, f64)) -> Bounds {
        let Some(span) = self.span(x).filter(|_| x < self.hold) else { return bounds };
        let near = |lane| {
            self.ring.near(x, lane).filter(|p| (span.from..=span.to).contains(&p.x) && p.x < self.hold)
        };
        let moved = |p: Point, sign: f64| {
            let by = real(x.saturating_sub(p.x));
            let most = (sign * rates.0 * by).max(sign * rates.1 * by);
            p.y.saturating_add(super::num::ceil_ns(most)).saturating_add(1)
        };
        let hi = near(Lane::Forward).map(|p| moved(p, 1.0)).min();
        let lo = near(Lane::Reverse).map(|p| moved(p, -1.0)).min().map(i64::saturating_neg);
        bounds.and(Bounds { estimate: None, lo, hi })
    }
}

/// Which packets a fit of a second uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Those before its end: later ones are not there yet.
    Before,
    /// Those around it.
    Middle,
}

/// Whether two fits agree within four times the scatter of the shorter one; a microsecond always agrees.
fn agree(long: &Fit, short: &Fit) -> bool {
    let Some((a, b)) = long.estimate.zip(short.estimate) else { return true };
    let apart = real(long.base.saturating_sub(short.base)) + a - b;
    apart.abs() <= (4.0 * short.scatter).max(1000.0)
}
