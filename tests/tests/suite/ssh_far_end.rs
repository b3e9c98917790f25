//! What runs at the far end of ssh, under this machine's shell, with a tcpdump and a sudo that do as they are told.

use crate::support::binary::{PATIENCE, command};
use crate::support::report::Report;
use crate::support::scratch;
use correlate_tests::process::{Ran, Running};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// As ssh: runs the command here, and says where it comes from.
const SSH: &str = r#"for last; do :; done
SSH_CONNECTION='192.0.2.1 4000 192.0.2.2 22'; export SSH_CONNECTION
PATH=$FAR_PATH; export PATH
exec sh -c "$last""#;

/// As tcpdump: a file header, and counts at its end. It notes how it was called.
const TCPDUMP: &str = r#"echo "$@" >>"$NOTES"
case " $* " in *' -d '*) exit 0;; esac
echo 'tcpdump: listening on any, link-type LINUX_SLL2 (Linux cooked v2), snapshot length 192 bytes' >&2
printf '\324\303\262\241\002\000\004\000\000\000\000\000\000\000\000\000\300\000\000\000\024\001\000\000'
trap 'echo over >>"$NOTES"; echo "9 packets received by filter" >&2; echo "7 packets dropped by kernel" >&2; exit 0' TERM
while :; do sleep 0.05; done"#;

/// As a tcpdump of somebody who is not root.
const DENIED: &str = r#"if [ -z "$BY_SUDO" ]; then
echo "tcpdump: any: You don't have permission to perform this capture on that device" >&2
echo '(socket: Operation not permitted)' >&2
exit 1
fi
"#;

/// A far end: its programs, and what its tcpdump noted.
struct FarEnd {
    ssh: PathBuf,
    path: String,
    notes: PathBuf,
}

impl FarEnd {
    fn new(name: &str, programs: &[(&str, &str)]) -> Self {
        let folder = scratch::folder(&format!("ssh-far-end-{name}"));
        let program = |name: &str, script: &str| {
            let path = folder.join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("writes");
            fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("is ours");
            path
        };
        for (name, script) in programs {
            program(name, script);
        }
        // A user that is nobody in particular.
        program("id", "echo 1000");
        let ssh = program("ssh", SSH);
        Self { ssh, path: format!("{}:/usr/bin:/bin", folder.display()), notes: folder.join("notes") }
    }

    /// A session between two captures of this host.
    fn run(&self, args: &[&str]) -> Ran {
        self.start(args).finish(PATIENCE)
    }

    fn start(&self, args: &[&str]) -> Running {
        let mut correlate = command();
        correlate.env("CORRELATE_SSH", &self.ssh).env("FAR_PATH", &self.path).env("NOTES", &self.notes);
        Running::start(correlate.args(["run", "--client", "web", "--server", "ssh://db/eth0"]).args(args))
    }

    /// What `doctor` says of it.
    fn doctor(&self) -> Ran {
        let mut correlate = command();
        correlate.env("CORRELATE_SSH", &self.ssh).env("FAR_PATH", &self.path).env("NOTES", &self.notes);
        Running::start(correlate.args(["doctor", "ssh://db/eth0"])).finish(PATIENCE)
    }

    fn notes(&self) -> String {
        fs::read_to_string(&self.notes).unwrap_or_default()
    }
}

#[test]
fn the_filter_and_the_snaplen_apply_there_and_the_drops_are_read_at_the_end() {
    let far = FarEnd::new("plain", &[("tcpdump", TCPDUMP)]);
    let ran = far.run(&["port", "5432", "--duration", "1s", "--snaplen", "100", "--format", "json"]);
    let report = Report::read(&ran).unwrap_or_else(|error| panic!("{error}"));
    for point in ["/capture_points/0", "/capture_points/1"] {
        assert_eq!(report.at(&format!("{point}/dropped_by_kernel")), &Value::from(7));
    }
    assert!(report.finding("capture-loss").is_some(), "{:?}", report.codes());
    assert_eq!(ran.status, Some(3), "nothing was seen");
    let notes = far.notes();
    let began: Vec<&str> = notes.lines().filter(|line| line.contains("-w -")).collect();
    assert_eq!(began.len(), 2, "{notes}");
    for words in [
        "-s 100",
        "--immediate-mode",
        "(tcp and (port 5432))",
        "not ((src host 192.0.2.1 and tcp src port 4000",
    ] {
        assert!(began.iter().all(|line| line.contains(words)), "{words}: {notes}");
    }
    assert!(
        began.iter().any(|line| line.contains("-i any")) && began.iter().any(|line| line.contains("-i eth0"))
    );
    assert_eq!(notes.lines().filter(|line| *line == "over").count(), 2, "both have ended: {notes}");
}

#[test]
fn a_session_that_is_killed_leaves_no_tcpdump_behind() {
    let far = FarEnd::new("killed", &[("tcpdump", TCPDUMP)]);
    let running = far.start(&[]);
    assert!(running.until_it_says("capturing at ", PATIENCE));
    drop(running);
    let until = std::time::Instant::now() + PATIENCE;
    while far.notes().lines().filter(|line| *line == "over").count() < 2 {
        assert!(std::time::Instant::now() < until, "{}", far.notes());
        std::thread::yield_now();
    }
}

#[test]
fn an_agent_ends_with_its_input() {
    let ran = Running::start(command().args(["agent", "--stdio", "--name", "db"])).finish(PATIENCE);
    assert!(!ran.was_killed);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
}

#[test]
fn sudo_is_used_where_it_is_needed_and_asks_for_nothing() {
    let sudo = "[ \"$1\" = -n ] || exit 9; shift; BY_SUDO=1; export BY_SUDO; exec \"$@\"";
    let tcpdump = format!("{DENIED}{TCPDUMP}");
    let far = FarEnd::new("sudo", &[("tcpdump", &tcpdump), ("sudo", sudo)]);
    let ran = far.run(&["--duration", "1s", "--format", "json"]);
    let report = Report::read(&ran).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(report.at("/capture_points/1/dropped_by_kernel"), &Value::from(7));
}

#[test]
fn a_sudo_that_asks_for_a_password_is_quoted_with_what_needed_it() {
    let sudo = "echo 'sudo: a password is required' >&2; exit 1";
    let far = FarEnd::new("password", &[("tcpdump", DENIED), ("sudo", sudo)]);
    let ran = far.run(&["--duration", "1s"]);
    assert_eq!(ran.status, Some(2), "{}", ran.stderr);
    for words in ["You don't have permission", "sudo: a password is required", "NOPASSWD"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
}

#[test]
fn doctor_tells_whether_sudo_helps_and_captures_nothing() {
    let version = "case $1 in --version) echo 'tcpdump version 4.99.3'; exit 0;; esac";
    let tcpdump = format!("{version}\n{DENIED}{TCPDUMP}");
    let willing = "[ \"$1\" = -n ] || exit 9; shift; BY_SUDO=1; export BY_SUDO; exec \"$@\"";
    let asking = "echo 'sudo: a password is required' >&2; exit 1";
    for (name, sudo, status, words) in [
        ("doctor-sudo", willing, 0, ["version 4.99.3, may capture by sudo", "asks for no password"]),
        ("doctor-password", asking, 1, ["You don't have permission", "unasked: a password is required"]),
    ] {
        let far = FarEnd::new(name, &[("tcpdump", &tcpdump), ("sudo", sudo)]);
        let ran = far.doctor();
        assert_eq!(ran.status, Some(status), "{}{}", ran.text(), ran.stderr);
        for word in words {
            assert!(ran.text().contains(word), "{word}: {}", ran.text());
        }
        let notes = far.notes();
        assert!(!notes.contains("-w -"), "nothing is captured: {notes}");
        assert_eq!(ran.text().contains("NOPASSWD"), status == 1, "{}", ran.text());
    }
}

#[test]
fn what_tcpdump_says_of_a_filter_or_an_interface_is_quoted() {
    for (name, said, expected) in [
        ("filter", "tcpdump: can't parse filter expression: syntax error", "rejects the filter"),
        ("interface", "tcpdump: eth0: No such device exists", "no such interface"),
    ] {
        let far = FarEnd::new(name, &[("tcpdump", &format!("echo \"{said}\" >&2; exit 1"))]);
        let ran = far.run(&["--duration", "1s"]);
        assert_eq!(ran.status, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(said) && ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

#[test]
fn words_of_login_scripts_do_no_harm_and_a_far_end_without_a_shell_is_an_error() {
    let chatty = FarEnd::new("chatty", &[("tcpdump", TCPDUMP)]);
    let said = fs::read_to_string(&chatty.ssh).expect("a script");
    fs::write(&chatty.ssh, said.replace("exec sh", "echo 'tool agent'; echo welcome; exec sh"))
        .expect("writes");
    assert_eq!(chatty.run(&["--duration", "1s"]).status, Some(3));

    let nologin = FarEnd::new("nologin", &[]);
    fs::write(&nologin.ssh, "#!/bin/sh\necho 'This account is currently not available.'\nexit 1\n")
        .expect("writes");
    let ran = nologin.run(&["--duration", "1s"]);
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("ssh: This account is currently not available."), "{}", ran.stderr);

    let none = command_without_ssh(&nologin.path);
    assert_eq!(none.status, Some(2));
    assert!(none.stderr.contains("CORRELATE_SSH"), "{}", none.stderr);
}

fn command_without_ssh(path: &str) -> Ran {
    let absent = Path::new(path.split(':').next().expect("a folder")).join("no-ssh");
    let mut correlate = command();
    Running::start(correlate.env("CORRELATE_SSH", absent).args(["run", "--client", "web", "--server", "db"]))
        .finish(PATIENCE)
}
