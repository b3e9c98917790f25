//! Merges the capture points' records into the one order in which the engine takes them.
//!
//! The order is by roughly aligned time, then by point, then by place in the capture. A record is handed on only
//! when every other point has either a later record waiting or a watermark beyond it, so the order depends on
//! the records alone and not on when they arrived: the same recording gives the same order. The same holds for
//! the epochs of event time at which segments are judged: they stand at fixed places in that order.
//!
//! What an agent tells beside its records (counters, drops) enters at the first epoch behind the time of its telling,
//! so it changes nothing that was judged before, however early it is known here.

use crate::{Correlator, Progress};
use correlate_proto::convert::Sidecar;
use correlate_proto::{CapturePointId, Local, Record, Span, Timestamp};
use std::collections::VecDeque;

/// Segments are judged, and clocks fitted, each time event time passes a multiple of this.
const EPOCH_NS: i64 = 250_000_000;

/// Stamps further from 1970 than this, 146 years, are damage; they are taken as this far, so that no sum of them
/// overflows.
pub(crate) const LATEST: i64 = (1 << 62) - 1;

/// Stamps within one capture may go backwards by tens of µs; records older than the newest by more are in.
const DISORDER_NS: i64 = 10_000_000;

/// The last epoch at or before `at`.
const fn epoch_of(at: i64) -> i64 {
    at.div_euclid(EPOCH_NS).saturating_mul(EPOCH_NS)
}

/// The merged feed into a [`Correlator`].
#[derive(Debug)]
pub struct Feed {
    correlator: Correlator,
    queues: Vec<Queue>,
    next_epoch: i64,
    spare: Vec<Vec<Record>>,
}

/// What waits of one point.
#[derive(Debug)]
struct Queue {
    rough_offset: i64,
    batches: VecDeque<Vec<Record>>,
    next: usize,
    queued: usize,
    /// On common time.
    watermark: Option<i64>,
    /// Up to when its batches say that everything is in them, by its own clock.
    delivered: Option<i64>,
    ended: bool,
    /// What came beside the records, by its time on common time.
    beside: VecDeque<(i64, Sidecar)>,
    /// Records or samples of the point were taken in: what its stamps are is settled.
    begun: bool,
}

impl Queue {
    fn head(&self) -> Option<i64> {
        let record = self.batches.front()?.get(self.next)?;
        Some(self.common_time(record))
    }

    fn common_time(&self, record: &Record) -> i64 {
        self.common(record.at().as_ns())
    }

    /// On common time.
    fn common(&self, at: i64) -> i64 {
        at.saturating_add(self.rough_offset).clamp(-LATEST, LATEST)
    }

    /// No record that is still to come is earlier than this.
    fn frontier(&self) -> i64 {
        match self.head() {
            Some(head) => head,
            None if self.ended => i64::MAX,
            None => self.watermark.unwrap_or(i64::MIN),
        }
    }
}

impl Feed {
    /// A feed into `correlator`. `rough_offsets[p]` added to the stamps of point `p` puts them on a common
    /// time to within a second or so; a wrong one costs memory, not correctness.
    #[must_use]
    pub fn new(mut correlator: Correlator, rough_offsets: Vec<Span>) -> Self {
        correlator.set_rough_offsets(&rough_offsets);
        let queues = rough_offsets
            .into_iter()
            .map(|offset| Queue {
                rough_offset: offset.as_ns(),
                batches: VecDeque::new(),
                next: 0,
                queued: 0,
                watermark: None,
                delivered: None,
                ended: false,
                beside: VecDeque::new(),
                begun: false,
            })
            .collect();
        Self { correlator, queues, next_epoch: i64::MIN, spare: Vec::new() }
    }

    /// Hands over what stands beside the next records of `point`, before those records. A point whose first sidecar has
    /// a watermark by the raw clock is on steady time from then on: its stamps are mapped by the samples.
    pub fn push_sidecar(&mut self, point: CapturePointId, mut sidecar: Sidecar) {
        let queue = &mut self.queues[usize::from(point.0)];
        let begin = sidecar.watermark_raw_ns.is_some() && !queue.begun;
        queue.begun = true;
        let steady = self.correlator.begin_batch(point, &mut sidecar, begin);
        let until = sidecar.watermark_raw_ns.and_then(|raw_ns| self.correlator.steady_of_raw(point, raw_ns));
        queue.delivered = queue.delivered.max(until.or(sidecar.watermark.map(Timestamp::as_ns)));
        // Mapped by; they need not wait.
        sidecar.clock_samples = Vec::new();
        if sidecar.host_counters.is_empty() && sidecar.losses.is_empty() {
            return;
        }
        let told = sidecar.losses.iter().map(|loss| loss.last_at.as_ns());
        let told = told.chain(sidecar.host_counters.iter().map(|counters| counters.at_ns)).max();
        // By the samples it cannot be earlier than anything that was delivered before it.
        let at = queue.common(steady.or(told).unwrap_or(0));
        let at = queue.beside.back().map_or(at, |&(before, _)| at.max(before));
        queue.beside.push_back((at, sidecar));
    }

    /// The capture of `point` did not run between `from` and the beginning of the batch whose sidecar was handed over
    /// last; `from` is by the clock that stamps its records and, where it is read, by the raw clock. `began` is when it
    /// ran again, by the former.
    pub fn interrupted(
        &mut self,
        point: CapturePointId,
        from: (Timestamp<Local>, Option<i64>),
        began: (Timestamp<Local>, Option<i64>),
    ) {
        let steady = |(stamp, raw_ns): (Timestamp<Local>, Option<i64>)| {
            raw_ns.and_then(|raw_ns| self.correlator.steady_of_raw(point, raw_ns)).unwrap_or(stamp.as_ns())
        };
        let (from, began) = (steady(from), steady(began));
        self.correlator.interrupt(point, from, began);
    }

    /// Hands over the next records of `point`, in capture order; leaves an empty vector of some capacity behind
    /// for the caller to fill again.
    pub fn push_batch(&mut self, point: CapturePointId, records: &mut Vec<Record>) {
        let mut batch = core::mem::replace(records, self.spare.pop().unwrap_or_default());
        if batch.is_empty() {
            return;
        }
        let newest = self.correlator.put_on_steady_time(point, &mut batch);
        let queue = &mut self.queues[usize::from(point.0)];
        queue.begun = true;
        queue.queued += batch.len();
        queue.batches.push_back(batch);
        if let Some(newest) = newest {
            let until = queue.common(newest.saturating_sub(DISORDER_NS));
            queue.watermark = queue.watermark.max(Some(until));
        }
        self.run();
    }

    /// `point` has delivered everything up to `watermark`, by the clock that stamps its records. Of a point on steady
    /// time only [`Feed::advance_raw`] says that.
    pub fn advance(&mut self, point: CapturePointId, watermark: Timestamp<Local>) {
        if !self.correlator.is_steady(point) {
            self.raise(point, watermark.as_ns());
        }
    }

    /// `point` has delivered everything up to `raw_ns` of its raw clock. Says nothing of a point that is not on steady
    /// time.
    pub fn advance_raw(&mut self, point: CapturePointId, raw_ns: i64) {
        if let Some(until) = self.correlator.steady_of_raw(point, raw_ns) {
            self.raise(point, until);
        }
    }

    fn raise(&mut self, point: CapturePointId, watermark: i64) {
        let queue = &mut self.queues[usize::from(point.0)];
        let watermark = watermark.saturating_add(queue.rough_offset);
        if queue.watermark.is_none_or(|known| known < watermark) {
            queue.watermark = Some(watermark);
            self.run();
        }
    }

    /// `point` has delivered all there is, and its capture was over before anyone had ended it: its last counters are
    /// missing.
    pub fn break_off(&mut self, point: CapturePointId) {
        self.correlator.broke_off(point);
        self.end(point);
    }

    /// `point` has delivered all there is.
    pub fn end(&mut self, point: CapturePointId) {
        let queue = &mut self.queues[usize::from(point.0)];
        queue.ended = true;
        let said = queue.watermark.map(|watermark| watermark.saturating_sub(queue.rough_offset));
        // What else was said of it is in no recording.
        self.correlator.ran_until(point, queue.delivered.or(said));
        self.run();
    }

    /// The point whose next records or watermark the merge waits for; `None` once all have ended. Whoever reads
    /// files or a recording supplies this point next, so that little waits in memory.
    #[must_use]
    pub fn waiting_for(&self) -> Option<CapturePointId> {
        let open = self.queues.iter().enumerate().filter(|(_, queue)| !queue.ended);
        let behind = open.min_by_key(|(_, queue)| (queue.frontier(), queue.queued));
        behind.and_then(|(point, _)| u16::try_from(point).ok()).map(CapturePointId)
    }

    /// Records that wait for another point, in memory.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queues.iter().map(|queue| queue.queued).sum()
    }

    /// The engine, for statistics, clock samples and events.
    pub fn correlator(&mut self) -> &mut Correlator {
        &mut self.correlator
    }

    /// Where the engine stands.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.correlator.progress()
    }

    /// Ends every point and gives the engine back for [`Correlator::finish`].
    #[must_use]
    pub fn into_correlator(mut self) -> Correlator {
        for queue in &mut self.queues {
            queue.ended = true;
        }
        self.run();
        self.tell_beside(i64::MAX);
        for (point, queue) in (0u16..).zip(&self.queues) {
            let id = CapturePointId(point);
            if let (true, Some(watermark)) = (self.correlator.is_steady(id), queue.watermark) {
                let until = watermark.saturating_sub(queue.rough_offset);
                self.correlator.advance(id, Timestamp::from_ns(until));
            }
        }
        self.correlator
    }

    /// Hands on every record that no other point can precede, and passes the epochs on the way.
    fn run(&mut self) {
        while let Some((point, until)) = self.next_run() {
            self.hand_on(point, until);
        }
        let frontier = self.queues.iter().map(Queue::frontier).min().unwrap_or(i64::MIN);
        if frontier == i64::MAX {
            return;
        }
        if self.next_epoch == i64::MIN {
            // Nothing is judged yet, and all that comes is later.
            self.tell_beside(epoch_of(frontier));
        } else if frontier >= self.next_epoch {
            self.pass_epoch(frontier);
        }
    }

    /// The point whose record comes next, and up to which time its records may be handed on: below the earliest
    /// of any other point, or at it if that point comes later in the list.
    fn next_run(&self) -> Option<(usize, i64)> {
        let (point, head) = self
            .queues
            .iter()
            .enumerate()
            .filter_map(|(point, queue)| queue.head().map(|head| (point, head)))
            .min_by_key(|&(point, head)| (head, point))?;
        let mut until = i64::MAX;
        for (other, queue) in self.queues.iter().enumerate().filter(|&(other, _)| other != point) {
            let frontier = queue.frontier();
            let tie = other > point && queue.head().is_some();
            until = until.min(if tie { frontier } else { frontier.saturating_sub(1) });
        }
        (head <= until).then_some((point, until))
    }

    fn hand_on(&mut self, point: usize, until: i64) {
        let id = CapturePointId(u16::try_from(point).unwrap_or(u16::MAX));
        loop {
            let queue = &mut self.queues[point];
            let Some(head) = queue.head().filter(|&head| head <= until) else { return };
            if head >= self.next_epoch {
                self.pass_epoch(head);
                continue;
            }
            let epoch = self.next_epoch.min(until.saturating_add(1));
            let Some(batch) = queue.batches.front() else { return };
            let mut taken = 0;
            for record in &batch[queue.next..] {
                if queue.common_time(record) >= epoch {
                    break;
                }
                self.correlator.push(id, record);
                taken += 1;
            }
            queue.next += taken;
            queue.queued -= taken;
            if queue.next == batch.len() {
                queue.next = 0;
                if let Some(mut done) = queue.batches.pop_front() {
                    done.clear();
                    self.spare.push(done);
                    self.spare.truncate(8);
                }
            }
        }
    }

    /// Event time has come to `now`: the last epoch at or before it is passed. Those between are empty, but for what was
    /// told beside the records: what is due before it is told is judged without it, whether or not a heartbeat made
    /// the feed stop there.
    fn pass_epoch(&mut self, now: i64) {
        let epoch = epoch_of(now);
        while let Some(told) = self.next_beside().filter(|&told| told <= epoch) {
            let before = epoch_of(told.saturating_sub(1));
            self.judge(before);
            self.tell_beside(before.saturating_add(EPOCH_NS));
        }
        self.judge(epoch);
        self.next_epoch = epoch.saturating_add(EPOCH_NS);
    }

    /// Passes `epoch`, unless it was passed before or nothing has begun.
    fn judge(&mut self, epoch: i64) {
        if self.next_epoch == i64::MIN || epoch < self.next_epoch {
            return;
        }
        for (point, queue) in self.queues.iter().enumerate() {
            let id = CapturePointId(u16::try_from(point).unwrap_or(u16::MAX));
            self.correlator.advance(id, Timestamp::from_ns(epoch.saturating_sub(queue.rough_offset)));
        }
        self.correlator.pass_epoch();
        self.next_epoch = epoch.saturating_add(EPOCH_NS);
    }

    /// When the next thing was told beside the records.
    fn next_beside(&self) -> Option<i64> {
        self.queues.iter().filter_map(|queue| queue.beside.front().map(|&(at, _)| at)).min()
    }

    /// Hands on what was told beside the records up to `until`.
    fn tell_beside(&mut self, until: i64) {
        for (point, queue) in (0u16..).zip(&mut self.queues) {
            while queue.beside.front().is_some_and(|&(at, _)| at <= until) {
                if let Some((_, sidecar)) = queue.beside.pop_front() {
                    self.correlator.take_sidecar(CapturePointId(point), &sidecar);
                }
            }
        }
    }
}
