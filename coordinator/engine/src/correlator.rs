//! The façade of the engine.
//!
//! Call order: [`Correlator::new`]; then any number of `push…`, in event time as [`crate::Feed`] merges it, with
//! [`Correlator::advance`] and [`Correlator::pass_epoch`] as event time passes; [`Correlator::poll`] until it gives
//! `None`; [`Correlator::finish`] once.

use crate::clock::Alignment;
use crate::fate::{FateRecord, Horizon};
use crate::feed::LATEST;
use crate::point::{Point, Window};
use crate::session::Session;
use crate::steady::SteadyClock;
use crate::{Config, report};
use correlate_proto::convert::Sidecar;
use correlate_proto::report::{Finding, Report};
use correlate_proto::{CapturePoint, CapturePointId, Local, PointStats, Record, Span, Timestamp};
use std::collections::VecDeque;

/// Correlates the records of a session's capture points.
#[derive(Debug)]
pub struct Correlator {
    session: Session,
    events: VecDeque<Event>,
}

/// What the engine has to say while a session runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A finding became provable. What it says may still change as more comes in; the report has the last word.
    Finding(Box<Finding>),
    /// What became of a segment that did not simply arrive; only with [`Config::trace_fates`].
    Fate(FateRecord),
}

/// Where the engine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Connections seen so far.
    pub connections: u64,
    /// Records taken in so far.
    pub records: u64,
}

impl Correlator {
    /// An engine for a session with these capture points; ids are their places in the list.
    #[must_use]
    pub fn new(config: Config, points: Vec<CapturePoint>) -> Self {
        Self { session: Session::new(config, points), events: VecDeque::new() }
    }

    /// What added to the stamps of each point puts them on a common time, to within a second or so.
    pub fn set_rough_offsets(&mut self, offsets: &[Span]) {
        for (point, offset) in self.session.points.iter_mut().zip(offsets) {
            point.rough_offset = offset.as_ns();
        }
    }

    /// The capture of `point` is proven to have begun at `from`. Without this its first record counts.
    pub fn covers_from(&mut self, point: CapturePointId, from: Timestamp<Local>) {
        self.session.points[usize::from(point.0)].covers_from = Some(from.as_ns());
    }

    /// Takes in one record of `point`.
    pub fn push(&mut self, point: CapturePointId, record: &Record) {
        let at = record.at().as_ns();
        if (-LATEST..=LATEST).contains(&at) {
            self.session.take(usize::from(point.0), record);
        } else {
            self.session
                .take(usize::from(point.0), &record.stamped(Timestamp::from_ns(at.clamp(-LATEST, LATEST))));
        }
    }

    /// Takes in the point's counters as they now stand.
    pub fn push_stats(&mut self, point: CapturePointId, stats: PointStats) {
        self.session.points[usize::from(point.0)].take_stats(stats);
    }

    /// A batch of `point` comes, with what stands beside it; with `begin` its first sample puts the point on steady
    /// time, before its first record. Gives the steady time of the newest sample, and maps the sidecar's times.
    pub(crate) fn begin_batch(
        &mut self,
        point: CapturePointId,
        sidecar: &mut Sidecar,
        begin: bool,
    ) -> Option<i64> {
        let point = &mut self.session.points[usize::from(point.0)];
        if let (true, Some(first)) = (begin, sidecar.clock_samples.first()) {
            point.steady = Some(SteadyClock::new(first));
        }
        let clock = point.steady.as_mut()?;
        clock.begin_batch(&sidecar.clock_samples, sidecar.watermark_raw_ns);
        // Now, while the clock knows nothing later: what it shows may be shown again.
        for counters in &mut sidecar.host_counters {
            counters.at_ns = clock.of_wall(counters.at_ns);
        }
        Some(clock.now())
    }

    /// Maps the stamps of the batch's records, if the point is on steady time; then gives the latest of them.
    pub(crate) fn put_on_steady_time(
        &mut self,
        point: CapturePointId,
        records: &mut [Record],
    ) -> Option<i64> {
        let clock = self.session.points[usize::from(point.0)].steady.as_mut()?;
        let mut latest = None;
        for record in records {
            let stamp = record.at().as_ns().clamp(-LATEST, LATEST);
            let at = clock.of_packet(record.packet(), stamp);
            *record = record.stamped(Timestamp::from_ns(at));
            latest = latest.max(Some(at));
        }
        latest.map(|latest| latest.min(clock.now()))
    }

    /// Whether the point's stamps are mapped.
    pub(crate) fn is_steady(&self, point: CapturePointId) -> bool {
        self.session.points[usize::from(point.0)].steady.is_some()
    }

    /// Steady time of a count of the point's raw clock.
    pub(crate) fn steady_of_raw(&self, point: CapturePointId, raw_ns: i64) -> Option<i64> {
        Some(self.session.points[usize::from(point.0)].steady.as_ref()?.of_raw(raw_ns))
    }

    /// The capture of `point` did not run between two instants of the clock by which its times are.
    pub(crate) fn interrupt(&mut self, point: CapturePointId, from: i64, to: i64) {
        self.session.points[usize::from(point.0)].interrupt(Window { from, to: to.max(from) });
    }

    /// The capture of `point` was over before anyone had ended it.
    pub(crate) fn broke_off(&mut self, point: CapturePointId) {
        self.session.points[usize::from(point.0)].broke_off = true;
    }

    /// Takes in what was told beside records: the host's counters, packets that were dropped.
    pub(crate) fn take_sidecar(&mut self, point: CapturePointId, sidecar: &Sidecar) {
        self.session.points[usize::from(point.0)].take_sidecar(sidecar);
    }

    /// `point` has delivered all there is; its capture is not known to have run for longer. Event time goes on without it.
    pub(crate) fn ran_until(&mut self, point: CapturePointId, until: Option<i64>) {
        self.session.points[usize::from(point.0)].ran_until = Some(until.unwrap_or(i64::MIN));
    }

    /// `point` has delivered everything up to `watermark`, by its own clock.
    pub fn advance(&mut self, point: CapturePointId, watermark: Timestamp<Local>) {
        self.session.points[usize::from(point.0)].watermark = Some(watermark.as_ns());
    }

    /// Judges what is due after the points' watermarks have moved on.
    pub fn pass_epoch(&mut self) {
        self.session.points.iter_mut().for_each(Point::end_crossings);
        self.session.fit_clocks();
        self.session.settle(Horizon::Watermarks);
        self.events.extend(self.session.fates.drain(..).map(Event::Fate));
        self.session.fold_healthy();
        let mut news = self.session.news();
        let own_time = report::OwnTime::of(&self.session);
        for finding in &mut news {
            own_time.finding(finding);
        }
        self.events.extend(news.into_iter().map(|finding| Event::Finding(Box::new(finding))));
    }

    /// The next event, if there is one.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The clock of `downstream` less that of `upstream` (the point nearer to the client) at an instant of the
    /// latter, as far as it is known by now; absent where no packet that both saw has been matched.
    #[must_use]
    pub fn offset_at(
        &self,
        upstream: CapturePointId,
        downstream: CapturePointId,
        at: Timestamp<Local>,
    ) -> Option<Alignment> {
        let clock = self.session.clock(usize::from(upstream.0), usize::from(downstream.0))?;
        Some(clock.offset_at(at))
    }

    /// Where the engine stands.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        Progress { connections: self.session.opened, records: self.session.records }
    }

    /// Ends the session: judges what is still open and writes the report.
    #[must_use]
    pub fn finish(self) -> Report {
        self.finish_traced().0
    }

    /// As [`Correlator::finish`], with the fates that were judged last; only with [`Config::trace_fates`].
    #[must_use]
    pub fn finish_traced(mut self) -> (Report, Vec<FateRecord>) {
        for point in &mut self.session.points {
            point.ended = true;
            point.end_crossings();
        }
        self.session.finish_clocks();
        self.session.settle(Horizon::End);
        self.session.bury_all();
        self.session.resolve_fates();
        let fates = core::mem::take(&mut self.session.fates);
        (report::write(&self.session), fates)
    }
}
