//! What a session tells while it runs, and what comes out of it.

use correlate_proto::report::{Finding, Report};
use correlate_proto::{CapturePoint, CapturePointId, Span};
use std::path::PathBuf;

/// Something that happened. Counts are not events: they are in [`SessionProgress`].
#[derive(Debug, Clone, PartialEq)]
pub enum SessionEvent {
    /// Every capture runs: packets from now on are seen.
    Started(Vec<CapturePoint>),
    /// A finding became provable, or one that was told has more behind it.
    Finding(Box<Finding>),
    /// An agent is gone; it may come back.
    AgentLost(CapturePointId),
    /// An agent is back.
    AgentBack(CapturePointId),
    /// A capture that its agent had lost was begun anew; for so long nothing was captured there.
    PointResumed(CapturePointId, Span),
    /// A capture is over, for this reason.
    PointEnded(CapturePointId, EndCause),
    /// The recording is full: the session ends.
    RecordingFull {
        /// Its limit.
        limit_bytes: u64,
    },
    /// Captures were told to end.
    Stopping,
}

/// Why a capture is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndCause {
    /// It was told to stop.
    Stopped,
    /// Its packet count was reached.
    Count,
    /// Its time was over.
    Duration,
    /// The file or stream came to its end.
    SourceEnded,
    /// Something failed; what the capture gave before stands.
    Failed(String),
}

/// Counts of a running session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionProgress {
    /// By capture point.
    pub points: Vec<PointProgress>,
    /// Connections that the engine has seen.
    pub connections: u64,
    /// Records that the engine has taken in.
    pub records: u64,
}

/// Counts of a capture point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PointProgress {
    /// Packets recorded.
    pub packets: u64,
    /// Packets dropped by kernel or agent.
    pub dropped: u64,
    /// The agent is connected.
    pub connected: bool,
}

/// What a session comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The answer.
    pub report: Report,
    /// Where the session was saved, if it was asked to be.
    pub saved: Option<PathBuf>,
    /// The recording reached its limit and ended the session.
    pub recording_full: bool,
}

/// Why a session came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// The capture point where it failed, if it was one.
    pub point: Option<CapturePointId>,
    /// What failed, on what: a lower-case fragment.
    pub reason: String,
    /// What to do; empty if nothing is known.
    pub remedy: String,
}
