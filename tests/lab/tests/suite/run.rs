//! Running a scenario for a test.
#![expect(clippy::print_stderr, reason = "this is test code, only not in a test function")]

use correlate_lab::{LabError, Offloads, Outcome, Scenario, record};
use std::path::{Path, PathBuf};

/// Runs a scenario with whole frames captured, super-packets excepted; `None`, with a word why, where the kernel
/// forbids it.
pub(crate) fn run(scenario: &Scenario, seed: u64) -> Option<Outcome> {
    let mut scenario = scenario.clone();
    if scenario.offloads == Offloads::Off {
        for tap in scenario.server_taps.iter_mut().chain([&mut scenario.client_tap]) {
            tap.snaplen = 1_600;
        }
    }
    let folder = scratch(scenario.name, seed);
    match record(&scenario, seed, &folder) {
        Ok(outcome) => Some(outcome),
        Err(error @ LabError::NoPrivilege { .. }) => {
            skip(&error.to_string());
            None
        }
        Err(error) => panic!("{}: {error}", scenario.name),
    }
}

/// Says why a test does nothing; with `CI=true` that is a failure.
pub(crate) fn skip(reason: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "must not be skipped: {reason}");
    eprintln!("skipped: {reason}");
}

/// An empty folder of this test's own.
pub(crate) fn scratch(name: &str, seed: u64) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{seed}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("make a scratch folder");
    folder
}
