//! Folders of the tests' own, and words on standard error.

use std::path::{Path, PathBuf};

/// An empty folder. It stays when the test is over, to be looked at.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("end_to_end").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("make a scratch folder");
    folder
}

/// Says a line.
#[expect(clippy::print_stderr, reason = "the tests' own words")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// Says why a test does nothing; with `CI=true` that is a failure.
pub(crate) fn skip(reason: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "must not be skipped: {reason}");
    say(&format!("skipped: {reason}"));
}
