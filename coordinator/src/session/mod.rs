//! A session: one coordinated capture run, from its options to its report.

mod event;
mod feed_thread;
mod handle;
mod machine;
mod options;
mod task;

pub use event::{EndCause, Failure, Outcome, PointProgress, SessionEvent, SessionProgress};
pub use handle::{SessionHandle, StartError};
pub use machine::Phase;
pub use options::{PointSpec, SessionOptions, Timeouts};
pub(crate) use task::{AgentConnected, Mailbox, Message, UploadGrant, start};
