//! What can go wrong while building or running the lab.

use std::io;

/// Why the lab could not be built or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The kernel does not let this user make namespaces.
    #[error(
        "cannot make a network namespace: {source}; run as root (sudo), or allow user namespaces \
         (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
    )]
    NoPrivilege {
        /// The kernel's answer.
        source: io::Error,
    },
    /// A user namespace can only be entered while the process has one thread.
    #[error("cannot enter a user namespace: the process already has threads; call it first in main")]
    Threads,
    /// A step of the set-up failed.
    #[error("cannot {what}: {source}")]
    Setup {
        /// What was tried, on what.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A thread of the lab panicked.
    #[error("the {0} thread of the lab panicked; this is a defect of the lab")]
    Panicked(&'static str),
    /// The middlebox or a tap failed while running.
    #[error("{what} failed: {source}")]
    Run {
        /// Which part.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl LabError {
    /// Wraps an input or output error of the set-up step `what`.
    pub(crate) fn setup(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Setup { what, source }
    }

    /// Wraps an error of the running part `what`.
    pub(crate) fn run(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Run { what, source }
    }
}
