//! What may be wrong with a recording.

use correlate_proto::convert::ConvertError;
use std::path::PathBuf;

/// A recording that cannot be made, read or continued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file is there already.
    #[error("{0} exists; name another file, or remove it first")]
    Exists(PathBuf),
    /// The file cannot be created or opened.
    #[error("cannot open {path}: {reason}; check the path and its permissions")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file is something else.
    #[error(
        "{0} is not a session of correlate; sessions are what `--save` writes, captures are for `analyze`"
    )]
    NotASession(PathBuf),
    /// The file was written by a newer program.
    #[error("{path} has format {found}, this program reads up to {known}; use a newer correlate")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// Reading or writing failed in the middle.
    #[error("cannot use the recording: {0}; check that its disk has room and is healthy")]
    Storage(#[from] rusqlite::Error),
    /// The content is not what was once accepted.
    #[error("the recording is damaged at {place}: {reason}; ask for another copy of it")]
    Damaged {
        /// Table and row.
        place: String,
        /// What is wrong there.
        reason: String,
    },
}

impl RecordingError {
    pub(super) fn damaged(place: impl Into<String>, reason: &ConvertError) -> Self {
        Self::Damaged { place: place.into(), reason: reason.to_string() }
    }
}
