//! What a session is asked to be.

use core::time::Duration;
use correlate_proto::Role;
use std::path::PathBuf;

/// Settings of a session. [`Default`] has no capture points: give at least a client and a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOptions {
    /// Name of the session, unique at its coordinator.
    pub id: String,
    /// Version of the program, for the report.
    pub tool_version: String,
    /// Where frames are taken; a point's id is its place here.
    pub points: Vec<PointSpec>,
    /// The filter as the user gave it, for the report.
    pub filter: String,
    /// Octets of each frame; 0: the headers.
    pub snaplen: u32,
    /// Packets per host after which the session ends.
    pub count: Option<u64>,
    /// Time after which the session ends.
    pub duration: Option<Duration>,
    /// Look inside tunnels and tags.
    pub decapsulate: bool,
    /// Name of the operator who asks, for agents whose owners care; empty: whoever runs this coordinator.
    pub asked_by: String,
    /// Keep the session in this file, which must not exist.
    pub save: Option<PathBuf>,
    /// Write what the session is to be into its recording, so that a coordinator that is started anew goes on with
    /// it. Means something only where `save` is given.
    pub resumable: bool,
    /// Keep every packet until the end even if the session is not saved: for renderings that show packets.
    pub keep_packets: bool,
    /// Octets of packets that a recording may hold. At the limit the session ends in order and says so; what
    /// was on its way is recorded for another 16 MiB, then counted as dropped.
    pub limit_bytes: u64,
    /// How long is waited for what.
    pub timeouts: Timeouts,
}

/// One capture point of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointSpec {
    /// Role on the path.
    pub role: Role,
    /// The host as the user named it.
    pub host: String,
    /// Name of the agent that captures there.
    pub agent: String,
    /// This point's filter, where the two ends need different words; otherwise the session's.
    pub filter: Option<String>,
    /// Names of the interfaces; empty: the agent's choice.
    pub interfaces: Vec<String>,
    /// The user vouches that the capture ran all the time.
    pub vouched: bool,
}

/// How long a session waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For every capture to begin.
    pub start: Duration,
    /// How long captures read on after a stop, for packets that are on their way.
    pub linger: Duration,
    /// For everything to be uploaded after a stop. An agent that does not come back within is left behind, and
    /// the report says so.
    pub drain: Duration,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            id: String::new(),
            tool_version: String::new(),
            points: Vec::new(),
            filter: String::new(),
            snaplen: 0,
            count: None,
            duration: None,
            decapsulate: false,
            asked_by: String::new(),
            save: None,
            resumable: false,
            keep_packets: false,
            limit_bytes: 1 << 30,
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(30),
            linger: Duration::from_millis(500),
            drain: Duration::from_secs(10),
        }
    }
}
