//! The captures that are kept beside the checkout, not in it.

use super::scratch::say;
use std::path::{Path, PathBuf};

/// The folder `name` of the captures: below `CORRELATE_CAPTURES`, else beside the workspace. Absent, with a word,
/// where there is none.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let all = std::env::var_os("CORRELATE_CAPTURES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures"), PathBuf::from);
    let folder = all.join(name);
    if !folder.is_dir() {
        say(&format!("nothing to test: no folder {}; CORRELATE_CAPTURES may name another", folder.display()));
        return None;
    }
    Some(folder)
}

/// All files below a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("read a folder of captures") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}
