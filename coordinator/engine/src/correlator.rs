//! The façade of the engine.
//!
//! Call order: [`Correlator::new`]; then any number of `push…` and [`Correlator::advance`], in event time as
//! [`crate::Feed`] merges it; [`Correlator::poll`] until it gives `None` after each; [`Correlator::finish`] once.

use crate::Config;
use correlate_proto::report::{Finding, Report};
use correlate_proto::{
    CapturePoint, CapturePointId, ClockSample, HostCounters, Local, PointStats, Record, Timestamp,
};

/// Correlates the records of a session's capture points.
#[derive(Debug)]
pub struct Correlator {
    config: Config,
    points: Vec<CapturePoint>,
}

/// What the engine has to say while a session runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A finding became provable, or a finding of this code and these connections has more behind it.
    Finding(Box<Finding>),
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
        Self { config, points }
    }

    /// Takes in one record of `point`.
    pub fn push(&mut self, _point: CapturePointId, _record: &Record) {}

    /// Takes in the point's counters as they now stand.
    pub fn push_stats(&mut self, _point: CapturePointId, _stats: PointStats) {}

    /// Takes in what moved among the counters of the point's host.
    pub fn push_counters(&mut self, _point: CapturePointId, _counters: HostCounters) {}

    /// Takes in a reading of the point's clocks.
    pub fn push_clock(&mut self, _point: CapturePointId, _sample: ClockSample) {}

    /// `point` has delivered everything up to `watermark`, by its own clock.
    pub fn advance(&mut self, _point: CapturePointId, _watermark: Timestamp<Local>) {}

    /// The next event, if there is one.
    pub fn poll(&mut self) -> Option<Event> {
        None
    }

    /// Where the engine stands.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress::default()
    }

    /// Ends the session: judges what is still open and writes the report.
    #[must_use]
    pub fn finish(self) -> Report {
        let _ = (&self.config, &self.points);
        unimplemented!("the engine is being written")
    }
}
