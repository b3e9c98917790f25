//! The thread of one capture: reads, batches, hands over, and never waits for the network.

use super::horizon::Horizon;
use super::moment::{ahead, dropping, realtime};
use super::opener::{CaptureOpener, CaptureRequest, HostProbe, OpenCapture, Refusal};
use super::pending::Pending;
use super::sampling::Sampling;
use crate::batch::{BatchBuilder, Compressor, MAX_AGE};
use crate::capture::{CaptureError, Fill, FrameSource, Reader, Remote};
use crate::metrics::{Dropper, METRICS};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use correlate_proto::convert::{Loss, LossSource, capture_kind_to_wire, interface_to_wire, stats_to_wire};
use correlate_proto::{CaptureKind, ClockSample, Local, PointStats, Record, Timestamp, wire};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// Between two readings of counters, of host and capture.
const COUNTERS_EVERY: Duration = Duration::from_secs(1);
/// Records that are read, and for how long, before the clocks are looked at.
const READ_AHEAD: usize = 256;
const READ_FOR: Duration = Duration::from_millis(50);
/// How long a source may take to end in order: less than a session waits for a capture's end.
const WIND_UP_WITHIN: Duration = Duration::from_secs(5);

/// What a capture's thread hands over.
#[derive(Debug)]
pub(super) enum Item {
    Batch(wire::SealedBatch),
    Heartbeat(wire::Heartbeat),
    Stats(Box<wire::PointStats>),
    Ended(Box<wire::CaptureEnded>),
}

/// How opening a capture went.
#[derive(Debug)]
pub(super) enum Opened {
    Started(wire::CaptureStarted),
    Refused(Refusal),
}

/// Asks a capture's thread to end.
#[derive(Debug, Default)]
pub(super) struct StopSignal(AtomicU64);

impl StopSignal {
    /// End after reading on for so long. The first call counts.
    pub(super) fn stop(&self, linger: Duration) {
        let millis = u64::try_from(linger.as_millis()).unwrap_or(u64::MAX - 1);
        let _ = self.0.compare_exchange(0, millis.saturating_add(1), Ordering::Relaxed, Ordering::Relaxed);
    }

    fn linger(&self) -> Option<Duration> {
        self.0.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_millis)
    }
}

/// How far the numbers of batches and packets were used up by a capture that was lost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct After {
    pub(super) batch: u64,
    pub(super) packet: u64,
}

/// What a capture's thread is started with.
pub(super) struct Start {
    pub(super) id: wire::CaptureId,
    pub(super) after: After,
    pub(super) request: CaptureRequest,
    pub(super) opener: Arc<dyn CaptureOpener>,
    pub(super) queue: mpsc::Sender<Item>,
    pub(super) stop: Arc<StopSignal>,
    pub(super) compress: bool,
}

/// Opens the capture, reports how that went, and reads it to its end.
pub(super) fn capture(start: Start, opened: impl FnOnce(Opened)) {
    let mut open = match start.opener.open(&start.request) {
        Ok(open) => open,
        Err(refusal) => return opened(Opened::Refused(refusal)),
    };
    // The first sample is older than the beginning that is told, and so than every packet that counts.
    let (mut sampling, mut pending) = (Sampling::default(), Pending::default());
    let first =
        open.probe.as_mut().and_then(|probe| sampling.look(&mut **probe, Duration::ZERO, true, &mut pending));
    opened(Opened::Started(wire::CaptureStarted {
        capture: Some(start.id.clone()),
        kind: capture_kind_to_wire(open.kind).into(),
        interfaces: open.interfaces.iter().map(interface_to_wire).collect(),
        link_type: open.reader.link_type_name(),
        realtime_ns: realtime().plus(ahead(&open.reader)).as_ns(),
    }));
    let mut capture = Capture::new(start, open);
    (capture.sampling, capture.pending, capture.horizon) = (sampling, pending, Horizon::new(first));
    capture.run();
}

/// The uploader is gone: nobody takes what is captured.
struct Abandoned;

struct Capture {
    reader: Reader<Box<dyn FrameSource>>,
    probe: Option<Box<dyn HostProbe>>,
    queue: mpsc::Sender<Item>,
    stop: Arc<StopSignal>,
    /// A file waits for its upload; a live capture must not.
    waits: bool,
    count: Option<u64>,
    duration: Option<Duration>,
    builder: BatchBuilder,
    /// Number of the last packet before this capture's first.
    after_packet: u64,
    pending: Pending,
    began: Instant,
    taken: u64,
    stop_at: Option<Duration>,
    horizon: Horizon,
    sampling: Sampling,
    sent_at: Duration,
    counters_due: Duration,
    last_stats: PointStats,
    stats_read_at: Timestamp<Local>,
}

impl Capture {
    fn new(start: Start, open: OpenCapture) -> Self {
        let stats_read_at = realtime().plus(ahead(&open.reader));
        let compressor = if start.compress { Compressor::zstd() } else { Compressor::none() };
        Self {
            reader: open.reader,
            probe: open.probe,
            queue: start.queue,
            stop: start.stop,
            waits: open.kind == CaptureKind::File,
            count: start.request.count,
            duration: start.request.duration,
            builder: BatchBuilder::after(start.after.batch, compressor),
            after_packet: start.after.packet,
            pending: Pending::default(),
            began: Instant::now(),
            taken: 0,
            stop_at: None,
            horizon: Horizon::default(),
            sampling: Sampling::default(),
            sent_at: Duration::ZERO,
            counters_due: Duration::ZERO,
            last_stats: PointStats::default(),
            stats_read_at,
        }
    }

    fn run(mut self) {
        let mut records = Vec::with_capacity(READ_AHEAD);
        let (reason, error) = loop {
            match self.turn(&mut records) {
                Ok(None) => {}
                Ok(Some(ended)) => break ended,
                Err(Abandoned) => return,
            }
        };
        self.end(reason, error);
    }

    /// Reads some records, and does what is due. Gives the reason once the capture is over.
    fn turn(&mut self, records: &mut Vec<Record>) -> Result<Option<(wire::EndReason, String)>, Abandoned> {
        let asked = self.look_at_clocks(false);
        let asked_at = asked.map_or_else(|| self.now(), |sample| sample.realtime);
        let fill = self.read(records);
        let now = self.began.elapsed();
        self.taken += u64::try_from(records.len()).unwrap_or(u64::MAX);
        for record in records.drain(..) {
            self.horizon.read(record.at());
            self.builder.push(&record.numbered_after(self.after_packet), now);
            if self.builder.is_full() {
                self.seal(now)?;
            }
        }
        if matches!(fill, Ok(Fill::Idle)) {
            match self.reader.source().remote() {
                None => self.horizon.idle(asked_at, asked.map(|sample| sample.raw_ns)),
                Some(Remote { quiet_through: Some(at), .. }) => self.horizon.idle(at, None),
                Some(Remote { quiet_through: None, .. }) => {}
            }
        }
        self.look_at_counters(now);
        self.send_what_is_due(now)?;
        Ok(match fill {
            Err(error) => Some((wire::EndReason::Failed, error.to_string())),
            Ok(Fill::End) => Some((wire::EndReason::SourceEnded, String::new())),
            Ok(Fill::More | Fill::Idle) => match self.over(now) {
                Some(reason) => Some((reason, self.wind_up(reason, records)?)),
                None => None,
            },
        })
    }

    /// Reads until there are [`READ_AHEAD`] records, [`READ_FOR`] is over, or the source has no more for now. Packets
    /// that trickle in must not keep those before them from being sent.
    fn read(&mut self, records: &mut Vec<Record>) -> Result<Fill, CaptureError> {
        let left = self.count.map_or(u64::MAX, |count| count.saturating_sub(self.taken));
        let max = READ_AHEAD.min(usize::try_from(left).unwrap_or(READ_AHEAD));
        let until = self.began.elapsed() + READ_FOR;
        loop {
            let fill = self.reader.fill(records, max.min(records.len() + 1))?;
            if fill != Fill::More || records.len() >= max || self.began.elapsed() >= until {
                return Ok(fill);
            }
        }
    }

    /// Whether something other than the source ends the capture.
    fn over(&mut self, now: Duration) -> Option<wire::EndReason> {
        if self.stop_at.is_none() {
            self.stop_at = self.stop.linger().map(|linger| now.saturating_add(linger));
        }
        if self.count.is_some_and(|count| self.taken >= count) {
            Some(wire::EndReason::Count)
        } else if self.stop_at.is_some_and(|at| now >= at) {
            Some(wire::EndReason::Stopped)
        } else if self.duration.is_some_and(|duration| now >= duration) {
            Some(wire::EndReason::Duration)
        } else {
            None
        }
    }

    /// Has the source end, and reads what it still gives. Gives what went wrong; nothing mostly.
    fn wind_up(&mut self, reason: wire::EndReason, records: &mut Vec<Record>) -> Result<String, Abandoned> {
        if !self.reader.wind_up() {
            return Ok(String::new());
        }
        let until = self.began.elapsed() + WIND_UP_WITHIN;
        loop {
            let fill = self.reader.fill(records, READ_AHEAD);
            let now = self.began.elapsed();
            if reason == wire::EndReason::Count {
                // As many as were asked for are there.
                records.clear();
            }
            for record in records.drain(..) {
                self.taken += 1;
                self.builder.push(&record.numbered_after(self.after_packet), now);
                if self.builder.is_full() {
                    self.seal(now)?;
                }
            }
            match fill {
                Ok(Fill::End) => return Ok(String::new()),
                Err(error) => return Ok(error.to_string()),
                Ok(Fill::More | Fill::Idle) if now < until => {}
                Ok(Fill::More | Fill::Idle) => {
                    return Ok(format!("its source did not end within {} s", WIND_UP_WITHIN.as_secs()));
                }
            }
        }
    }

    /// The clock that stamps the frames.
    fn now(&self) -> Timestamp<Local> {
        realtime().plus(ahead(&self.reader))
    }

    /// Reads the host's clocks; `needed`: the sample travels in any case.
    fn look_at_clocks(&mut self, needed: bool) -> Option<ClockSample> {
        let now = self.began.elapsed();
        let probe = self.probe.as_mut()?;
        let sample = self.sampling.look(&mut **probe, now, needed, &mut self.pending)?;
        if sample.stepped {
            self.horizon.clock_was_set();
        }
        Some(sample)
    }

    fn look_at_counters(&mut self, now: Duration) {
        if now >= self.counters_due {
            self.counters_due = now + COUNTERS_EVERY;
            if let Some(counters) = self.probe.as_mut().and_then(|probe| probe.counters()) {
                self.pending.add_counters(counters, now);
            }
            self.look_at_stats(now);
        }
    }

    /// Reads the capture's counters; says so where they moved, and where the kernel dropped packets.
    fn look_at_stats(&mut self, now: Duration) {
        let at = self.now();
        let mut stats = self.reader.stats();
        let dropped = stats.dropped_by_kernel.saturating_sub(self.last_stats.dropped_by_kernel);
        if dropped > 0 {
            METRICS.dropped(Dropper::Kernel, dropped);
            let (first_at, last_at) = dropping(&stats, self.counted_since(&stats), at);
            self.pending
                .add_loss(Loss { source: LossSource::Kernel, count: dropped, first_at, last_at }, now);
        }
        self.stats_read_at = at;
        self.last_stats.dropped_by_kernel = stats.dropped_by_kernel;
        self.pending.add_to(&mut stats);
        // A lost reading harms nothing: each replaces the one before.
        let _ = self.queue.try_send(Item::Stats(Box::new(stats_to_wire(&stats))));
    }

    /// Since when what is counted now may have happened: since the reading before; but another host's counters come
    /// at the end, for all of the time.
    fn counted_since(&self, stats: &PointStats) -> Timestamp<Local> {
        let began = self.reader.source().remote().and(stats.coverage.first());
        began.map_or(self.stats_read_at, |covered| covered.from)
    }

    /// The batch as it is now, with all that waited for it and up to when everything has been read.
    fn sealed(&mut self) -> wire::SealedBatch {
        // What maps stamps stands on both sides of them.
        self.look_at_clocks(true);
        let sidecar = self.pending.take(self.horizon.stamp(), self.horizon.raw_ns());
        let batch = self.builder.seal(&sidecar);
        METRICS.batches_sealed.inc();
        METRICS.packets_captured.inc_by(batch.records.into());
        batch
    }

    fn send_what_is_due(&mut self, now: Duration) -> Result<(), Abandoned> {
        let sidecar_due =
            self.pending.waiting_since().is_some_and(|since| now.saturating_sub(since) >= MAX_AGE);
        if self.builder.is_due(now) || sidecar_due {
            self.seal(now)?;
        }
        let quiet = now.saturating_sub(self.sent_at) >= MAX_AGE;
        // A heartbeat must not overtake what it covers: neither packets, nor losses and readings.
        let empty = self.builder.records() == 0 && self.pending.waiting_since().is_none();
        if let (true, true, Some(watermark)) = (quiet, empty, self.horizon.stamp()) {
            let heartbeat = wire::Heartbeat {
                sequence: self.builder.sequence(),
                watermark_ns: watermark.as_ns(),
                watermark_raw_ns: self.horizon.raw_ns(),
            };
            // A full queue tells as well as a heartbeat that the agent lives.
            if let Err(mpsc::error::TrySendError::Closed(_)) = self.queue.try_send(Item::Heartbeat(heartbeat))
            {
                return Err(Abandoned);
            }
            self.sent_at = now;
        }
        Ok(())
    }

    /// Seals the batch and hands it over. Where the queue is full, a file waits; a live capture goes on filling
    /// the batch, and drops it once it is full.
    fn seal(&mut self, now: Duration) -> Result<(), Abandoned> {
        if self.waits {
            let batch = self.sealed();
            self.queue.blocking_send(Item::Batch(batch)).map_err(|_| Abandoned)?;
            self.sent_at = now;
            return Ok(());
        }
        // A sender of its own, as the permit borrows it while the batch is made.
        let queue = self.queue.clone();
        match queue.try_reserve() {
            Ok(permit) => {
                permit.send(Item::Batch(self.sealed()));
                self.sent_at = now;
            }
            Err(mpsc::error::TrySendError::Full(())) => {
                if self.builder.is_full()
                    && let Some(loss) = self.builder.discard()
                {
                    METRICS.dropped(Dropper::Agent, loss.count);
                    self.pending.add_own_drop(loss, now);
                }
            }
            Err(mpsc::error::TrySendError::Closed(())) => return Err(Abandoned),
        }
        Ok(())
    }

    /// Hands over what is left, and the final counters. There is nothing more to capture, so this may wait.
    fn end(mut self, reason: wire::EndReason, error: String) {
        let now = self.began.elapsed();
        self.counters_due = now;
        self.look_at_counters(now);
        self.look_at_clocks(true);
        if self.builder.records() > 0 || self.pending.waiting_since().is_some() {
            let batch = self.sealed();
            if self.queue.blocking_send(Item::Batch(batch)).is_err() {
                return;
            }
        }
        let mut stats = self.reader.stats();
        self.pending.add_to(&mut stats);
        let ended = wire::CaptureEnded {
            last_sequence: self.builder.sequence(),
            reason: reason.into(),
            error,
            stats: Some(stats_to_wire(&stats)),
        };
        // If nobody takes it the session is gone, and with it everyone who might ask.
        let _ = self.queue.blocking_send(Item::Ended(Box::new(ended)));
    }
}
