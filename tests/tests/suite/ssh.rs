//! Sessions with a host behind a real sshd, where correlate is installed and where nothing is but tcpdump.

use crate::support::binary::{PATIENCE, command, path};
use crate::support::expectation::Expectation;
use crate::support::fleet::Fleet;
use crate::support::report::Report;
use crate::support::scratch;
use crate::support::sshd::{NAME, PORT, Setting, Sshd, missing};
use correlate_lab::{Lab, LabError, find};
use correlate_tests::permits::Permit;
use correlate_tests::process::{Ran, Running};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Without these nothing works; correlate and tcpdump are not among them.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// What the far end's scripts are made of.
const TOOLS: [&str; 9] = ["sh", "date", "uname", "ip", "id", "grep", "cat", "sleep", "sudo"];

/// What is at the far end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FarEnd {
    Correlate,
    Tcpdump,
}

/// Where ssh goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Within the server's host, beside the path.
    Beside,
    /// From the client's host over the path, which both ends capture.
    Along,
}

/// A lab, unless the kernel or this user cannot have one.
fn lab(name: &str) -> Option<Lab> {
    if let Some(reason) = missing() {
        scratch::skip(&reason);
        return None;
    }
    match Lab::start(&find(name).expect("a scenario"), 1) {
        Ok(lab) => Some(lab),
        Err(error @ LabError::NoPrivilege { .. }) => {
            scratch::skip(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn sshd(lab: &Lab, way: Way, path: Option<&str>, folder: &Path) -> Sshd {
    let server = lab.server(0).expect("a server");
    let (from, address) = match way {
        Way::Beside => (server, "127.0.0.1"),
        Way::Along => (lab.client(), "10.77.0.2"),
    };
    Sshd::start(Setting { host: server, from, address, path }, folder)
}

/// Runs the scenario between the client, captured here, and `server`, as the command line names it.
fn run(scenario: &str, far_end: FarEnd, way: Way, server: &str) -> Option<Ran> {
    let mut lab = lab(scenario)?;
    let permit = Permit::take();
    let folder = scratch::folder(&format!("ssh-{scenario}-{far_end:?}-{way:?}"));
    let with = format!("{}:{USUAL_PATH}", path().parent().expect("a folder").display());
    let sshd = sshd(&lab, way, (far_end == FarEnd::Correlate).then_some(with.as_str()), &folder);
    let client = lab.client();
    let client = format!("netns:{}:{}", client.namespace.path().display(), client.interface);
    let mut correlate = command();
    correlate.env("CORRELATE_SSH", &sshd.ssh).args(["run", "--format", "json", "--save"]);
    correlate.arg(folder.join("session.correlate")).args(["--client", &client, "--server", server]);
    let running = Running::start(&mut correlate);
    running.until_it_says("capturing at ", PATIENCE);
    lab.run_traffic().expect("traffic");
    running.interrupt();
    let ran = running.finish(PATIENCE);
    drop(sshd);
    lab.stop().expect("stops");
    drop(permit);
    Some(ran)
}

fn is_told_rightly(scenario: &str, far_end: FarEnd) {
    let Some(ran) = run(scenario, far_end, Way::Beside, &format!("ssh://{NAME}/server0")) else { return };
    let wrong = Expectation::of(&find(scenario).expect("a scenario")).complaints(&ran);
    assert!(wrong.is_empty(), "{scenario}, {far_end:?}: {}\n{}", wrong.join("\n"), ran.stderr);
    let report = Report::read(&ran).expect("a report");
    assert_eq!(report.at("/capture_points/1/dropped_by_kernel"), &Value::from(0), "it was counted");
    assert_eq!(report.at("/capture_points/1/host"), &Value::from(format!("ssh://{NAME}/server0")));
}

#[test]
fn with_tcpdump_alone_a_clean_path_is_clean() {
    is_told_rightly("clean-one", FarEnd::Tcpdump);
}

#[test]
fn with_tcpdump_alone_a_lost_syn_ack_is_proven() {
    is_told_rightly("syn-ack-lost", FarEnd::Tcpdump);
}

#[test]
fn with_tcpdump_alone_silence_is_evidence() {
    is_told_rightly("syn-lost", FarEnd::Tcpdump);
}

#[test]
fn with_tcpdump_alone_an_injected_reset_is_proven() {
    is_told_rightly("rst-injected", FarEnd::Tcpdump);
}

#[test]
fn with_correlate_there_a_clean_path_is_clean() {
    is_told_rightly("clean-one", FarEnd::Correlate);
}

#[test]
fn with_correlate_there_a_lost_syn_ack_is_proven() {
    is_told_rightly("syn-ack-lost", FarEnd::Correlate);
}

#[test]
fn with_correlate_there_an_injected_reset_is_proven() {
    is_told_rightly("rst-injected", FarEnd::Correlate);
}

/// Both ends capture the ssh connection's own path, on all interfaces of the far one, without a filter.
fn ssh_is_no_evidence(far_end: FarEnd) {
    let Some(ran) = run("clean-one", far_end, Way::Along, NAME) else { return };
    let report = Report::read(&ran).unwrap_or_else(|error| panic!("{error}"));
    let wrong = Expectation::of(&find("clean-one").expect("a scenario")).complaints(&ran);
    assert!(wrong.is_empty(), "{far_end:?}: {}\n{}", wrong.join("\n"), ran.stderr);
    let connections = report.connections();
    assert!(!connections.is_empty());
    for connection in connections {
        let ports = ["client", "server"].map(|end| connection[end]["port"].as_u64());
        assert!(!ports.contains(&Some(u64::from(PORT))), "{connection}");
    }
    let total = report.at("/connection_totals/total").as_u64();
    assert_eq!(total, u64::try_from(connections.len()).ok(), "no connection is hidden");
}

#[test]
fn the_ssh_connection_of_a_tcpdump_is_never_evidence() {
    ssh_is_no_evidence(FarEnd::Tcpdump);
}

#[test]
fn the_ssh_connection_of_an_agent_is_never_evidence() {
    ssh_is_no_evidence(FarEnd::Correlate);
}

/// An agent in the client's host, and one that captures at the server's by tcpdump, each for two sessions.
#[test]
fn an_agent_at_one_end_and_ssh_at_the_other_are_a_session_of_a_coordinator() {
    let Some(mut lab) = lab("syn-ack-lost") else { return };
    let _permit = Permit::take();
    let folder = scratch::folder("ssh-fleet");
    let sshd = sshd(&lab, Way::Beside, None, &folder);
    let fleet = Fleet::start(&folder);
    let client = lab.client();
    let agents = [
        fleet.agent("web-1", &client.namespace, client.interface),
        fleet.agent_over_ssh("db-1", &format!("ssh://{NAME}/server0"), &sshd.ssh),
    ];
    let hosts = ["web-1", "db-1"].map(str::to_owned);
    let (idle, _) = fleet.run(&hosts);
    idle.interrupt();
    assert!(idle.finish(PATIENCE).status.is_some());
    let (run, _) = fleet.run(&hosts);
    lab.run_traffic().expect("traffic");
    run.interrupt();
    let ran = run.finish(PATIENCE);
    let wrong = Expectation::of(&find("syn-ack-lost").expect("a scenario")).complaints(&ran);
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), ran.stderr);
    for agent in agents {
        agent.terminate();
        assert_eq!(agent.finish(PATIENCE).status, Some(0));
    }
}

/// A folder of the tools alone, in `folder`.
fn bare(folder: &Path) -> PathBuf {
    let bare = folder.join("bare");
    std::fs::create_dir(&bare).expect("is new");
    for tool in TOOLS {
        if let Some(program) =
            ["/usr/bin", "/bin", "/sbin"].map(|at| Path::new(at).join(tool)).iter().find(|path| path.exists())
        {
            std::os::unix::fs::symlink(program, bare.join(tool)).expect("is new");
        }
    }
    bare
}

/// What `doctor` says of `host`, reached by an sshd whose sessions have that PATH.
fn doctor(lab: &Lab, name: &str, path: Option<&str>, hosts: &[&str]) -> Vec<Ran> {
    let sshd = sshd(lab, Way::Beside, path, &scratch::folder(&format!("ssh-doctor-{name}")));
    let ask = |host: &&str| {
        let mut correlate = command();
        Running::start(correlate.env("CORRELATE_SSH", &sshd.ssh).args(["doctor", host])).finish(PATIENCE)
    };
    hosts.iter().map(ask).collect()
}

fn says(ran: &Ran, status: i32, lines: &[(&str, &str)]) {
    let text = ran.text();
    assert_eq!(ran.status, Some(status), "{text}{}", ran.stderr);
    for (begins, has) in lines {
        let found = text.lines().any(|line| line.starts_with(begins) && line.contains(has));
        assert!(found, "{begins} {has}: {text}");
    }
}

#[test]
fn doctor_says_what_a_capture_would_meet_over_ssh() {
    let Some(lab) = lab("clean-one") else { return };
    let with_interface = format!("ssh://{NAME}/server0");
    let ran = doctor(&lab, "tcpdump", None, &[NAME, &with_interface, "ssh://far/none0", "ssh://127.0.0.1:1"]);
    for found in &ran[..2] {
        says(
            found,
            0,
            &[
                ("ok       ssh", "is reached"),
                ("ok       system", "Linux"),
                ("weak     correlate", "is not in the PATH"),
                ("ok       tcpdump", "may capture itself"),
                ("ok       sudo", "not needed: the user is root"),
                ("ok       clock", "this host's"),
                ("ok       interfaces", "server0"),
            ],
        );
    }
    says(&ran[2], 1, &[("missing  tcpdump", "no such interface"), ("", "tcpdump -D")]);
    assert_eq!((ran[3].status, ran[3].text().as_str()), (Some(2), ""));
    assert!(ran[3].stderr.contains("cannot reach ssh://127.0.0.1:1 over ssh"), "{}", ran[3].stderr);

    let with = format!("{}:{USUAL_PATH}", path().parent().expect("a folder").display());
    let ran = doctor(&lab, "correlate", Some(&with), &[NAME]);
    let version = env!("CARGO_PKG_VERSION");
    says(
        &ran[0],
        0,
        &[
            ("ok       correlate", &format!("{version}, may capture itself")),
            ("as correlate says there:", ""),
            ("ok       kernel", "Linux"),
        ],
    );

    let bare = bare(&scratch::folder("ssh-doctor-tools"));
    let ran = doctor(&lab, "bare", bare.to_str(), &[NAME]);
    says(&ran[0], 1, &[("missing  tcpdump", "nothing captures there"), ("", "hint: install tcpdump there")]);
    lab.stop().expect("stops");
}

#[test]
fn a_host_that_is_not_reached_ends_with_status_2_and_says_why() {
    let Some(lab) = lab("clean-one") else { return };
    let folder = scratch::folder("ssh-errors");
    let bare = bare(&folder);
    let sshd = sshd(&lab, Way::Beside, bare.to_str(), &folder);
    let client = format!("netns:{}", lab.client().namespace.path().display());
    let fails = |server: &str, says: &[&str]| {
        let mut correlate = command();
        correlate.env("CORRELATE_SSH", &sshd.ssh).args(["run", "--client", &client, "--server", server]);
        let ran = Running::start(correlate.args(["--duration", "1s"])).finish(PATIENCE);
        assert_eq!(ran.status, Some(2), "{server}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{server}");
        for words in says {
            assert!(ran.stderr.contains(words), "{server}: {words}: {}", ran.stderr);
        }
    };
    fails("ssh://127.0.0.1:1", &["cannot reach ssh://127.0.0.1:1 over ssh", "Connection refused", "hint: "]);
    fails(NAME, &["neither correlate nor tcpdump", "install tcpdump"]);
    std::fs::write(folder.join("authorized_keys"), "").expect("writes");
    fails(NAME, &["Permission denied", "ssh-add"]);
    std::fs::write(folder.join("known_hosts"), "").expect("writes");
    fails(NAME, &["Host key verification failed", "check the host's key"]);
}
