//! From the recording into the engine.
//!
//! Live and replay run the same code over the same file: the consumer says which point it waits for, and that
//! point's next batch is read. Only waiting differs. What stands beside the records of a batch (clock samples, host
//! counters, drops) is handed over with it, and finds its place by its time. The capture's own counters are known
//! at the end; only those of a file as soon as it ends, and say what it covers.

use crate::arrivals::{Arrivals, Arrived, Watermark};
use crate::body::BatchOpener;
use crate::recording::{RecordedPoint, Recording, RecordingError, SessionMeta};
use correlate_engine::{Config, Correlator, Event, Feed, Progress};
use correlate_proto::convert::Sidecar;
use correlate_proto::report::Report;
use correlate_proto::{CaptureKind, CapturePointId, Local, PointStats, Record, Span, Timestamp};

/// What takes in a session's records; the engine behind its [`Feed`].
pub(crate) trait Consumer {
    /// The point whose records or watermark are needed next; `None` once all have ended.
    fn waiting_for(&self) -> Option<CapturePointId>;
    /// What stands beside the point's next records.
    fn push_sidecar(&mut self, point: CapturePointId, sidecar: Sidecar);
    /// The point's capture did not run from the one instant to the other, where the batch begins whose sidecar came
    /// last.
    fn interrupted(&mut self, point: CapturePointId, from: Watermark, began: Watermark);
    /// The point's next records; an empty vector is left.
    fn push_batch(&mut self, point: CapturePointId, records: &mut Vec<Record>);
    /// The point has delivered everything up to here.
    fn advance(&mut self, point: CapturePointId, watermark: Watermark);
    /// The point is a file, was read to its end and has these counters; it covers the time from then on.
    fn file_read(&mut self, point: CapturePointId, covers_from: Timestamp<Local>, stats: PointStats);
    /// The point has delivered all there is; `early`: it was over before anyone had ended it.
    fn end(&mut self, point: CapturePointId, early: bool);
    /// The next event.
    fn poll(&mut self) -> Option<Event>;
    /// Where the consumer stands.
    fn progress(&self) -> Progress;
    /// All records are in; the rest follows.
    fn conclude(self: Box<Self>) -> Box<dyn Conclusion>;
}

/// What takes in the captures' counters, and judges.
pub(crate) trait Conclusion {
    fn push_stats(&mut self, point: CapturePointId, stats: PointStats);
    fn poll(&mut self) -> Option<Event>;
    fn finish(self: Box<Self>) -> Report;
}

/// Makes the consumer of a session.
pub(crate) type MakeConsumer = Box<dyn FnOnce(&SessionMeta, &[RecordedPoint]) -> Box<dyn Consumer> + Send>;

/// The engine.
pub(crate) fn engine(meta: &SessionMeta, points: &[RecordedPoint]) -> Box<dyn Consumer> {
    let config = Config {
        tool_version: meta.tool_version.clone(),
        session_id: meta.session.clone(),
        filter: meta.filter.clone(),
        swapped: meta.swapped,
        announce: true,
        ..Config::default()
    };
    let mut correlator = Correlator::new(config, points.iter().map(|point| point.point.clone()).collect());
    for RecordedPoint { point, began, .. } in points {
        correlator.covers_from(point.id, *began);
    }
    let offsets: Vec<Span> = points.iter().map(|point| point.rough_offset).collect();
    Box::new(Feed::new(correlator, offsets))
}

impl Consumer for Feed {
    fn waiting_for(&self) -> Option<CapturePointId> {
        Self::waiting_for(self)
    }

    fn push_sidecar(&mut self, point: CapturePointId, sidecar: Sidecar) {
        Self::push_sidecar(self, point, sidecar);
    }

    fn interrupted(&mut self, point: CapturePointId, from: Watermark, began: Watermark) {
        if let (Some(stopped), Some(ran)) = (from.stamp, began.stamp) {
            Self::interrupted(self, point, (stopped, from.raw_ns), (ran, began.raw_ns));
        }
    }

    fn push_batch(&mut self, point: CapturePointId, records: &mut Vec<Record>) {
        Self::push_batch(self, point, records);
    }

    fn advance(&mut self, point: CapturePointId, watermark: Watermark) {
        if let Some(stamp) = watermark.stamp {
            Self::advance(self, point, stamp);
        }
        if let Some(raw_ns) = watermark.raw_ns {
            self.advance_raw(point, raw_ns);
        }
    }

    fn file_read(&mut self, point: CapturePointId, covers_from: Timestamp<Local>, stats: PointStats) {
        self.correlator().covers_from(point, covers_from);
        self.correlator().push_stats(point, stats);
    }

    fn end(&mut self, point: CapturePointId, early: bool) {
        if early {
            self.break_off(point);
        } else {
            Self::end(self, point);
        }
    }

    fn poll(&mut self) -> Option<Event> {
        self.correlator().poll()
    }

    fn progress(&self) -> Progress {
        Self::progress(self)
    }

    fn conclude(self: Box<Self>) -> Box<dyn Conclusion> {
        Box::new(self.into_correlator())
    }
}

impl Conclusion for Correlator {
    fn push_stats(&mut self, point: CapturePointId, stats: PointStats) {
        Self::push_stats(self, point, stats);
    }

    fn poll(&mut self) -> Option<Event> {
        Self::poll(self)
    }

    fn finish(self: Box<Self>) -> Report {
        Self::finish(*self)
    }
}

/// What a feed tells while it runs.
pub(crate) trait Observer {
    /// The consumer has something to say.
    fn event(&mut self, event: Event);
    /// A point's batches up to this number were read.
    fn read(&mut self, point: CapturePointId, sequence: u64, progress: Progress);
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// The session was aborted.
    #[error("aborted")]
    Aborted,
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// Feeds what is recorded, as it arrives, until every point has ended; then judges.
pub(crate) fn run(
    recording: &Recording,
    points: &[RecordedPoint],
    arrivals: &Arrivals,
    mut consumer: Box<dyn Consumer>,
    observer: &mut dyn Observer,
) -> Result<Report, FeedError> {
    let mut fed = vec![Fed::default(); points.len()];
    let mut opener = BatchOpener::new();
    while let Some(point) = consumer.waiting_for() {
        let place = usize::from(point.0);
        let Some(fed) = fed.get_mut(place) else { break };
        let arrived = arrivals.of(point);
        match fed.next(&arrived) {
            Step::ReadBatch => {
                read_batch(recording, point, fed, &mut opener, &mut *consumer)?;
                observer.read(point, fed.through, consumer.progress());
            }
            Step::Advance(watermark) => consumer.advance(point, watermark),
            Step::End => {
                let stats = recording.stats(point)?;
                let early = stats.ended_early.is_some();
                if let Some(recorded) =
                    points.get(place).filter(|known| known.point.kind == CaptureKind::File)
                {
                    consumer.file_read(point, recorded.covers_from(&stats), stats);
                }
                consumer.end(point, early);
            }
            Step::Wait => {
                arrivals.wait_for_news(point, &arrived).ok_or(FeedError::Aborted)?;
            }
        }
        while let Some(event) = consumer.poll() {
            observer.event(event);
        }
    }
    conclude(recording, points, consumer.conclude(), observer)
}

/// How far a point was fed.
#[derive(Debug, Clone, Copy, Default)]
struct Fed {
    through: u64,
    watermark: Option<Watermark>,
}

/// What to do for a point next.
enum Step {
    ReadBatch,
    Advance(Watermark),
    End,
    Wait,
}

impl Fed {
    fn next(&mut self, arrived: &Arrived) -> Step {
        if arrived.recorded_through > self.through {
            return Step::ReadBatch;
        }
        if arrived.ended {
            return Step::End;
        }
        match arrived.heartbeat {
            Some((sequence, watermark)) if sequence <= self.through && self.advance(watermark) => {
                Step::Advance(watermark)
            }
            Some(_) | None => Step::Wait,
        }
    }

    /// Whether `watermark` says more than what was said before, and notes it then.
    fn advance(&mut self, watermark: Watermark) -> bool {
        let is_news = self.watermark.is_none_or(|known| watermark.is_beyond(&known));
        if is_news {
            self.watermark = Some(watermark);
        }
        is_news
    }
}

fn read_batch(
    recording: &Recording,
    point: CapturePointId,
    fed: &mut Fed,
    opener: &mut BatchOpener,
    consumer: &mut dyn Consumer,
) -> Result<(), RecordingError> {
    let Some(sealed) = recording.batch_after(point, fed.through)? else {
        // Recorded as omitted, and so is everything after it: the point gives nothing more.
        fed.through = u64::MAX;
        return Ok(());
    };
    fed.through = sealed.sequence;
    let mut contents = opener.open(&sealed).map_err(|error| RecordingError::Damaged {
        place: format!("batches, point {}, seq {}", point.0, sealed.sequence),
        reason: error.to_string(),
    })?;
    let watermark =
        Watermark { stamp: contents.sidecar.watermark, raw_ns: contents.sidecar.watermark_raw_ns };
    let first_raw_ns = contents.sidecar.clock_samples.first().map(|sample| sample.raw_ns);
    consumer.push_sidecar(point, contents.sidecar);
    if let Some(restart) = recording.restart_before(point, sealed.sequence)? {
        let began = Watermark { stamp: Some(restart.began), raw_ns: first_raw_ns };
        consumer.interrupted(point, restart.left.until, began);
    }
    if !contents.records.is_empty() {
        consumer.push_batch(point, &mut contents.records);
    }
    if watermark.stamp.is_some() || watermark.raw_ns.is_some() {
        fed.advance(watermark);
        consumer.advance(point, watermark);
    }
    Ok(())
}

fn conclude(
    recording: &Recording,
    points: &[RecordedPoint],
    mut conclusion: Box<dyn Conclusion>,
    observer: &mut dyn Observer,
) -> Result<Report, FeedError> {
    for RecordedPoint { point, .. } in points {
        conclusion.push_stats(point.id, recording.stats(point.id)?);
    }
    while let Some(event) = conclusion.poll() {
        observer.event(event);
    }
    Ok(conclusion.finish())
}
