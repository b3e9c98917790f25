//! What can go wrong with the authority itself.

use std::path::PathBuf;

/// Why the authority, its files or its tokens cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A file or directory of the authority.
    #[error("cannot {action} {}: {source}; check the directory given with --data and its permissions", path.display())]
    File {
        /// What was tried: a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no authority in the directory.
    #[error("there is no certificate authority in {}; make one with `correlate coordinator init`", .0.display())]
    Missing(PathBuf),
    /// A file does not hold what it should.
    #[error("{} does not hold {what}; restore it from a copy, or remove the directory and join all hosts anew", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A certificate or key could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
    /// A name that no certificate can be made out to.
    #[error("{0:?} is no name for a certificate; use 1 to 64 letters, digits, dots, dashes and underscores")]
    Name(String),
    /// The database of tokens.
    #[error("cannot use the join tokens in {}: {source}; check the file's permissions and the space on the disk", path.display())]
    Tokens {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
}

impl From<rcgen::Error> for TrustError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}
