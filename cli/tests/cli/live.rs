//! Live sessions on the loopback interface of this machine, through the built program.

use super::support::correlate;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

const BOTH: [&str; 5] = ["run", "--client", "local:lo", "--server", "local:lo"];

/// Whether this user may capture; a run that must be able to (`CI=true`) fails if not.
fn may_capture() -> bool {
    let doctor = correlate(&["doctor"]);
    let may = !doctor.stdout.lines().any(|line| line.starts_with("missing"));
    assert!(may || std::env::var("CI").as_deref() != Ok("true"), "cannot capture here: {}", doctor.stdout);
    if !may {
        let _ = writeln!(std::io::stderr(), "skipped: this user cannot capture: {}", doctor.stdout);
    }
    may
}

#[test]
fn a_command_runs_while_capturing_and_its_status_is_kept_apart() {
    if !may_capture() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let saved = dir.path().join("session.correlate");
    let saved = saved.to_str().expect("a name");
    let command = ["--save", saved, "--format", "json", "port", "1", "--", "sh", "-c", "exit 7"];
    let ran = correlate(&[BOTH.as_slice(), &command].concat());
    // Nothing uses that port, so there is nothing to judge.
    assert_eq!(ran.status, Some(3), "{ran:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["session"]["command"]["exit_status"], 7);
    assert_eq!(report["session"]["command"]["argv"][0], "sh");
    let shown = correlate(&["show", saved, "--format", "json"]);
    assert_eq!(shown.status, Some(3), "{shown:?}");
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(shown["verdict"], report["verdict"]);
    assert_eq!(shown["capture_points"], report["capture_points"]);
}

#[test]
fn a_command_that_cannot_start_and_an_interface_that_is_not_there_are_errors() {
    if !may_capture() {
        return;
    }
    let ran = correlate(&[BOTH.as_slice(), &["--", "/nowhere/command"]].concat());
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("/nowhere/command") && ran.stderr.contains("hint: "), "{ran:?}");
    let ran = correlate(&["run", "--client", "local:nope0", "--server", "local:lo", "--duration", "1s"]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("nope0"), "{ran:?}");
}

/// A session without end, once it captures.
fn endless() -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_correlate"))
        .args(BOTH)
        .args(["port", "1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("capturing at") {
        line.clear();
        assert!(stderr.read_line(&mut line).expect("text") > 0, "it ended before it captured");
    }
    (child, stderr)
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

#[test]
fn an_interrupt_ends_in_order_with_a_verdict() {
    if !may_capture() {
        return;
    }
    let (mut child, mut stderr) = endless();
    interrupt(&child);
    let mut report = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut report).expect("text");
    let status = child.wait().expect("it ends").code();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("text");
    assert_eq!(status, Some(3), "{rest} {report}");
    assert!(rest.contains("Ctrl-C again aborts") && report.starts_with("INCONCLUSIVE"), "{rest} {report}");
}
