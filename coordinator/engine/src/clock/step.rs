//! Steps of a run: found by contradiction or by the twin envelopes, split, and measured.

use super::envelope::{self, Bucket};
use super::fit::{self, Window};
use super::num::{real, round_ns};
use super::ring::{Lane, Point, SECOND, second_of};
use super::run::{Judged, Run, Shared, Side, SpanOf};

/// Left out on both sides of a step: packets in flight then were stamped by both clocks.
pub(super) const GUARD_NS: i64 = SECOND;
/// Seconds that the twin-envelope test looks at, the newest aside.
const BUCKETS: i64 = 126;
/// A packet that is so much of a small step beyond the old bound shows that the step has happened, and one that is
/// so little beyond it may: packets rarely are the fastest, and the old clock must not be measured with the new one's.
const MOVED: f64 = 0.5;
const SUSPECT: f64 = 1.0 / 16.0;
/// So many times its error a slope is not off: a false step is worse than one that is told a few seconds later.
const SURE: f64 = 4.0;
/// A straight line that costs less than this share of a shift in round trip explains the shift without a step.
const BENT: f64 = 0.5;
/// Spans of one run that are remembered; a ring of 512 s has no use for more.
const MAX_SPANS: usize = 64;

/// A step as a run found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Split {
    /// First instant of the new clock, by A's clock.
    pub(super) at: i64,
    /// Epoch that ended.
    pub(super) old: u32,
    /// Epoch that began.
    pub(super) new: u32,
    /// Its size, if packets of both sides have measured it.
    pub(super) by: Option<i64>,
}

impl Run {
    /// Ends the current epoch before a step and starts a new one after it, then fits again what it touched.
    pub(super) fn split(&mut self, before: i64, after: i64, second: i64, shared: &mut Shared) {
        let new = shared.epoch();
        let Some(current) = self.spans.last_mut() else { return };
        let old = current.epoch;
        current.to = before.saturating_sub(GUARD_NS);
        let from = after.saturating_add(GUARD_NS);
        let judged = self.judge_old();
        let refit = second_of(before.min(judged)).saturating_sub(self.windows()[0] / 2 + 1);
        if self.spans.len() == MAX_SPANS {
            self.spans.remove(0);
        }
        let judged = if self.limits.steps { Judged::NOT_YET } else { Judged::ALL };
        self.spans.push(SpanOf { epoch: new, from, to: i64::MAX, judged });
        self.carried = shared.slope.unwrap_or(0.0);
        shared.splits.push(Split { at: after, old, new, by: None });
        for s in refit.max(self.extent().0)..=second {
            self.fit_second(s, Side::Middle, shared);
        }
    }

    /// The current span ends: of its last buckets the twin-envelope test has not seen enough to find a second step.
    /// Tells up to where it has.
    fn judge_old(&mut self) -> i64 {
        let to = self.current().to;
        if !self.limits.steps {
            return to;
        }
        let fastest = self.fastest(second_of(to));
        let last = fastest.len().checked_sub(envelope::SHORT + envelope::GUARD + 1);
        let judged = last.and_then(|last| fastest.get(last)).map_or(i64::MIN, |(f, r)| f.x.max(r.x));
        if let Some(span) = self.spans.last_mut() {
            span.judged.to = judged;
        }
        judged
    }

    /// The current span began with a step: until it has as many buckets as the twin-envelope test needs of an old
    /// level and leaves out after it, a second step would not be found.
    pub(super) fn judge_new(&mut self, second: i64) {
        if self.current().judged.from != i64::MAX {
            return;
        }
        let enough = self.fastest(second).get(envelope::SHORT + envelope::GUARD).map(|(f, r)| f.x.min(r.x));
        if let (Some(span), Some(from)) = (self.spans.last_mut(), enough) {
            span.judged.from = from;
        }
    }

    /// The twin-envelope test on the seconds of the current epoch; only for clocks that may be set.
    pub(super) fn look_for_shift(&mut self, second: i64, shared: &mut Shared) {
        if !self.limits.steps {
            return;
        }
        let fastest = self.fastest(second);
        let Some(flat) = self.straightened(&fastest, second) else { return };
        let bucket = |(f, r): &(Point, Point)| Bucket {
            upper: flat.height(Lane::Forward, *f),
            lower: -flat.height(Lane::Reverse, *r),
        };
        let buckets: Vec<Bucket> = fastest.iter().map(bucket).collect();
        let Some(shift) = envelope::shift(&buckets, self.least_step(&fastest, &flat)) else { return };
        if !self.bent(&fastest, second, shift.by) {
            return;
        }
        // The step shows first in the direction whose bound it broke.
        let (lane, level) =
            if shift.by > 0.0 { (Lane::Reverse, -shift.lower) } else { (Lane::Forward, shift.upper) };
        let beyond = |share: f64| {
            let mut recent = (second - 8..=second).flat_map(|s| self.ring.points(s, lane));
            recent.find(|p| flat.height(lane, *p) < level - shift.by.abs() * share).map(|p| p.x)
        };
        if let (Some(before), Some(at)) = (beyond(SUSPECT), beyond(MOVED)) {
            // A contradiction that too few packets showed to be judged is explained now.
            self.hold = i64::MAX;
            self.split(before, at, second, shared);
        }
    }

    /// Smaller shifts, in nanoseconds, are no proof of a step: so much both envelopes move while the new level is
    /// gathered, which takes long where packets are rare, if the rate wanders as it may and the line's slope is off.
    fn least_step(&self, fastest: &[(Point, Point)], flat: &Flat) -> f64 {
        let instant = |place: usize| fastest.get(place).map_or(0, |(f, r)| i64::midpoint(f.x, r.x));
        let newest = instant(fastest.len().saturating_sub(1));
        let old = fastest.len().saturating_sub(envelope::SHORT + envelope::GUARD + 1);
        let middle = instant(old.saturating_sub(envelope::LONG.min(old) / 2));
        let wandered = self.limits.wander * real(newest.saturating_sub(instant(old)));
        wandered + SURE * flat.slope_error * real(newest.saturating_sub(middle))
    }

    /// Whether no straight clock explains a shift. The line that the shift is measured from may be off by more than
    /// the few packets that it passes through show, and then both envelopes leave it together. A line through the
    /// old level and the new one may choose its slope anew; a true jump takes nearly all of its size from the round
    /// trip left between the two directions, whatever the slope.
    fn bent(&self, fastest: &[(Point, Point)], second: i64, by: f64) -> bool {
        let Some((old, new)) = sides(fastest) else { return false };
        let margin = |by: i64| {
            let forward = |p: &Point, by: i64| Point { x: p.x, y: p.y.saturating_sub(by) };
            let reverse = |p: &Point, by: i64| Point { x: p.x, y: p.y.saturating_add(by) };
            let moved = old.iter().map(|pair| (pair, 0)).chain(new.iter().map(|pair| (pair, by)));
            let window = Window {
                forward: moved.clone().map(|((f, _), by)| forward(f, by)).collect(),
                reverse: moved.map(|((_, r), by)| reverse(r, by)).collect(),
            };
            fit::fit(&window, second.saturating_mul(SECOND), &self.limits, self.carried)?.margin
        };
        let stepped = margin(round_ns(by)).unwrap_or_default();
        margin(0).is_none_or(|straight| stepped - straight > BENT * by.abs())
    }

    /// The fastest packet each way of every second of the current span that has both.
    fn fastest(&self, second: i64) -> Vec<(Point, Point)> {
        let span = self.current();
        let from = second.saturating_sub(BUCKETS).max(second_of(span.from));
        let best = |s, lane| self.ring.best(s, lane).filter(|p| (span.from..=span.to).contains(&p.x));
        (from..=second).filter_map(|s| Some((best(s, Lane::Forward)?, best(s, Lane::Reverse)?))).collect()
    }

    /// The line before the seconds in which a step is looked for, so that the step cannot tilt it.
    fn straightened(&self, fastest: &[(Point, Point)], second: i64) -> Option<Flat> {
        let (long, _) = sides(fastest)?;
        let window = Window {
            forward: long.iter().map(|(f, _)| *f).collect(),
            reverse: long.iter().map(|(_, r)| *r).collect(),
        };
        let at = second.saturating_mul(SECOND);
        let fit = fit::fit(&window, at, &self.limits, self.carried)?;
        Some(Flat { at, base: fit.base, slope: fit.slope, slope_error: fit.slope_error })
    }

    /// Measures the steps not earlier than a second by the packets of both sides. The oscillator did not change,
    /// so both sides share a slope, and the size is the distance of their lines.
    pub(super) fn measure_steps(&self, from: i64, shared: &mut Shared) {
        let reach = self.windows()[0].saturating_mul(SECOND);
        for pair in self.spans.windows(2) {
            let [old, new] = [pair[0], pair[1]];
            let found = shared.splits.iter_mut().find(|s| s.new == new.epoch && second_of(s.at) >= from);
            let Some(split) = found.filter(|s| s.old == old.epoch) else { continue };
            let before = self.window(old, old.to.saturating_sub(reach), old.to);
            let after = self.window(new, new.from, new.from.saturating_add(reach));
            split.by = fit::step(&before, &after, split.at, &self.limits, self.carried).or(split.by);
        }
    }
}

/// What the twin-envelope test compares: the old level and the new one.
fn sides<T>(buckets: &[T]) -> Option<(&[T], &[T])> {
    let new = buckets.len().checked_sub(envelope::SHORT)?;
    let old = new.checked_sub(envelope::GUARD)?;
    Some((&buckets[old.saturating_sub(envelope::LONG)..old], &buckets[new..]))
}

/// A line from which heights are measured.
#[derive(Debug, Clone, Copy)]
struct Flat {
    at: i64,
    base: i64,
    slope: f64,
    slope_error: f64,
}

impl Flat {
    /// How far a point's bound is from the line, in its lane's direction.
    fn height(&self, lane: Lane, p: Point) -> f64 {
        let along = self.slope * real(p.x.saturating_sub(self.at));
        match lane {
            Lane::Forward => real(p.y.saturating_sub(self.base)) - along,
            Lane::Reverse => real(p.y.saturating_add(self.base)) + along,
        }
    }
}
