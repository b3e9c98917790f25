//! Words for the phases of a session.

use crate::wire::SessionPhase;

impl SessionPhase {
    /// What lists and metrics call it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unknown",
            Self::Waiting => "waiting",
            Self::Capturing => "capturing",
            Self::Draining => "draining",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}
