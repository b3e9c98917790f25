//! Sessions of `correlate`: agents are told what to capture, what they send is recorded before it is
//! acknowledged, and the recording is what the engine reads, live or years later.

mod arrivals;
mod body;
mod connection;
pub mod daemon;
pub mod embedded;
mod feeding;
mod metrics;
pub mod peer;
mod recorder;
pub mod recording;
mod registry;
pub mod replay;
mod server;
mod service;
pub mod session;
pub mod trust;

pub use daemon::{Daemon, DaemonError, DaemonSettings, Keep, ListenAddress, Listener};
pub use embedded::Embedded;
pub use recording::{Recording, RecordingError};
pub use replay::{ReplayError, replay};
pub use server::Connector;
pub use session::{
    EndCause, Failure, Outcome, PointProgress, PointSpec, SessionEvent, SessionHandle, SessionOptions,
    SessionProgress, StartError, Timeouts,
};

#[cfg(test)]
mod tests;
