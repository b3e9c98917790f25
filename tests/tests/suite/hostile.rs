//! Files that were made to break readers, and one end's captures of all sorts: each gets a report or a clear error.

use crate::support::binary::command_within;
use crate::support::captures;
use crate::support::expectation::analyze;
use crate::support::report::Report;
use crate::support::scratch::say;
use correlate_tests::permits::{Permit, side_by_side};
use correlate_tests::process::{Ran, Running};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of processor time: how long that is by the clock depends on what else runs.
const LONGEST: Duration = Duration::from_secs(10);
/// By the clock; who waits or turns in circles is killed then.
const PATIENCE: Duration = Duration::from_secs(60);
const MOST_BYTES: u64 = 300 << 20;

#[test]
fn every_file_at_either_end_gives_a_report_or_a_clear_error() {
    let folders = ["single", "hostile", "seeds"].map(captures::folder);
    let [Some(single), Some(hostile), Some(seeds)] = folders else { return };
    let files = [captures::files(&single), captures::files(&hostile)].concat();
    assert!(!files.is_empty(), "no file was tried");
    let healthy = ["client.pcap", "server.pcap"].map(|name| seeds.join("telnet-open-and-close").join(name));
    let tried = side_by_side(&files, |file| {
        let _permit = Permit::take();
        [("client", [file, &healthy[1]]), ("server", [&healthy[0], file]), ("both", [file, file])]
            .map(|(end, pair)| try_pair(file, end, pair))
    });
    let tried = tried.concat();
    let slowest = tried.iter().max_by_key(|one| one.worked).expect("files");
    say(&format!("{} runs; the slowest worked {:?}: {}", tried.len(), slowest.worked, slowest.what));
    let by_status = |status: i32| tried.iter().filter(|one| one.status == Some(status)).count();
    say(&format!("statuses 0 to 3: {:?}", [0, 1, 2, 3].map(by_status)));
    let wrong: Vec<&str> = tried.iter().flat_map(|one| &one.wrong).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// What a run gave.
#[derive(Debug, Clone)]
struct Tried {
    what: String,
    status: Option<i32>,
    worked: Duration,
    wrong: Vec<String>,
}

fn try_pair(file: &Path, end: &str, [client, server]: [&PathBuf; 2]) -> Tried {
    let ran =
        Running::start(command_within(MOST_BYTES).args(analyze(client, [server.as_path()]))).finish(PATIENCE);
    let what = format!("{} as {end}", file.display());
    let wrong = complaint(&ran).map(|complaint| format!("{what}: {complaint}"));
    let Ran { status, worked, .. } = ran;
    Tried { what, status, worked, wrong: wrong.into_iter().collect() }
}

fn complaint(ran: &Ran) -> Option<String> {
    if ran.was_killed || ran.worked > LONGEST {
        return Some(format!("worked for {:?} within {:?}", ran.worked, ran.took));
    }
    if ran.stderr.contains("panicked") {
        return Some(format!("panicked: {}", ran.stderr));
    }
    match ran.status {
        Some(0 | 1 | 3) => match Report::read(ran) {
            Ok(report) if ran.status == Some(report.due_status()) => None,
            Ok(report) => Some(format!("status {:?}, the report earns {}", ran.status, report.due_status())),
            Err(error) => Some(error),
        },
        // A clear error: what failed, and what to do, and nothing on standard output.
        Some(2) => {
            let clear =
                ran.stderr.contains("error: ") && ran.stderr.contains("hint: ") && ran.stdout.is_empty();
            (!clear).then(|| format!("no clear error: {:?}", ran.stderr))
        }
        status => Some(format!("status {status:?}: {}", ran.stderr)),
    }
}
