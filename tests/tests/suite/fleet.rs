//! A coordinator, agents in the namespaces of their hosts, and commands that ask the coordinator: all processes of
//! their own, of which any may die.

use crate::support::binary::{PATIENCE, correlate};
use crate::support::fleet::Fleet;
use crate::support::live::Live;
use crate::support::recording::SEEDS;
use crate::support::report::Report;
use crate::support::scratch;
use correlate_lab::{Host, Lab, LabError, Scenario, find};
use correlate_tests::permits::Permit;
use correlate_tests::process::{Ran, Running};

/// A lab, a coordinator, and an agent in each host.
struct Stage {
    agents: Vec<Running>,
    fleet: Fleet,
    lab: Lab,
    hosts: Vec<String>,
    _permit: Permit,
}

impl Stage {
    /// Absent, with a word, where the kernel forbids it.
    fn set(scenario: &str, purpose: &str) -> Option<Self> {
        let permit = Permit::take();
        let scenario: Scenario = find(scenario).expect("a scenario of the catalogue");
        let lab = match Lab::start(&scenario, SEEDS[0]) {
            Ok(lab) => lab,
            Err(error @ LabError::NoPrivilege { .. }) => {
                scratch::skip(&error.to_string());
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let fleet = Fleet::start(&scratch::folder(&format!("fleet-{purpose}")));
        let hosts: Vec<String> =
            (0..=scenario.server_taps.len()).map(|index| format!("host-{index}")).collect();
        let mut stage = Self { agents: Vec::new(), fleet, lab, hosts, _permit: permit };
        for index in 0..stage.hosts.len() {
            let agent = stage.start_agent(index);
            stage.agents.push(agent);
        }
        Some(stage)
    }

    fn host(&self, index: usize) -> &Host {
        match index {
            0 => self.lab.client(),
            server => self.lab.server(server - 1).expect("a server"),
        }
    }

    /// The hosts as a session in one process names them.
    fn namespaces(&self) -> Vec<String> {
        let named = (0..self.hosts.len()).map(|index| {
            let host = self.host(index);
            format!("netns:{}:{}", host.namespace.path().display(), host.interface)
        });
        named.collect()
    }

    fn start_agent(&self, index: usize) -> Running {
        let host = self.host(index);
        self.fleet.agent(&self.hosts[index], &host.namespace, host.interface)
    }

    fn finish(self) {
        for agent in self.agents {
            agent.terminate();
            let ended = agent.finish(PATIENCE);
            assert_eq!((ended.status, ended.was_killed), (Some(0), false), "{}", ended.stderr);
        }
    }
}

fn accusations(ran: &Ran) -> Vec<(String, String)> {
    let report = Report::read(ran).unwrap_or_else(|error| panic!("{error}"));
    report.shared_accusations().into_iter().map(|(code, place)| (code.to_owned(), place.to_owned())).collect()
}

/// The report again from the recording that the coordinator keeps.
fn replayed(stage: &Stage, session: &str) -> Ran {
    let path = stage.fleet.recording(session);
    correlate(["show", path.to_str().expect("paths of the tests are text"), "--format", "json"])
}

#[test]
fn scenarios_are_told_at_a_coordinator_as_in_one_process() {
    for name in ["clean-one", "syn-ack-lost", "syn-lost", "connection-refused"] {
        let Some(mut stage) = Stage::set(name, name) else { return };
        let (run, session) = stage.fleet.run(&stage.hosts);
        // Both watch the same packets: two runs of one scenario differ in what the hosts' timers make of it.
        let saved = scratch::folder(&format!("embedded-{name}")).join("session.correlate");
        let embedded = Live::start(&stage.namespaces(), &saved);
        stage.lab.run_traffic().expect("traffic");
        run.interrupt();
        let (ran, embedded) = (run.finish(PATIENCE), embedded.stop());
        assert_eq!(accusations(&ran), accusations(&embedded), "{name}: {}", ran.stderr);
        assert_eq!(ran.status, embedded.status, "{name}");
        assert_eq!(replayed(&stage, &session).text(), ran.text(), "{name}");
        let shown = stage.fleet.ask(&["show", &session, "--format", "json"]);
        assert_eq!((shown.status, shown.text()), (ran.status, ran.text()), "{name}");
        stage.finish();
    }
}

#[test]
fn a_session_outlives_the_terminal_that_started_it_and_another_takes_it_to_its_end() {
    let Some(mut stage) = Stage::set("syn-ack-lost", "terminal") else { return };
    let agents = stage.fleet.ask(&["agents"]);
    assert!(stage.hosts.iter().all(|host| agents.text().contains(host)), "{}", agents.text());
    let (run, session) = stage.fleet.run(&stage.hosts);
    run.kill();
    stage.lab.run_traffic().expect("traffic");
    let listed = stage.fleet.ask(&["sessions"]);
    assert!(listed.text().contains("capturing"), "{}", listed.text());
    let watch = stage.fleet.watch(&session);
    let stopped = stage.fleet.ask(&["stop", &session]);
    assert_eq!(stopped.status, Some(0), "{}", stopped.stderr);
    let ran = watch.finish(PATIENCE);
    assert_eq!(ran.status, Some(1), "{}", ran.stderr);
    assert!(accusations(&ran).iter().any(|(code, _)| code == "syn-ack-lost"), "{}", ran.text());
    let listed = stage.fleet.ask(&["sessions", "--format", "json"]);
    assert!(listed.text().contains("\"phase\": \"done\""), "{}", listed.text());
    stage.finish();
}

#[test]
fn a_session_goes_on_where_its_coordinator_was_killed_and_started_again() {
    let Some(mut stage) = Stage::set("syn-ack-lost", "coordinator") else { return };
    let (run, session) = stage.fleet.run(&stage.hosts);
    stage.lab.run_traffic().expect("traffic");
    stage.fleet.kill_coordinator();
    run.until_a_line_has("lost the coordinator", PATIENCE).expect("the terminal notices");
    stage.fleet.start_coordinator();
    run.until_a_line_has("the coordinator is back", PATIENCE).expect("the terminal comes back");
    for agent in &stage.agents {
        agent.until_a_line_has("connected to the coordinator", PATIENCE).expect("the agent comes back");
    }
    run.terminate();
    let ran = run.finish(PATIENCE);
    assert_eq!(ran.status, Some(1), "{}", ran.stderr);
    assert!(accusations(&ran).iter().any(|(code, _)| code == "syn-ack-lost"), "{}", ran.text());
    let report = Report::read(&ran).expect("a report");
    for point in report.at("/capture_points").as_array().expect("capture points") {
        assert!(point["packets"].as_u64() > Some(0), "{point}");
        assert_eq!(point["dropped_by_agent"].as_u64(), Some(0), "{point}");
    }
    assert_eq!(replayed(&stage, &session).text(), ran.text());
    let ended = stage.fleet.end_coordinator();
    assert_eq!((ended.status, ended.was_killed), (Some(0), false), "{}", ended.stderr);
    stage.finish();
}

#[test]
fn an_agent_that_was_killed_is_taken_back_and_the_time_between_is_a_gap() {
    let Some(mut stage) = Stage::set("clean-many", "agent") else { return };
    let (run, session) = stage.fleet.run(&stage.hosts);
    stage.lab.run_traffic().expect("traffic");
    stage.agents.pop().expect("an agent").kill();
    run.until_a_line_has("the agent is gone", PATIENCE).expect("the loss is told");
    // One end alone sees these.
    stage.lab.run_traffic().expect("traffic");
    let again = stage.start_agent(1);
    stage.agents.push(again);
    let line = run.until_a_line_has("captures again", PATIENCE).expect("the agent is taken back");
    assert!(line.contains("nothing was captured there for "), "{line}");
    stage.lab.run_traffic().expect("traffic");
    run.interrupt();
    let ran = run.finish(PATIENCE);
    let report = Report::read(&ran).unwrap_or_else(|error| panic!("{error}"));
    let accused: Vec<_> = report.findings().filter(|finding| finding.accuses()).collect();
    assert_eq!(
        accused.iter().map(|finding| finding.code()).collect::<Vec<_>>(),
        ["capture-loss"],
        "{}",
        ran.text()
    );
    let sentence = accused[0].text("sentence");
    assert!(
        sentence.starts_with("Nothing was captured at server for ") && sentence.contains(" in 1 gap"),
        "{sentence}"
    );
    let packets =
        |place: &str| report.at(&format!("/capture_points/{place}/packets")).as_u64().expect("a count");
    // The last third at least: what the agent had not delivered when it was killed is in the gap.
    assert!(
        packets("1") > packets("0") / 4 && packets("1") < packets("0"),
        "{} {}",
        packets("0"),
        packets("1")
    );
    assert_eq!(replayed(&stage, &session).text(), ran.text());
    stage.finish();
}

#[test]
fn a_session_ends_without_an_agent_that_does_not_come_back_and_says_so() {
    let Some(mut stage) = Stage::set("clean-one", "agent-gone") else { return };
    let (run, session) = stage.fleet.run(&stage.hosts);
    stage.lab.run_traffic().expect("traffic");
    stage.agents.pop().expect("an agent").kill();
    run.until_a_line_has("the agent is gone", PATIENCE).expect("the loss is told");
    stage.lab.run_traffic().expect("traffic");
    run.interrupt();
    let ran = run.finish(PATIENCE);
    let report = Report::read(&ran).unwrap_or_else(|error| panic!("{error}"));
    let accused: Vec<_> = report.findings().filter(|finding| finding.accuses()).collect();
    assert!(accused.is_empty(), "{}", ran.text());
    assert!(ran.text().contains("its agent did not deliver the rest in time"), "{}", ran.text());
    assert_eq!(replayed(&stage, &session).text(), ran.text());
    stage.finish();
}
