//! Where a demonstration puts its captures.

use crate::error::CliError;
use std::path::{Path, PathBuf};

/// A directory: the one the user wants kept, or one that vanishes.
#[derive(Debug)]
pub(super) struct Workdir {
    path: PathBuf,
    passing: bool,
}

impl Workdir {
    /// `keep` is made if it does not exist.
    pub(super) fn new(keep: Option<&Path>) -> Result<Self, CliError> {
        let passing = keep.is_none();
        let path = keep.map_or_else(
            || std::env::temp_dir().join(format!("correlate-demo-{}", std::process::id())),
            Path::to_owned,
        );
        let made = if passing { std::fs::create_dir(&path) } else { std::fs::create_dir_all(&path) };
        made.map_err(|error| {
            CliError::new(format!("cannot make the directory {}: {error}", path.display()))
                .hint("name a directory that you may write to with --keep, or in TMPDIR")
        })?;
        Ok(Self { path, passing })
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        if self.passing {
            // What cannot be removed lies in the directory for such things.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
