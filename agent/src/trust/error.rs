//! What can go wrong with credentials.

use std::io;
use std::path::PathBuf;

/// Why credentials cannot be had or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A file of the credentials.
    #[error("cannot {action} {}: {source}; check the directory given with --credentials and its permissions", path.display())]
    File {
        /// What was tried: a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There are none.
    #[error("there are no credentials in {}; join a coordinator with `correlate join`", .0.display())]
    Missing(PathBuf),
    /// A file does not hold what it should.
    #[error("{} does not hold {what}; join the coordinator again", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A key, request or certificate could not be made or used.
    #[error("cannot use a key or certificate: {0}")]
    Certificate(String),
    /// The coordinator cannot be reached.
    #[error("cannot reach the coordinator at {address}: {source}; check its address and that it runs")]
    Unreachable {
        /// Its address.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// The coordinator says no.
    #[error("the coordinator refused: {0}")]
    Refused(String),
    /// The coordinator gave what nobody can use.
    #[error("the coordinator gave {0}; let both ends be of the same version")]
    Nonsense(&'static str),
}

impl From<rcgen::Error> for TrustError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}
