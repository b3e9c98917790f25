//! Settings of the uplink.

use core::time::Duration;
use std::collections::BTreeMap;

/// Settings of [`run`](super::run()).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Name of the agent, by which sessions ask for it.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// What its owner says of it: names and values.
    pub labels: BTreeMap<String, String>,
    /// Compress batches. Worth it over a network, and for what is recorded.
    pub compress: bool,
    /// Octets of unacknowledged batches that a capture keeps for sending again. When they are used up its
    /// batches pile up in its queue, and when that is full a live capture drops packets and says so.
    pub spool_bytes: usize,
    /// Batches that a capture's thread may be ahead of its upload. At 64 KiB each the default is 16 MiB.
    pub queue_batches: usize,
    /// What to do when the connection breaks.
    pub reconnect: Reconnect,
}

/// What to do when the connection breaks or cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconnect {
    /// End: there is no second connection, as over the standard input and output of an ssh child.
    Never,
    /// Dial again.
    Backoff {
        /// Wait before the second attempt; doubles with each.
        first: Duration,
        /// Longest wait.
        longest: Duration,
        /// End after so long without a connection; `None`: never.
        give_up_after: Option<Duration>,
    },
}

impl Options {
    /// The usual settings for an agent of that name.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            labels: BTreeMap::new(),
            compress: true,
            spool_bytes: 64 << 20,
            queue_batches: 256,
            reconnect: Reconnect::Backoff {
                first: Duration::from_millis(100),
                longest: Duration::from_secs(5),
                give_up_after: None,
            },
        }
    }
}
