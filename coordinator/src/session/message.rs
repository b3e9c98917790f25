//! What a session is told.

use super::event::Failure;
use super::feed_thread::Judged;
use crate::arrivals::Arrivals;
use crate::recorder::{Notice, Recorded, RecorderHandle, Source};
use correlate_proto::{CapturePointId, Span, wire};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Where a session is told what agents do.
pub(crate) type Mailbox = mpsc::Sender<Message>;

/// Commands to one agent.
pub(crate) type Commands = mpsc::Sender<wire::CoordinatorMessage>;

/// What agents do.
#[derive(Debug)]
pub(crate) enum Message {
    /// An agent is connected, anew or again.
    Connected(AgentConnected),
    /// An agent's connection is gone.
    Gone { agent: String, connection: u64 },
    /// A capture runs. The sender names itself, so that none speaks for another.
    Started { agent: String, point: CapturePointId, started: wire::CaptureStarted },
    /// A capture could not begin.
    Refused { agent: String, failure: Failure },
    /// An upload begins. Without a grant it is not wanted; without a reply it may come again.
    Upload { agent: String, source: Source, reply: oneshot::Sender<Option<UploadGrant>> },
    /// An upload carried something that is no batch.
    Broken { source: Source, why: String },
    /// A point's counters moved: packets dropped so far.
    Dropped { point: CapturePointId, dropped: u64 },
    /// The user has seen enough.
    Stop,
    /// The user wants no report.
    GiveUp,
}

/// An agent that is connected.
#[derive(Debug, Clone)]
pub(crate) struct AgentConnected {
    pub(crate) agent: String,
    /// Number of the connection, to tell an old one's end from a new one's.
    pub(crate) connection: u64,
    pub(crate) commands: Commands,
    /// The coordinator's clock less the agent's, roughly.
    pub(crate) rough_offset: Span,
    /// Captures that the agent still has: session and point.
    pub(crate) running: Vec<wire::CaptureId>,
    /// What is shown of it.
    pub(crate) facts: Arc<AgentFacts>,
}

/// What an agent says of itself, for people.
#[derive(Debug, Default)]
pub(crate) struct AgentFacts {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) version: String,
    pub(crate) system: String,
    /// By the coordinator's clock.
    pub(crate) connected_at_ns: i64,
}

/// What an upload works with.
#[derive(Debug)]
pub(crate) struct UploadGrant {
    pub(crate) recorder: RecorderHandle,
    pub(crate) recorded: watch::Receiver<Recorded>,
    pub(crate) arrivals: Arrivals,
    pub(crate) session: Mailbox,
}

/// What the session's own threads tell it. Few by nature: the channel has no bound.
#[derive(Debug)]
pub(crate) enum Internal {
    Notice(Notice),
    Judged(Judged),
}
