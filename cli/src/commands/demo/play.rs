//! A scenario played and judged: live, as `run` would, or from the lab's captures where the captures are what is
//! broken.

use super::failed;
use crate::args::{ColorChoice, Host};
use crate::error::CliError;
use crate::input::{Analysis, Given};
use crate::live::{Ended, Setup, Task, Work};
use correlate_coordinator::{PointSpec, SessionOptions};
use correlate_lab::{Lab, LabError, Outcome, Scenario, TapInterface, TapPlan};
use correlate_proto::Role;
use correlate_proto::report::Report;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

/// What a scenario came to.
#[derive(Debug)]
pub(super) enum Played {
    /// What the device did, and what is said of it.
    Judged(Box<Outcome>, Box<Report>),
    /// By a second interrupt.
    Aborted,
}

/// Plays `scenario` with its captures in `folder`; the session is kept in `save`, which must not exist.
pub(super) fn play(
    (scenario, seed): (&Scenario, u64),
    folder: &Path,
    save: Option<PathBuf>,
    color: ColorChoice,
) -> Result<Played, CliError> {
    if is_captured_whole(scenario) {
        return live((scenario, seed), folder, save, color);
    }
    let outcome = correlate_lab::record(scenario, seed, folder).map_err(|error| failed(&error))?;
    let report = analysis(scenario, &outcome, save).report()?;
    Ok(Played::Judged(Box::new(outcome), Box::new(report)))
}

/// Whether a capture of this program shows what the scenario is about: its taps begin and end with the traffic,
/// miss nothing and have the right time. Which interface they listen on is for any capture to choose.
fn is_captured_whole(scenario: &Scenario) -> bool {
    let whole = |tap: &TapPlan| {
        *tap == TapPlan { interface: tap.interface, snaplen: tap.snaplen, ..TapPlan::default() }
    };
    whole(&scenario.client_tap) && scenario.server_taps.iter().all(whole)
}

/// The captures run before the traffic begins and end after it, while the device still works.
fn live(
    (scenario, seed): (&Scenario, u64),
    folder: &Path,
    save: Option<PathBuf>,
    color: ColorChoice,
) -> Result<Played, CliError> {
    let mut lab = Lab::start(scenario, seed).map_err(|error| failed(&error))?;
    lab.start_taps(folder).map_err(|error| failed(&error))?;
    let setup = setup(scenario, &lab, save);
    let (give, given) = mpsc::channel::<Result<Lab, LabError>>();
    let mut work = Work::Task(Task::new(move || {
        let ran = lab.run_traffic().map(|_| ());
        // Only an aborted session waits for neither.
        let _ = give.send(ran.map(|()| lab));
    }));
    let Ended::InOrder(judged) = setup.run(Some(&mut work), color)? else { return Ok(Played::Aborted) };
    let lab = given.recv().unwrap_or(Err(LabError::Panicked("traffic")));
    let outcome = lab.and_then(Lab::stop).map_err(|error| failed(&error))?;
    Ok(Played::Judged(Box::new(outcome), Box::new(judged.report)))
}

/// One agent in each captured host's namespace: the client, then the servers.
fn setup(scenario: &Scenario, lab: &Lab, save: Option<PathBuf>) -> Setup {
    let servers = (0..scenario.server_taps.len()).filter_map(|index| lab.server(index));
    let taps = std::iter::once(&scenario.client_tap).chain(&scenario.server_taps);
    let (mut hosts, mut points) = (Vec::new(), Vec::new());
    for ((number, host), tap) in (0..).zip(std::iter::once(lab.client()).chain(servers)).zip(taps) {
        let (role, name) = match number {
            0 => (Role::Client, "client".to_owned()),
            1 => (Role::Server, "server".to_owned()),
            _ => (Role::Server, format!("server-{number}")),
        };
        let interface = match tap.interface {
            TapInterface::Facing => Some(host.interface.to_owned()),
            TapInterface::Spare => Some(host.spare.to_owned()),
            TapInterface::All => None,
        };
        let namespace = host.namespace.path().display().to_string();
        hosts.push((name.clone(), Host::Namespace { name: namespace, interface: interface.clone() }));
        points.push(PointSpec {
            role,
            host: name.clone(),
            agent: name,
            filter: None,
            interfaces: interface.into_iter().collect(),
            vouched: false,
        });
    }
    let options = SessionOptions {
        id: session_id(scenario),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        points,
        save,
        ..SessionOptions::default()
    };
    Setup { hosts, options }
}

/// The taps' captures as what they are: the client's first, then the servers'.
fn analysis(scenario: &Scenario, outcome: &Outcome, save: Option<PathBuf>) -> Analysis {
    let given = outcome.taps.iter().enumerate().map(|(index, tap)| Given {
        role: if index == 0 { Role::Client } else { Role::Server },
        path: tap.path.clone(),
        filter: String::new(),
        vouched: false,
    });
    Analysis {
        given: given.collect(),
        decap: false,
        filter: String::new(),
        session_id: session_id(scenario),
        save,
    }
}

fn session_id(scenario: &Scenario) -> String {
    format!("demo {}", scenario.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scenarios_about_broken_captures_are_not_played_live() {
        let broken = correlate_lab::catalogue().into_iter().filter(|scenario| !is_captured_whole(scenario));
        let broken: Vec<&str> = broken.map(|scenario| scenario.name).collect();
        let tunnels =
            ["clean-vlan-one-end", "clean-ipip-one-end", "clean-gre-one-end", "clean-vxlan-one-end"];
        let captures = ["capture-drops", "late-start", "early-stop"];
        let clocks = ["clock-37s-50ppm", "clock-step", "clean-clock-slew"];
        assert_eq!(broken, [tunnels.as_slice(), &captures, &clocks].concat());
    }
}
