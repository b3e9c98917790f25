//! A consumer that merges as the engine's feed documents it, and notes down what it was given.

use crate::arrivals::Watermark;
use crate::feeding::{Conclusion, Consumer, MakeConsumer};
use crate::recording::RecordedPoint;
use correlate_engine::{Event, Progress};
use correlate_proto::convert::Sidecar;
use correlate_proto::report::{ConnectionTotals, Report, SCHEMA, Session, Status, Tool, Verdict};
use correlate_proto::{
    CapturePointId, ClockSample, HostCounters, Local, PointStats, Record, Span, Timestamp,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// What a consumer was given.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Noted {
    /// Records as merged: point and packet number.
    pub(super) order: Vec<(u16, u64)>,
    pub(super) stats: Vec<PointStats>,
    /// Point, until when it ran, since when it ran again.
    pub(super) gaps: Vec<(u16, Timestamp<Local>, Timestamp<Local>)>,
    pub(super) clock_samples: Vec<(u16, ClockSample)>,
    pub(super) host_counters: Vec<(u16, HostCounters)>,
}

impl Noted {
    /// Packet numbers of one point, in the order they came.
    pub(super) fn packets_of(&self, point: u16) -> Vec<u64> {
        self.order.iter().filter(|(from, _)| *from == point).map(|(_, packet)| *packet).collect()
    }
}

pub(super) type Notes = Arc<Mutex<Noted>>;

/// Makes a consumer that notes into `notes`.
pub(super) fn noting(notes: &Notes) -> MakeConsumer {
    let notes = Arc::clone(notes);
    Box::new(move |_, points| Box::new(Merge::new(points, notes)))
}

#[derive(Debug, Default)]
struct Point {
    offset: Span,
    queue: VecDeque<Record>,
    watermark: Option<Timestamp<Local>>,
    ended: bool,
}

impl Point {
    fn common(&self, at: Timestamp<Local>) -> i64 {
        at.plus(self.offset).as_ns()
    }
}

struct Merge {
    points: Vec<Point>,
    notes: Notes,
    noted: Noted,
}

impl Merge {
    fn new(points: &[RecordedPoint], notes: Notes) -> Self {
        let points =
            points.iter().map(|point| Point { offset: point.rough_offset, ..Point::default() }).collect();
        Self { points, notes, noted: Noted::default() }
    }

    /// The earliest waiting record: its time and place.
    fn head(&self) -> Option<(i64, usize)> {
        let heads = self.points.iter().enumerate().filter_map(|(place, point)| {
            point.queue.front().map(|record| (point.common(record.at()), place))
        });
        heads.min()
    }

    /// A point that could still give something earlier than `time`.
    fn behind(&self, time: i64) -> Option<usize> {
        self.points.iter().position(|point| {
            let beyond = point.watermark.is_some_and(|watermark| point.common(watermark) > time);
            point.queue.is_empty() && !point.ended && !beyond
        })
    }

    fn merge(&mut self) {
        while let Some((time, place)) = self.head() {
            if self.behind(time).is_some() {
                return;
            }
            let record = self.points[place].queue.pop_front().unwrap();
            self.noted.order.push((u16::try_from(place).unwrap(), record.packet()));
        }
    }
}

impl Consumer for Merge {
    fn waiting_for(&self) -> Option<CapturePointId> {
        let place = if let Some((time, _)) = self.head() {
            self.behind(time)
        } else {
            let open = self.points.iter().enumerate().filter(|(_, point)| !point.ended);
            open.min_by_key(|(_, point)| point.watermark.map(|at| point.common(at))).map(|(place, _)| place)
        };
        place.map(|place| CapturePointId(u16::try_from(place).unwrap()))
    }

    fn push_batch(&mut self, point: CapturePointId, records: &mut Vec<Record>) {
        self.points[usize::from(point.0)].queue.extend(records.drain(..));
        self.merge();
    }

    fn push_sidecar(&mut self, point: CapturePointId, sidecar: Sidecar) {
        self.noted.clock_samples.extend(sidecar.clock_samples.into_iter().map(|sample| (point.0, sample)));
        self.noted.host_counters.extend(sidecar.host_counters.into_iter().map(|read| (point.0, read)));
    }

    fn interrupted(&mut self, point: CapturePointId, from: Watermark, began: Watermark) {
        self.noted.gaps.push((point.0, from.stamp.unwrap(), began.stamp.unwrap()));
    }

    fn advance(&mut self, point: CapturePointId, watermark: Watermark) {
        let point = &mut self.points[usize::from(point.0)];
        point.watermark = point.watermark.max(watermark.stamp);
        self.merge();
    }

    fn file_read(&mut self, point: CapturePointId, _covers_from: Timestamp<Local>, _stats: PointStats) {
        assert!(!self.points[usize::from(point.0)].ended, "what a file covers is known before it ends");
    }

    fn end(&mut self, point: CapturePointId, _early: bool) {
        self.points[usize::from(point.0)].ended = true;
        self.merge();
    }

    fn poll(&mut self) -> Option<Event> {
        None
    }

    fn progress(&self) -> Progress {
        Progress { records: u64::try_from(self.noted.order.len()).unwrap(), ..Progress::default() }
    }

    fn conclude(self: Box<Self>) -> Box<dyn Conclusion> {
        assert!(self.points.iter().all(|point| point.queue.is_empty() && point.ended));
        self
    }
}

impl Conclusion for Merge {
    fn push_stats(&mut self, _point: CapturePointId, stats: PointStats) {
        self.noted.stats.push(stats);
    }

    fn poll(&mut self) -> Option<Event> {
        None
    }

    fn finish(mut self: Box<Self>) -> Report {
        // How the points' batches interleave depends on their arrival, and nothing else does.
        self.noted.clock_samples.sort_by_key(|(point, _)| *point);
        self.noted.host_counters.sort_by_key(|(point, _)| *point);
        *self.notes.lock().unwrap() = self.noted;
        Report {
            schema: SCHEMA,
            tool: Tool { name: "correlate".to_owned(), version: "test".to_owned() },
            session: Session {
                id: "test".to_owned(),
                started_at: None,
                ended_at: None,
                filter: String::new(),
                command: None,
            },
            verdict: Verdict { status: Status::Clean, code: None, sentence: String::new(), reasons: vec![] },
            capture_points: vec![],
            clocks: vec![],
            connections: vec![],
            paths: vec![],
            connection_totals: ConnectionTotals::default(),
            findings: vec![],
        }
    }
}
