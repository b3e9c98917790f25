//! The agent's connection to its coordinator: commands down, packets up.
//!
//! [`run()`] dials, introduces the agent and obeys. Each capture has a thread of its own that reads, batches and
//! never waits for the network, and a task that uploads, keeps what is not yet acknowledged, and sends it again
//! after a broken connection.

mod backoff;
mod control;
mod dial;
mod horizon;
mod moment;
mod opener;
mod options;
mod pending;
mod run;
mod sampling;
mod spool;
mod thread;
mod uploader;

pub use dial::{Dial, Io, channel, dial_once, dial_tcp};
pub use opener::{CaptureOpener, CaptureRequest, HostFacts, HostProbe, OpenCapture, Refusal};
pub use options::{Options, Reconnect};
pub use run::{UplinkError, run};
