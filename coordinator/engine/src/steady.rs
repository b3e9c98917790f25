//! Stamps of a host's wall clock, put on a clock that nobody sets or slews.
//!
//! A live capture is stamped by `CLOCK_REALTIME`. Its agent reads that clock beside the raw oscillator around every
//! batch. *Steady time* is the wall clock's reading at the first sample plus what the oscillator has counted since,
//! so it is the host's own time until its clock is slewed or set, and goes on evenly then. Between two samples a
//! stamp is mapped along a straight line (ALGORITHMS §1.3). The engine works on steady time throughout, and maps back
//! where it shows a time.
//!
//! A clock that is set back shows some times twice. Which of the two a stamp means follows from the order of the
//! packets, and from the agent's word up to when everything had been read before. Where that leaves both possible, or
//! where the stamp lies between the last sample before a step and the first after it, the packet is *doubtful*: it
//! has a time, but teaches the clock nothing.

mod line;
#[cfg(test)]
mod tests;

use crate::feed::LATEST;
use correlate_proto::ClockSample;
use line::{between, real, round};
use std::collections::VecDeque;

/// Samples kept, for showing times: an hour and more at the usual fourteen a second, in 1.5 MB. Beyond it every
/// second one of the older half goes, those around steps stay; times from then are shown off by as much as the
/// clock's rate changed meanwhile, some µs.
const MAX_KNOTS: usize = 1 << 16;

/// Steps that are listed; further ones are followed all the same.
pub(crate) const MAX_STEPS: usize = 64;

/// Doubtful packets that are remembered. They are asked for as they are matched, within seconds; of more than so many
/// in that time the oldest count as certain.
const MAX_DOUBTS: usize = 1 << 16;

/// Stamps within one capture may go backwards by tens of µs.
const DISORDER_NS: i64 = 10_000_000;

/// A rate is known from samples that are at least so far apart: their width is some 100 ns.
const RATE_FROM_NS: i64 = 100_000_000;

/// A sample that was interrupted for longer tells less than the ones around it.
const WIDE_NS: i64 = 20_000;

/// Without a sample for so long a wide one is better than none.
const WIDE_AFTER_NS: i64 = 1_000_000_000;

/// Where the clock is known to have been set, a jump beyond what NTP may slew between the samples is a step
/// (adjtimex(2): 500 ppm, and 100 ppm for crystals); less is not worth the name.
const SLEW: f64 = 600e-6;
const LEAST_STEP_NS: f64 = 1_000.0;

/// Where nothing told that the clock was set, it must have jumped beyond all slewing: chrony goes up to 8.3 %.
const UNTOLD_RATE: f64 = 0.15;
const UNTOLD_STEP_NS: f64 = 1_000_000.0;

/// A rate that changed by so much between two samples may put the stamps between them off by a quarter of it.
const BEND_NS: f64 = 20_000.0;

/// A wall clock beside the oscillator of its host.
#[derive(Debug)]
pub(crate) struct SteadyClock {
    /// Added to the oscillator's count it gives steady time.
    raw_offset: i64,
    knots: Vec<Knot>,
    /// First knot behind the last step.
    tail: usize,
    /// How much faster than the oscillator the wall clock ran, as last known.
    rate: f64,
    rate_is_known: bool,
    /// The knot from which the next rate is taken.
    anchor: Knot,
    /// Latest time of a packet.
    latest: i64,
    /// Every packet up to here was in batches before the present one.
    floor: i64,
    /// The same behind the present one.
    announced: i64,
    steps: Vec<WallStep>,
    doubts: VecDeque<u64>,
}

/// A sample on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Knot {
    steady: i64,
    wall: i64,
    /// The wall clock was set between the knot before and this one.
    after_step: bool,
    /// The rate changed much between the two.
    bent: bool,
}

/// The wall clock of a host was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WallStep {
    /// By when, in steady time: the first sample that shows it.
    pub(crate) at: i64,
    /// What the wall clock showed at the last sample before.
    pub(crate) wall: i64,
    /// By how much it went forward; negative if it was set back.
    pub(crate) by: i64,
    /// It happened within so long before `at`.
    pub(crate) within: i64,
}

/// Where a stamp lies in steady time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Placed {
    at: i64,
    doubtful: bool,
}

impl SteadyClock {
    /// A clock that begins with `first`: steady time is the wall clock's there.
    pub(crate) fn new(first: &ClockSample) -> Self {
        let wall = first.realtime.as_ns().clamp(-LATEST, LATEST);
        let knot = Knot { steady: wall, wall, after_step: false, bent: false };
        Self {
            raw_offset: wall.saturating_sub(first.raw_ns),
            knots: vec![knot],
            tail: 0,
            rate: 0.0,
            rate_is_known: false,
            anchor: knot,
            latest: i64::MIN,
            floor: i64::MIN,
            announced: i64::MIN,
            steps: Vec::new(),
            doubts: VecDeque::new(),
        }
    }

    /// A batch of packets comes, with these samples beside it; every packet up to `until`, by the oscillator, is in it
    /// or one before.
    pub(crate) fn begin_batch(&mut self, samples: &[ClockSample], until: Option<i64>) {
        for sample in samples {
            self.sample(sample);
        }
        self.floor = self.announced;
        self.announced = until.map_or(self.announced, |raw_ns| self.announced.max(self.of_raw(raw_ns)));
    }

    /// Takes in the next sample. One that is not later than those before says nothing new.
    fn sample(&mut self, sample: &ClockSample) {
        let last = self.newest();
        let steady = self.of_raw(sample.raw_ns);
        let wall = sample.realtime.as_ns().clamp(-LATEST, LATEST);
        let mut knot = Knot { steady, wall, after_step: false, bent: false };
        let elapsed = steady.saturating_sub(last.steady);
        let width = i64::from(sample.width_ns);
        if elapsed <= 0 || (width > WIDE_NS && elapsed < WIDE_AFTER_NS && !sample.stepped) {
            return;
        }
        let ahead = knot.wall.saturating_sub(last.wall).saturating_sub(elapsed);
        let jump = real(ahead) - self.rate * real(elapsed);
        let slewed = SLEW * real(elapsed) + real(width) + LEAST_STEP_NS;
        let beyond_all = UNTOLD_RATE * real(elapsed) + UNTOLD_STEP_NS;
        if (sample.stepped && jump.abs() > slewed) || jump.abs() > beyond_all {
            knot.after_step = true;
            self.step(last, knot, round(jump));
        } else if knot.wall <= last.wall {
            return;
        } else {
            knot.bent = self.rate_is_known && jump.abs() > BEND_NS;
            self.learn_rate(knot);
        }
        self.knots.push(knot);
        if self.knots.len() > MAX_KNOTS {
            self.thin();
        }
    }

    fn step(&mut self, last: Knot, knot: Knot, by: i64) {
        self.tail = self.knots.len();
        self.anchor = knot;
        if self.steps.len() < MAX_STEPS {
            let within = knot.steady.saturating_sub(last.steady);
            self.steps.push(WallStep { at: knot.steady, wall: last.wall, by, within });
        }
    }

    fn learn_rate(&mut self, knot: Knot) {
        let elapsed = knot.steady.saturating_sub(self.anchor.steady);
        if elapsed >= RATE_FROM_NS {
            let ahead = knot.wall.saturating_sub(self.anchor.wall).saturating_sub(elapsed);
            (self.rate, self.rate_is_known, self.anchor) = (real(ahead) / real(elapsed), true, knot);
        }
    }

    /// Steady time of a count of the oscillator.
    pub(crate) const fn of_raw(&self, raw_ns: i64) -> i64 {
        raw_ns.saturating_add(self.raw_offset)
    }

    /// Steady time of the newest sample.
    pub(crate) fn now(&self) -> i64 {
        self.newest().steady
    }

    /// Steady time of packet number `packet` of the present batch, stamped `wall`. Packets are given in the order of
    /// their capture.
    pub(crate) fn of_packet(&mut self, packet: u64, wall: i64) -> i64 {
        let not_before = self.latest.saturating_sub(DISORDER_NS).max(self.floor);
        let mut placed = if self.tail == 0 || self.knots[self.tail].steady <= not_before {
            self.on(self.tail, self.knots.len(), wall)
        } else {
            self.among_steps(wall, not_before)
        };
        // Every packet of a batch is older than the batch's last sample.
        if placed.at > self.now() {
            placed = Placed { at: self.now(), doubtful: true };
        }
        if placed.doubtful {
            self.doubts.push_back(packet);
            if self.doubts.len() > MAX_DOUBTS {
                self.doubts.pop_front();
            }
        } else {
            self.latest = self.latest.max(placed.at);
        }
        placed.at
    }

    /// Steady time of an instant that the wall clock showed lately: the latest one that was not to come yet.
    pub(crate) fn of_wall(&self, wall: i64) -> i64 {
        let mut end = self.knots.len();
        while end > 0 {
            let start = self.start_of(end);
            let at = self.on(start, end, wall).at;
            let to = self.knots.get(end).map_or_else(|| self.now(), |next| next.steady);
            if (self.since(start)..=to).contains(&at) {
                return at;
            }
            end = start;
        }
        self.on(self.tail, self.knots.len(), wall).at.min(self.now())
    }

    /// What the wall clock showed at `at`.
    pub(crate) fn wall(&self, at: i64) -> i64 {
        let behind = self.knots.partition_point(|knot| knot.steady <= at);
        match (behind.checked_sub(1).map(|before| self.knots[before]), self.knots.get(behind)) {
            (Some(a), Some(&b)) if !b.after_step => {
                let along = between((a.steady, a.wall), (b.steady, b.wall), at);
                // Two stamps may have one steady time, as both are whole nanoseconds; else this finds the right one.
                let back = |wall: &i64| between((a.wall, a.steady), (b.wall, b.steady), *wall) == at;
                [along, along + 1, along - 1].into_iter().find(back).unwrap_or(along)
            }
            (Some(a), _) => {
                let by = at.saturating_sub(a.steady);
                a.wall.saturating_add(by).saturating_add(round(real(by) * self.rate))
            }
            (None, Some(first)) => first.wall.saturating_add(at.saturating_sub(first.steady)),
            (None, None) => at,
        }
    }

    /// Steps in order, the first [`MAX_STEPS`].
    pub(crate) fn steps(&self) -> &[WallStep] {
        &self.steps
    }

    /// Whether that packet's time is not certain.
    pub(crate) fn is_doubtful(&self, packet: u64) -> bool {
        !self.doubts.is_empty() && self.doubts.binary_search(&packet).is_ok()
    }

    fn newest(&self) -> Knot {
        self.knots.last().copied().unwrap_or(self.anchor)
    }

    /// First knot of the stretch between two steps that ends before `end`.
    fn start_of(&self, end: usize) -> usize {
        self.knots[..end].iter().rposition(|knot| knot.after_step).unwrap_or(0)
    }

    /// Since when the clock was as in the stretch that begins with knot `start`, at the earliest.
    fn since(&self, start: usize) -> i64 {
        start.checked_sub(1).map_or(i64::MIN, |before| self.knots[before].steady)
    }

    /// Where a stamp lies, given the knots of one stretch between two steps.
    fn on(&self, start: usize, end: usize, wall: i64) -> Placed {
        let knots = &self.knots[start..end];
        let behind = knots.partition_point(|knot| knot.wall <= wall);
        let sure = |at| Placed { at, doubtful: false };
        match (behind.checked_sub(1).map(|before| knots[before]), knots.get(behind)) {
            (Some(a), Some(b)) => {
                Placed { at: between((a.wall, a.steady), (b.wall, b.steady), wall), doubtful: b.bent }
            }
            (Some(a), None) => {
                let by = wall.saturating_sub(a.wall);
                let ahead = round(real(by) * self.rate / (1.0 + self.rate));
                sure(a.steady.saturating_add(by).saturating_sub(ahead))
            }
            (None, Some(first)) => sure(first.steady.saturating_add(wall.saturating_sub(first.wall))),
            (None, None) => sure(wall),
        }
    }

    /// Where a stamp lies that may belong before or behind a step, but not before `not_before`: the earliest place.
    #[cold]
    fn among_steps(&self, wall: i64, not_before: i64) -> Placed {
        let mut found: Option<Placed> = None;
        let mut end = self.knots.len();
        while end > 0 {
            let start = self.start_of(end);
            let is_last = end == self.knots.len();
            let placed = self.on(start, end, wall);
            let until = if is_last { self.now() } else { self.knots[end].steady };
            let possible = self.since(start).max(not_before)..=until;
            if possible.contains(&placed.at) {
                let sampled = self.knots[start].steady..=self.knots[end - 1].steady;
                let doubtful = found.is_some() || placed.doubtful || !sampled.contains(&placed.at);
                found = Some(Placed { at: placed.at, doubtful });
            }
            // The stretch before ended at the latest where this one was seen to have begun.
            if start == 0 || self.knots[start].steady < not_before {
                break;
            }
            end = start;
        }
        found.unwrap_or_else(|| {
            let at = self.on(self.tail, self.knots.len(), wall).at;
            Placed { at: at.clamp(not_before.min(self.now()), self.now()), doubtful: true }
        })
    }

    /// Drops every second knot of the older half, but for those on both sides of a step.
    fn thin(&mut self) {
        let half = self.knots.len() / 2;
        let keep = |place: usize| {
            let knot = |place: usize| self.knots.get(place).is_some_and(|knot: &Knot| knot.after_step);
            place > half || place.is_multiple_of(2) || knot(place) || knot(place + 1)
        };
        let kept: Vec<Knot> =
            (0..self.knots.len()).filter(|&place| keep(place)).map(|place| self.knots[place]).collect();
        // A clock that is set at every reading has no knot to spare: the oldest go.
        let excess = kept.len().saturating_sub(MAX_KNOTS);
        self.knots = kept[excess..].to_vec();
        self.tail = self.start_of(self.knots.len());
    }
}
