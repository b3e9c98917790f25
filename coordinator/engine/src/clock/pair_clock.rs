//! The clock of a host pair as callers see it.

use super::knots::{Alignment, Bounds, Envelopes, Knot};
use super::limits::{ClockInput, Limits};
use super::num::{real, round_ns};
use super::ring::{Lane, Point, second_of};
use super::run::{Run, Shared};
use super::step::Split;
use super::witness::{Witness, Witnesses};
use correlate_proto::{Local, Span, Timestamp};

/// A step of B's clock relative to A's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// First packet that shows it, by A's clock.
    pub at: Timestamp<Local>,
    /// By how much B's clock moved ahead of A's; negative if it fell back.
    pub by: Span,
}

/// How an offset was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Line of maximum margin between both directions.
    MaxMargin,
    /// Only one direction was seen: a bound on one side, no estimate.
    OneWay,
    /// No packet was matched.
    None,
}

impl Method {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxMargin => "max-margin",
            Self::OneWay => "one-way",
            Self::None => "none",
        }
    }
}

/// The clock of a pair in a few numbers, for the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockSummary {
    /// Where `offset` and the bounds hold best, by A's clock; absent without packets.
    pub at: Option<Timestamp<Local>>,
    /// Offset there, B minus A; absent unless both directions were seen.
    pub offset: Option<Span>,
    /// Half the width of the bound there; absent unless both directions were seen.
    pub uncertainty: Option<Span>,
    /// The offset there is not less; absent without packets from B to A.
    pub lo: Option<Span>,
    /// The offset there is not more; absent without packets from A to B.
    pub hi: Option<Span>,
    /// Rate of B's clock against A's in parts per billion; absent if the packets do not settle it.
    pub skew_ppb: Option<i64>,
    /// Packets used from A to B, and from B to A.
    pub samples: (u64, u64),
    /// How it was found.
    pub method: Method,
    /// Steps in order of time.
    pub steps: Vec<Step>,
}

impl ClockSummary {
    /// Both bounds of the offset, low and high; absent unless both directions were seen.
    #[must_use]
    pub const fn bound(&self) -> Option<(Span, Span)> {
        match (self.lo, self.hi) {
            (Some(lo), Some(hi)) => Some((lo, hi)),
            _ => None,
        }
    }
}

/// Steps that are listed; a clock that steps more often is not listed further, but still followed.
pub(super) const MAX_STEPS: usize = 64;

/// The clock of an ordered pair of hosts: φ maps A's clock to B's, and the offset is `o(x) = φ(x) − x` at the
/// instant `x` of A's clock. A is the end nearer to the client.
///
/// Memory is bounded at about 350 KiB however long it runs and however stamps jump: two rings of 512 s, and 4096
/// fits that thin out with age. Stamps 512 s or more from all others start a ring of their own; of more than two
/// such places the least recently used is forgotten, its fits are kept.
///
/// The certificate (`lo`, `hi`) relies on the assumptions in the module's documentation, the estimate on the
/// two directions' minimum delays being equal as well.
#[derive(Debug, Clone)]
pub struct PairClock {
    limits: Limits,
    /// At most two; the last one is in use.
    runs: Vec<Run>,
    /// Runs whose epoch is settled against the others', parallel to `runs`.
    joined: Vec<bool>,
    shared: Shared,
    steps: Vec<Step>,
    forward: u64,
    reverse: u64,
    witnesses: Witnesses,
}

impl PairClock {
    /// A clock that knows nothing yet.
    pub fn new(kind: ClockInput) -> Self {
        Self {
            limits: kind.limits(),
            runs: Vec::new(),
            joined: Vec::new(),
            shared: Shared::default(),
            steps: Vec::new(),
            forward: 0,
            reverse: 0,
            witnesses: Witnesses::default(),
        }
    }

    /// A packet sent at `a` by A's clock was received at `b` by B's. Only matches without doubt: a wrong one
    /// may be found and dropped, or may not. Cheap: most packets end at one comparison.
    pub fn forward(&mut self, a: Timestamp<Local>, b: Timestamp<Local>) {
        self.forward += 1;
        self.push(Lane::Forward, Point { x: a.as_ns(), y: b.as_ns().saturating_sub(a.as_ns()) });
    }

    /// A packet sent at `b` by B's clock was received at `a` by A's. As [`Self::forward`].
    pub fn reverse(&mut self, b: Timestamp<Local>, a: Timestamp<Local>) {
        self.reverse += 1;
        self.push(Lane::Reverse, Point { x: a.as_ns(), y: a.as_ns().saturating_sub(b.as_ns()) });
    }

    /// Packet number `packets.0` of A's capture is number `packets.1` of B's, and both clocks' stamps of it are as for
    /// [`Self::forward`] or [`Self::reverse`]. One of them in a second can be named later.
    pub fn witness(&mut self, witness: Witness) {
        self.witnesses.note(witness);
    }

    /// Packets before and after a step that show it; absent if none are remembered on both sides.
    pub fn witnesses(&self, step: &Step) -> Option<[Witness; 2]> {
        self.witnesses.around(step.at.as_ns())
    }

    /// Whether a step at the instant `x` of A's clock would have shown: fits stand on both sides within ten seconds.
    pub fn watched(&self, x: Timestamp<Local>) -> bool {
        let near = |knot: &Knot| knot.at.abs_diff(x.as_ns()) < 10_000_000_000 && knot.here.estimate.is_some();
        let (before, after) = self.shared.knots.around(x.as_ns());
        before.is_some_and(near) && after.is_some_and(near)
    }

    fn push(&mut self, lane: Lane, p: Point) {
        match self.runs.last_mut() {
            Some(run) if run.ring.at_cursor(p.x) => run.ring.push(lane, p),
            _ => self.push_elsewhere(lane, p),
        }
    }

    #[cold]
    fn push_elsewhere(&mut self, lane: Lane, p: Point) {
        // Nearer to the ends of time than a ring is long: a damaged record.
        if p.x.unsigned_abs() > i64::MAX.unsigned_abs() - (1 << 40) {
            self.shared.wrong += 1;
            return;
        }
        let found = self.runs.iter().rposition(|run| run.ring.holds(p.x));
        let index = found.unwrap_or_else(|| self.add_run(second_of(p.x)));
        let last = self.runs.len() - 1;
        self.runs.swap(index, last);
        self.joined.swap(index, last);
        self.runs[last].ring.push(lane, p);
    }

    /// Makes room for stamps far from all others.
    fn add_run(&mut self, second: i64) -> usize {
        if self.runs.len() == 2 {
            self.finish_run(0);
            self.runs.remove(0);
            self.joined.remove(0);
        }
        let epoch = self.shared.epoch();
        self.runs.push(Run::new(second, self.limits, epoch));
        self.joined.push(false);
        self.runs.len() - 1
    }

    /// Fits everything up to the instant `now` of A's clock, which is when packets up to then are in; later
    /// ones still count, in their own second. Fits fall on whole seconds, so how often this is called does not
    /// matter.
    pub fn advance(&mut self, now: Timestamp<Local>) {
        for index in 0..self.runs.len() {
            self.runs[index].advance(second_of(now.as_ns()), &mut self.shared);
            self.join(index);
        }
        self.list_steps();
    }

    /// Fits all that is there with all that is there. Packets may still come, and then this may be called again.
    pub fn finish(&mut self) {
        for index in 0..self.runs.len() {
            self.finish_run(index);
        }
        self.list_steps();
    }

    fn finish_run(&mut self, index: usize) {
        self.runs[index].finish(&mut self.shared);
        self.join(index);
    }

    /// Decides whether a run far from the others shows the same clock, one that stepped, or wrong matches.
    fn join(&mut self, index: usize) {
        if self.joined[index] {
            return;
        }
        let (from, to) = self.runs[index].extent();
        let inside = |k: &&Knot| (from..=to).contains(&k.second);
        let knots = self.shared.knots.all();
        let Some(own) = knots.iter().find(inside).copied() else { return };
        let Some(other) =
            knots.iter().filter(|k| !inside(k)).min_by_key(|k| k.second.abs_diff(own.second)).copied()
        else {
            self.joined[index] = true;
            return;
        };
        let there = other.project(own.at, self.limits.max_rate + self.limits.wander);
        let apart = |lo: Option<i64>, hi: Option<i64>| lo.zip(hi).is_some_and(|(lo, hi)| lo > hi);
        if apart(there.lo, own.here.hi) || apart(own.here.lo, there.hi) {
            self.settle_conflict(index, own, other);
            return;
        }
        self.runs[index].rename(other.epoch);
        self.rename_knots(from, to, own.epoch, other.epoch);
        self.joined[index] = true;
    }

    /// Two far places deny each other: the one without enough packets is wrong; of two with enough the later
    /// one is after a step.
    fn settle_conflict(&mut self, index: usize, own: Knot, other: Knot) {
        let (from, to) = self.runs[index].extent();
        if !self.runs[index].proven() {
            self.shared.knots.remove(from, to);
            return;
        }
        let weak = (0..self.runs.len()).find(|i| {
            let (from, to) = self.runs[*i].extent();
            *i != index && (from..=to).contains(&other.second) && !self.runs[*i].proven()
        });
        self.joined[index] = true;
        if let Some(weak) = weak {
            let (from, to) = self.runs[weak].extent();
            self.shared.knots.remove(from, to);
            self.joined[weak] = false;
            return;
        }
        let (old, new) = if own.second > other.second { (other, own) } else { (own, other) };
        self.shared.splits.push(Split { at: new.at, old: old.epoch, new: new.epoch, by: None });
    }

    fn rename_knots(&mut self, from: i64, to: i64, old: u32, new: u32) {
        let own: Vec<Knot> = self.shared.knots.all().to_vec();
        for knot in own.into_iter().filter(|k| (from..=to).contains(&k.second) && k.epoch == old) {
            self.shared.knots.set(Knot { epoch: new, ..knot });
        }
    }

    /// Measures the steps by the fits on both sides of each.
    fn list_steps(&mut self) {
        let knots = self.shared.knots.all();
        let most = self.limits.max_rate;
        let between = |split: &Split| {
            let old = knots.iter().rfind(|k| k.epoch == split.old)?.project(split.at, most).estimate?;
            let new = knots.iter().find(|k| k.epoch == split.new)?.project(split.at, most).estimate?;
            Some(new.saturating_sub(old))
        };
        let sized = |split: &Split| {
            let by = split.by.or_else(|| between(split))?;
            Some(Step { at: Timestamp::from_ns(split.at), by: Span(by) })
        };
        let mut steps: Vec<Step> = self.shared.splits.iter().take(MAX_STEPS).filter_map(sized).collect();
        steps.sort_by_key(|step| step.at);
        self.steps = steps;
    }

    /// The offset at the instant `x` of A's clock, as far as [`Self::advance`] or [`Self::finish`] have come.
    /// Near a step either offset may hold, and the bounds cover both.
    pub fn offset_at(&self, x: Timestamp<Local>) -> Alignment {
        self.bounds_at(x.as_ns()).alignment()
    }

    /// The fastest packets of both directions around the instant `x` of A's clock, as far as [`Self::advance`] or
    /// [`Self::finish`] have come. Absent unless both directions were seen. A queue that stands for longer than the
    /// window of a fit (tens of seconds) counts as part of the path.
    pub fn envelopes_at(&self, x: Timestamp<Local>) -> Option<Envelopes> {
        self.shared.knots.envelopes(x.as_ns(), |epoch| self.begins(epoch))
    }

    /// The instant at which the clock stepped that `epoch` begins with.
    fn begins(&self, epoch: u32) -> i64 {
        self.shared.splits.iter().find(|split| split.new == epoch).map_or(i64::MAX, |split| split.at)
    }

    fn bounds_at(&self, x: i64) -> Bounds {
        let most = self.limits.max_rate + self.limits.wander;
        let mut bounds = self.shared.knots.at(x, most, |epoch| self.begins(epoch));
        if self.between_steps(x) {
            bounds = Bounds { lo: None, hi: None, ..bounds };
        }
        let (Some(nearest), true) = self.nearest(x) else { return bounds };
        let inside = real(x.saturating_sub(nearest.at).saturating_abs()) <= real(nearest.reach);
        let rates = if inside { nearest.rates } else { (-most, most) };
        let holder =
            self.runs.iter().zip(&self.joined).rev().find(|(run, joined)| **joined && run.ring.holds(x));
        holder.map_or(bounds, |(run, _)| run.tighten(x, bounds, rates))
    }

    /// Whether the clock stepped more than once between the fits around an instant: between two steps in quick
    /// succession it stood where no fit tells of it.
    fn between_steps(&self, x: i64) -> bool {
        let (Some(a), Some(b)) = self.shared.knots.around(x) else { return false };
        let between = |split: &&Split| a.at < split.at && split.at <= b.at;
        a.epoch != b.epoch && self.shared.splits.iter().filter(between).count() > 1
    }

    /// The knot nearest to an instant, and whether the instant lies on one clock for certain.
    fn nearest(&self, x: i64) -> (Option<&Knot>, bool) {
        match self.shared.knots.around(x) {
            (None, None) => (None, false),
            (Some(k), None) | (None, Some(k)) => (Some(k), true),
            (Some(a), Some(b)) => {
                let nearer = if x.abs_diff(a.at) <= x.abs_diff(b.at) { a } else { b };
                (Some(nearer), a.epoch == b.epoch)
            }
        }
    }

    /// Smallest round trip that any fit allows, free of skew: not less than the true minimum. Absent unless
    /// both directions were seen.
    pub fn min_rtt(&self) -> Option<Span> {
        self.shared.margin.map(|m| Span(round_ns(m)))
    }

    /// Rate of B's clock against A's in parts per billion: over the whole of the last epoch if that is longer
    /// than a window, else as the last fit has it. Absent if the packets do not settle it.
    pub fn skew_ppb(&self) -> Option<i64> {
        self.shared.slope.map(|slope| round_ns(self.long_slope().unwrap_or(slope) * 1e9))
    }

    fn long_slope(&self) -> Option<f64> {
        let knots = self.shared.knots.all();
        let last = knots.last()?;
        let first = knots.iter().find(|k| k.epoch == last.epoch)?;
        let (from, to) = first.here.estimate.zip(last.here.estimate)?;
        let elapsed = last.at.saturating_sub(first.at);
        (elapsed > 2 * last.reach.max(1)).then(|| real(to.saturating_sub(from)) / real(elapsed))
    }

    /// Packets fed from A to B, and from B to A.
    pub const fn samples(&self) -> (u64, u64) {
        (self.forward, self.reverse)
    }

    /// How the offset was found.
    pub const fn method(&self) -> Method {
        match (self.forward, self.reverse) {
            (0, 0) => Method::None,
            (0, _) | (_, 0) => Method::OneWay,
            _ => Method::MaxMargin,
        }
    }

    /// Packets put aside as wrongly matched: they contradict the others.
    pub const fn wrong(&self) -> u64 {
        self.shared.wrong
    }

    /// Steps found, in order of time, at most 64. Their size becomes better as packets follow.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The clock in a few numbers, taken where its bound is narrowest in the last epoch.
    pub fn summary(&self) -> ClockSummary {
        let knots = self.shared.knots.all();
        let epoch = knots.last().map(|k| k.epoch);
        let width = |k: &&Knot| {
            let both = k.here.lo.zip(k.here.hi);
            both.map_or(u64::MAX, |(lo, hi)| hi.abs_diff(lo))
        };
        let at = knots.iter().filter(|k| Some(k.epoch) == epoch).min_by_key(width).map(|k| k.at);
        let bounds = at.map_or_else(Bounds::default, |at| self.bounds_at(at));
        let half = bounds.lo.zip(bounds.hi).map(|(lo, hi)| Span(hi.saturating_sub(lo) / 2));
        let Alignment { estimate, lo, hi } = bounds.alignment();
        ClockSummary {
            at: at.map(Timestamp::from_ns),
            offset: estimate,
            uncertainty: half,
            lo,
            hi,
            skew_ppb: self.skew_ppb(),
            samples: self.samples(),
            method: self.method(),
            steps: self.steps.clone(),
        }
    }
}
