//! Sessions of `correlate`: agents are told what to capture, what they send is recorded before it is
//! acknowledged, and the recording is what the engine reads, live or years later.

mod arrivals;
mod body;
pub mod embedded;
mod feeding;
pub mod peer;
mod recorder;
pub mod recording;
mod registry;
pub mod replay;
mod service;
pub mod session;
pub mod trust;

pub use embedded::{Connector, Embedded};
pub use recording::{Recording, RecordingError};
pub use replay::{ReplayError, replay};
pub use session::{
    EndCause, Failure, Outcome, PointProgress, PointSpec, SessionEvent, SessionHandle, SessionOptions,
    SessionProgress, StartError, Timeouts,
};

#[cfg(test)]
mod tests;
