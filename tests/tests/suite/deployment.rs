//! Client, server, coordinator and operator as processes in hosts of their own, over TLS, each with a certificate: they
//! find what one process finds.

use crate::support::binary::{self, PATIENCE};
use crate::support::live::Live;
use crate::support::recording::SEEDS;
use crate::support::report::Report;
use crate::support::scratch;
use correlate_lab::{Lab, LabError, Scenario, catalogue, find};
use correlate_tests::deployment::{Deployment, Office};
use correlate_tests::permits::Permit;
use correlate_tests::process::Ran;
use std::collections::BTreeSet;

/// One of each family of the catalogue. `CORRELATE_SCENARIOS=all` plays all of it.
const SELECTED: [&str; 7] = [
    "clean-many",
    "clean-nat",
    "syn-lost",
    "syn-ack-lost",
    "connection-refused",
    "rst-injected",
    "loss-1pct-one-way",
];

fn selected() -> Vec<Scenario> {
    match std::env::var("CORRELATE_SCENARIOS").as_deref() {
        Ok("all") => catalogue(),
        Ok(names) => names.split(',').map(|name| find(name).expect("a scenario of the catalogue")).collect(),
        Err(_) => SELECTED.iter().map(|name| find(name).expect("a scenario of the catalogue")).collect(),
    }
}

#[test]
fn scenarios_are_told_over_tls_between_hosts_as_in_one_process() {
    let _permit = Permit::take();
    let folder = scratch::folder("deployment");
    let office = Office::found(binary::path(), &folder).expect("an office");
    let mut wrong = Vec::new();
    for scenario in selected() {
        match play(&office, &scenario) {
            Ok(()) => {}
            Err(Trouble::Lab(error @ LabError::NoPrivilege { .. })) => {
                return scratch::skip(&error.to_string());
            }
            Err(Trouble::Lab(error)) => wrong.push(format!("{}: {error}", scenario.name)),
            Err(Trouble::Wrong(why)) => wrong.push(format!("{}: {why}", scenario.name)),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

enum Trouble {
    Lab(LabError),
    Wrong(String),
}

impl From<LabError> for Trouble {
    fn from(error: LabError) -> Self {
        Self::Lab(error)
    }
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

fn play(office: &Office, scenario: &Scenario) -> Result<(), Trouble> {
    let mut lab = Lab::start(scenario, SEEDS[0])?;
    let deployment = Deployment::start(office, &lab)?;
    let agents = (0..deployment.hosts()).map(|host| deployment.agent(host)).collect::<Result<Vec<_>, _>>()?;
    let (run, session) = deployment.run(&[])?;
    // Both watch the same packets: two runs of one scenario differ in what the hosts' timers make of it.
    let saved = scratch::folder(&format!("deployment-{}", scenario.name)).join("session.correlate");
    let one_process = Live::start(&namespaces(&lab), &saved);
    lab.run_traffic()?;
    run.interrupt();
    let (ran, one_process) = (run.finish(PATIENCE), one_process.stop());
    let (found, due) = (found(&ran)?, found(&one_process)?);
    if (ran.status, &found) != (one_process.status, &due) {
        let why = format!("{:?} {found:?}, and in one process {:?} {due:?}", ran.status, one_process.status);
        return Err(Trouble::Wrong(why));
    }
    let again = deployment.replay(&deployment.recording(&session));
    if again.stdout != ran.stdout {
        return Err(Trouble::Wrong("the recording gives another report".to_owned()));
    }
    for agent in agents {
        agent.terminate();
        let ended = agent.finish(PATIENCE);
        if ended.status != Some(0) || ended.was_killed {
            return Err(Trouble::Wrong(format!("an agent did not end in order: {}", ended.stderr)));
        }
    }
    Ok(())
}

/// Codes with the place that they blame.
fn found(ran: &Ran) -> Result<BTreeSet<(String, String)>, String> {
    let report = Report::read(ran)?;
    Ok(report
        .shared_accusations()
        .into_iter()
        .map(|(code, place)| (code.to_owned(), place.to_owned()))
        .collect())
}

/// The hosts as a session in one process names them.
fn namespaces(lab: &Lab) -> Vec<String> {
    let servers = (0..).map_while(|index| lab.server(index));
    let hosts = std::iter::once(lab.client()).chain(servers);
    hosts.map(|host| format!("netns:{}:{}", host.namespace.path().display(), host.interface)).collect()
}
