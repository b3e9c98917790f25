//! Live sessions on the loopback interface of this machine, through the built program.

use super::support::{correlate, stderr_of};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const BOTH: [&str; 5] = ["run", "--client", "local:lo", "--server", "local:lo"];

/// Whether this user may capture; a run that must be able to (`CI=true`) fails if not.
pub(super) fn may_capture() -> bool {
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
    assert_eq!(shown.stdout, ran.stdout, "what no packet tells is kept too");
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

/// A running session on the loopback interface.
struct Session {
    child: Child,
    stderr: BufReader<ChildStderr>,
    temporary: TempDir,
}

impl Session {
    /// A session, once it captures. It ends by itself if nothing else ends it.
    fn start(args: &[&str]) -> Self {
        let temporary = tempfile::tempdir().expect("a directory");
        let mut child = Command::new(env!("CARGO_BIN_EXE_correlate"))
            .args(BOTH)
            .args(["--duration", "60s"])
            .args(args)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut session = Self { child, stderr, temporary };
        session.until("capturing at");
        session
    }

    /// Reads until a line of standard error has these words.
    fn until(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = self.stderr.read_line(&mut line).expect("text");
            assert!(read > 0, "it ended before it said: {words}");
        }
    }

    fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
    }

    /// Waits for its end; its status, its report, and what it said last. It leaves nothing behind.
    fn ended(mut self) -> (Option<i32>, String, String) {
        let (mut report, mut rest) = (String::new(), String::new());
        self.child.stdout.take().expect("a pipe").read_to_string(&mut report).expect("text");
        let status = self.child.wait().expect("it ends").code();
        self.stderr.read_to_string(&mut rest).expect("text");
        let left = std::fs::read_dir(self.temporary.path()).expect("a directory").count();
        assert_eq!(left, 0, "temporary files are left: {rest}");
        (status, report, rest)
    }
}

/// A port of the loopback address where nobody listens, with a connection to it refused.
fn refused() -> impl Fn() -> u16 {
    let port =
        || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map(|at| at.port());
    let port = port().expect("a free port");
    move || {
        TcpStream::connect(("127.0.0.1", port)).expect_err("nobody listens");
        port
    }
}

#[test]
fn an_interrupt_ends_in_order_with_a_verdict() {
    if !may_capture() {
        return;
    }
    let session = Session::start(&["port", "1"]);
    session.interrupt();
    let (status, report, rest) = session.ended();
    assert_eq!(status, Some(3), "{rest} {report}");
    assert!(rest.contains("Ctrl-C again aborts") && report.starts_with("INCONCLUSIVE"), "{rest} {report}");
}

#[test]
fn a_second_interrupt_aborts_without_a_verdict_and_ends_the_command() {
    if !may_capture() {
        return;
    }
    let began = Instant::now();
    let mut session = Session::start(&["port", "1", "--", "sleep", "60"]);
    session.interrupt();
    // The command still runs, so the session cannot be over between the two.
    session.until("Ctrl-C again aborts");
    session.interrupt();
    let (status, report, rest) = session.ended();
    assert_eq!((status, report.as_str()), (Some(130), ""), "{rest}");
    assert!(rest.contains("aborted: no verdict"), "{rest}");
    // The command has the same standard output: that has come to its end only with the command.
    assert!(began.elapsed() < Duration::from_secs(30), "the command outlives its session");
}

#[test]
fn a_finding_is_announced_while_the_session_runs() {
    if !may_capture() {
        return;
    }
    let refused = refused();
    let mut session = Session::start(&["--format", "json"]);
    let port = refused();
    session.until("connection-refused");
    // Nothing has ended it yet: only now it is told to.
    session.interrupt();
    let (status, report, rest) = session.ended();
    assert_eq!(status, Some(1), "{rest} {report}");
    assert!(rest.contains("Ctrl-C again aborts"), "it was over before it was interrupted: {rest}");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|finding| finding["code"] == "connection-refused"), "{port}: {report}");
}

#[test]
fn a_count_of_packets_ends_the_session() {
    if !may_capture() {
        return;
    }
    let refused = refused();
    let filter = format!("port {}", refused());
    // A SYN and its RST.
    let session = Session::start(&["--count", "2", "--format", "json", &filter]);
    refused();
    let (status, report, rest) = session.ended();
    assert_eq!(status, Some(1), "{rest} {report}");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["findings"][0]["code"], "connection-refused", "{report}");
    assert_eq!(report["session"]["filter"], filter.as_str());
}

#[test]
fn a_time_ends_the_session() {
    if !may_capture() {
        return;
    }
    let ran = correlate(&[BOTH.as_slice(), &["--duration", "300ms", "port", "1"]].concat());
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert!(ran.stdout.contains("not-captured") && ran.stdout.contains("next: "), "{ran:?}");
}

#[test]
fn a_namespace_that_is_not_there_is_an_error_with_a_remedy() {
    if !may_capture() {
        return;
    }
    let stderr = stderr_of(&["run", "--client", "netns:no-such", "--server", "local", "--duration", "1s"]);
    assert!(stderr.contains("no-such") && stderr.contains("\nhint: "), "{stderr}");
}
