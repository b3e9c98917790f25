//! The program as a user without privileges runs it.

use super::support::{Ran, correlate, ran};
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A user that owns nothing.
const NOBODY: u32 = 65_534;

/// The program where everyone may start it, and a directory where nobody may write.
struct Nobody {
    _dir: TempDir,
    program: PathBuf,
    home: PathBuf,
}

impl Nobody {
    /// Absent if this test's user can be nobody else.
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let (program, home) = (dir.path().join("correlate"), dir.path().join("home"));
        let open = |path: &std::path::Path| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("own files");
        };
        // By another process: a program that is open for writing here, and so in what other tests start, is busy.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_correlate")).arg(&program).status();
        assert!(copied.expect("cp runs").success());
        std::fs::create_dir(&home).expect("a directory");
        [dir.path(), &program, &home].into_iter().for_each(open);
        if let Err(error) = std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)) {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "cannot be another user: {error}");
            let _ = writeln!(std::io::stderr(), "skipped: this user cannot be another: {error}");
            return None;
        }
        Some(Self { _dir: dir, program, home })
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(&self.program);
        command.args(args).env("TMPDIR", &self.home).current_dir(&self.home).stdin(Stdio::null());
        ran(&command.uid(NOBODY).gid(NOBODY).output().expect("the program starts"))
    }
}

#[test]
fn a_capture_without_the_privilege_is_a_2_that_says_how_to_get_it() {
    let Some(nobody) = Nobody::new() else { return };
    let ran = nobody.run(&["run", "--client", "local:lo", "--server", "local:lo", "--duration", "1s"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.stderr.contains("CAP_NET_RAW") && ran.stderr.contains("\nhint: "), "{ran:?}");
}

#[test]
fn a_demonstration_needs_no_root_is_live_and_its_session_is_kept() {
    let Some(nobody) = Nobody::new() else { return };
    let doctor = nobody.run(&["doctor"]);
    if !doctor.stdout.lines().any(|line| line.starts_with("ok ") && line.contains(" lab ")) {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no user namespaces: {}", doctor.stdout);
        let _ = writeln!(std::io::stderr(), "skipped: the kernel gives no user namespaces");
        return;
    }
    let ran = nobody.run(&["demo", "connection-refused", "--keep", "kept", "--format", "json"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["findings"][0]["code"], "connection-refused", "{report}");
    // Told before the device's book is opened, which is after the session.
    let place = |words: &str| ran.stderr.find(words).unwrap_or_else(|| panic!("{words}: {}", ran.stderr));
    assert!(place("capturing at client, server") < place("error  connection-refused"), "{}", ran.stderr);
    assert!(place("error  connection-refused") < place("own book"), "{}", ran.stderr);
    let kept = nobody.home.join("kept/session.correlate");
    let shown = correlate(&["show", kept.to_str().expect("a name"), "--format", "json"]);
    assert_eq!((shown.status, shown.stdout), (Some(1), ran.stdout));
    assert_eq!(std::fs::read_dir(&nobody.home).expect("a directory").count(), 1, "nothing else is left");
}
