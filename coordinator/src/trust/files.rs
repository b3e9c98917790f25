//! Files that hold secrets.

use super::TrustError;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Makes a directory that only its owner reads, unless it is there.
pub(super) fn private_directory(path: &Path) -> Result<(), TrustError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| failed("make", path, source))
}

/// Writes a file as a whole: a reader sees the old content or the new.
pub(super) fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), TrustError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let written = || {
        // A draft that was left behind may have another mode.
        let _ = std::fs::remove_file(&draft);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    written().map_err(|source| failed("write", path, source))
}

/// Reads a text file; `None` if it is not there.
pub(super) fn read(path: &Path) -> Result<Option<String>, TrustError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed("read", path, source)),
    }
}

fn failed(action: &'static str, path: &Path, source: std::io::Error) -> TrustError {
    TrustError::File { action, path: path.to_owned(), source }
}
