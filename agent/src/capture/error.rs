//! Why a capture could not be opened or read on.

use std::io;

/// What went wrong with a source of frames, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file could not be opened.
    #[error("cannot open {path}: {source}; check the path and that it may be read")]
    Open {
        /// The path as it was given.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Reading failed in mid-file for a reason other than the file's content.
    #[error("cannot read on in {name}: {source}; copy the file to a local disk and try again")]
    Read {
        /// The file or stream.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A capture on another host ended unasked.
    #[error("the capture at {host} ended: {said}; check the connection and start again")]
    Remote {
        /// The host as the user named it.
        host: String,
        /// What was heard last.
        said: String,
    },
    /// The content is no capture that this program reads.
    #[error("{name} is not a capture: {found}; {remedy}")]
    NotACapture {
        /// The file or stream.
        name: String,
        /// What it begins with and what that looks like.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A system call of a live capture failed.
    #[error("cannot {what} on {on}: {source}; {remedy}")]
    Live {
        /// What was tried, as a verb phrase.
        what: &'static str,
        /// The interface or namespace.
        on: String,
        /// What the system said.
        source: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// No interface has that name.
    #[error("no interface named {name}; this host has {known}")]
    NoSuchInterface {
        /// The name as it was given.
        name: String,
        /// The names that exist, joined by commas.
        known: String,
    },
    /// More interfaces were named than one capture takes.
    #[error("{given} interfaces are named, and {most} are possible; name none to capture all")]
    TooManyInterfaces {
        /// How many were named.
        given: usize,
        /// How many are possible.
        most: usize,
    },
    /// The owner of the host allows less than there is.
    #[error(
        "more than {limit} packets came within a second, and the policy of this host ({rule}) allows no more; use a filter that matches fewer"
    )]
    Forbidden {
        /// The file and the key in it.
        rule: String,
        /// Packets per second that are allowed.
        limit: u64,
    },
    /// The network namespace could not be entered.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Namespace(#[from] crate::host::NamespaceError),
}
