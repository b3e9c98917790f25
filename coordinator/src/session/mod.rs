//! A session: one coordinated capture run, from its options to its report.

mod agents;
mod commands;
mod event;
mod feed_thread;
mod handle;
mod machine;
mod message;
mod options;
mod restart;
pub(crate) mod spec;
mod start;
mod task;

pub use event::{EndCause, Failure, Outcome, PointProgress, SessionEvent, SessionProgress};
pub use handle::{SessionHandle, StartError};
pub use machine::Phase;
pub(crate) use message::{AgentConnected, AgentFacts, Mailbox, Message, UploadGrant};
pub use options::{PointSpec, SessionOptions, Timeouts};
pub(crate) use start::{resume, start};
