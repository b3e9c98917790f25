//! What the daemons tell Prometheus, held against what happened.

use crate::support::binary::{PATIENCE, command};
use crate::support::report::Report;
use crate::support::scrape::{Scrape, get, url};
use crate::support::scratch;
use correlate_lab::{Host, Lab, LabError, find};
use correlate_tests::permits::Permit;
use correlate_tests::process::Running;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

struct Daemon {
    running: Running,
    metrics: String,
}

impl Daemon {
    fn coordinator(folder: &Path, socket: &str) -> Self {
        let mut coordinator = command();
        coordinator.args(["coordinator", "--metrics", "0", "--listen", socket, "--data"]);
        let running = Running::start(coordinator.arg(folder.join("data")));
        let metrics = url(&running);
        Self { running, metrics }
    }

    /// Loopback of a namespace is another one.
    fn agent(name: &str, host: &Host, socket: &str) -> Self {
        let mut agent = command();
        agent.args(["agent", "--metrics", "127.0.0.1:0", "--coordinator", socket, "--name", name]);
        agent.args(["--interface", host.interface]);
        let running = host.namespace.enter(|| Running::start(&mut agent)).expect("enters the namespace");
        let metrics = url(&running);
        running.until_a_line_has("connected to the coordinator", PATIENCE).expect("the agent connects");
        Self { running, metrics }
    }

    fn end(self) {
        self.running.terminate();
        let ended = self.running.finish(PATIENCE);
        assert_eq!((ended.status, ended.was_killed), (Some(0), false), "{}", ended.stderr);
    }
}

fn lab() -> Option<Lab> {
    match Lab::start(&find("clean-one").expect("a scenario"), 1) {
        Ok(lab) => Some(lab),
        Err(error @ LabError::NoPrivilege { .. }) => {
            scratch::skip(&error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The scrape of an agent once no capture is left: its coordinator may tell others of the end of a session a moment
/// before it tells the agent.
fn idle(url: &str) -> Scrape {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let scrape = Scrape::read(url);
        if scrape.value("correlate_agent_captures") == 0 {
            return scrape;
        }
        assert!(Instant::now() < deadline, "a capture does not end: {scrape:?}");
    }
}

const HOSTS: [&str; 2] = ["web", "db"];

fn host<'a>(lab: &'a Lab, name: &str) -> &'a Host {
    if name == HOSTS[0] { lab.client() } else { lab.server(0).expect("a server") }
}

/// The names that `deploy/README.md` documents.
fn documented() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/README.md");
    let text = std::fs::read_to_string(path).expect("the documentation");
    let name = |line: &str| line.strip_prefix("| `correlate_")?.split(['`', '{']).next().map(str::to_owned);
    text.lines().filter_map(name).map(|rest| format!("correlate_{rest}")).collect()
}

#[test]
fn both_daemons_tell_what_they_did_and_every_figure_is_documented() {
    let _permit = Permit::take();
    let Some(mut lab) = lab() else { return };
    let folder = scratch::folder("metrics");
    let socket = format!("unix:{}", folder.join("c.sock").display());
    let coordinator = Daemon::coordinator(&folder, &socket);
    let before = Scrape::read(&coordinator.metrics);
    assert_eq!(before.value("correlate_coordinator_agents"), 0);
    assert_eq!(before.value("correlate_coordinator_recordings_bytes"), 0);

    let agents = HOSTS.map(|name| Daemon::agent(name, host(&lab, name), &socket));
    let mut run = command();
    run.args(["run", "--coordinator", &socket, "--format", "json", "--client", "web", "--server", "db"]);
    let run = Running::start(&mut run);
    run.until_a_line_has("capturing at ", PATIENCE).expect("every capture runs");
    let during = Scrape::read(&coordinator.metrics);
    assert_eq!(during.value("correlate_coordinator_agents"), 2);
    assert_eq!(during.value("correlate_coordinator_sessions{state=\"capturing\"}"), 1);
    assert!(during.value("correlate_coordinator_recordings_bytes") > 0);
    lab.run_traffic().expect("traffic");
    run.interrupt();
    let ran = run.finish(PATIENCE);
    let report = Report::read(&ran).unwrap_or_else(|error| panic!("{error}"));

    let after = Scrape::read(&coordinator.metrics);
    assert_eq!(after.value("correlate_coordinator_sessions{state=\"done\"}"), 1);
    assert_eq!(after.value("correlate_coordinator_sessions{state=\"capturing\"}"), 0);
    let recorded = ["/capture_points/0/packets", "/capture_points/1/packets"];
    let recorded: i64 = recorded.iter().filter_map(|at| report.at(at).as_i64()).sum();
    assert!(recorded > 0, "{}", ran.text());
    assert_eq!(after.value("correlate_coordinator_packets_taken_total"), recorded);
    assert!(after.value("correlate_coordinator_batches_taken_total") >= 2);
    assert!(after.value("correlate_coordinator_batch_bytes_taken_total") > 0);
    assert_eq!(after.value("correlate_coordinator_packets_missed_total{by=\"kernel\"}"), 0);

    let mut names = after.families;
    let mut captured = 0;
    for (name, agent) in HOSTS.iter().zip(&agents) {
        let namespace = &host(&lab, name).namespace;
        let url = agent.metrics.as_str();
        let scrape = namespace.enter(|| idle(url)).expect("enters the namespace");
        assert_eq!(scrape.value("correlate_agent_connected"), 1);
        assert_eq!(scrape.value("correlate_agent_connections_total"), 1);
        assert!(scrape.value("correlate_agent_batches_sealed_total") > 0);
        captured += scrape.value("correlate_agent_packets_captured_total");
        for held in ["correlate_agent_spool_bytes", "correlate_agent_spool_capacity_bytes"] {
            assert_eq!(scrape.value(held), 0, "all is acknowledged");
        }
        names.extend(scrape.families);
    }
    assert_eq!(captured, recorded);
    assert_eq!(names, documented(), "deploy/README.md lists what there is");
    for agent in agents {
        agent.end();
    }
    coordinator.end();
    lab.stop().expect("stops");
}

#[test]
fn metrics_answer_scrapes_and_nothing_else_and_are_off_unless_asked_for() {
    let folder = scratch::folder("metrics-http");
    let socket = format!("unix:{}", folder.join("c.sock").display());
    let coordinator = Daemon::coordinator(&folder, &socket);
    assert!(coordinator.metrics.starts_with("http://127.0.0.1:"), "{}", coordinator.metrics);
    let other = coordinator.metrics.replace("/metrics", "/");
    assert!(get(&other, "GET").0.starts_with("HTTP/1.1 404 "));
    assert!(get(&coordinator.metrics, "POST").0.starts_with("HTTP/1.1 405 "));
    let (head, body) = get(&coordinator.metrics, "HEAD");
    assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty(), "{head}");
    // The address is taken: the second says so, and starts nothing.
    let address = coordinator.metrics.trim_start_matches("http://").trim_end_matches("/metrics");
    let mut second = command();
    second.args(["coordinator", "--metrics", address, "--listen", &format!("{socket}.2"), "--data"]);
    let refused = Running::start(second.arg(folder.join("second"))).finish(PATIENCE);
    assert_eq!(refused.status, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("cannot serve metrics on {address}")), "{}", refused.stderr);
    coordinator.end();

    let mut silent = command();
    silent.args(["coordinator", "--listen", &socket, "--data"]).arg(folder.join("data"));
    let silent = Running::start(&mut silent);
    silent.until_a_line_has("listening", PATIENCE).expect("the coordinator listens");
    silent.terminate();
    assert!(!silent.finish(PATIENCE).stderr.contains("metrics are served"), "nobody asked for metrics");
}

#[test]
fn a_scraper_that_says_nothing_takes_one_of_eight_places_and_no_more() {
    let folder = scratch::folder("metrics-bound");
    let socket = format!("unix:{}", folder.join("c.sock").display());
    let coordinator = Daemon::coordinator(&folder, &socket);
    let address = coordinator.metrics.trim_start_matches("http://").trim_end_matches("/metrics");
    let connect = || TcpStream::connect(address).expect("connects");
    let mut silent: Vec<TcpStream> = (0..8).map(|_| connect()).collect();
    let mut ninth = connect();
    ninth.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("asks");
    ninth.set_read_timeout(Some(Duration::from_millis(200))).expect("sets");
    let mut octet = [0];
    let waits = ninth.read(&mut octet).expect_err("all places are taken");
    assert!(matches!(waits.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{waits}");
    silent.pop();
    ninth.set_read_timeout(Some(PATIENCE)).expect("sets");
    assert_eq!(ninth.read(&mut octet).expect("a place is free"), 1);
    // Whoever stays silent is cut off.
    silent[0].set_read_timeout(Some(PATIENCE)).expect("sets");
    assert_eq!(silent[0].read(&mut octet).expect("the end"), 0);
    coordinator.end();
}
