//! One round: a session, its faults, and what must hold afterwards.

use super::audit::{self, Evidence, Figures};
use super::plan::{Fault, Hit, Plan, TRAFFIC_MS};
use crate::deployment::{Deployment, Office, agent_name};
use crate::process::Running;
use core::time::Duration;
use correlate_lab::{Flow, Lab, Outcome, Pace, Scenario, Side, Step, Traffic};
use std::path::Path;
use std::time::Instant;

/// Nothing that is waited for takes as long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions to the coordinator.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What rounds share.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The office, whose coordinator no round leaves running.
    pub office: &'a Office,
    /// Where captures of the lab go.
    pub folder: &'a Path,
}

/// Plays the round that follows from `seed`.
///
/// # Errors
/// What did not hold, with what was done.
pub fn round(setting: Setting<'_>, seed: u64) -> Result<Figures, String> {
    let plan = Plan::of(seed);
    play(setting, &plan, seed).map_err(|why| format!("seed {seed} ({plan}): {why}"))
}

fn play(setting: Setting<'_>, plan: &Plan, seed: u64) -> Result<Figures, String> {
    let mut lab = Lab::start(&scenario(), seed).map_err(|error| error.to_string())?;
    let mut deployment = Deployment::start(setting.office, &lab)?;
    let starting: Vec<Running> = (0..2).map(|host| deployment.start_agent(host)).collect::<Result<_, _>>()?;
    let mut agents = Vec::new();
    for agent in starting {
        agent
            .until_a_line_has("connected to the coordinator", PATIENCE)
            .ok_or("an agent does not connect")?;
        agents.push(Some(agent));
    }
    lab.start_taps(setting.folder).map_err(|error| error.to_string())?;
    let (terminal, session) = deployment.run(&[])?;
    // The session is the coordinator's: it needs no terminal.
    terminal.kill();
    let hit = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| lab.run_traffic().map(drop).map_err(|error| error.to_string()));
        let hit = strike(&mut deployment, &mut agents, plan);
        let ran = traffic.join().map_err(|_| "the traffic panicked".to_owned());
        hit.and(ran).and_then(|ran| ran)
    });
    hit?;
    if !plan.stops_at_once {
        until_all_are_back(&deployment, &agents)?;
    }
    let stopped = deployment.ask(&["stop", &session])?;
    if stopped.status != Some(0) {
        return Err(format!("cannot be stopped: {}", stopped.stderr));
    }
    let told = deployment.ask(&["watch", &session, "--format", "json"])?;
    // What is there must be there without a word of farewell.
    deployment.kill_coordinator();
    drop(agents);
    let lab: Outcome = lab.stop().map_err(|error| error.to_string())?;
    let recording = deployment.recording(&session);
    let again = deployment.replay(&recording);
    let evidence = Evidence { recording: &recording, taps: &lab.taps, told: &told, again: &again };
    let figures = audit::audit(&evidence, plan)?;
    std::fs::remove_file(&recording).map_err(|error| error.to_string())?;
    Ok(figures)
}

/// Healthy: connections that come and go, some that last, and one that carries much.
fn scenario() -> Scenario {
    let exchange = [Step::Send(Side::Client, 400), Step::Send(Side::Server, 4_000)];
    let number = u32::try_from(TRAFFIC_MS / 45).unwrap_or(40);
    let octets = usize::try_from(TRAFFIC_MS).unwrap_or(0);
    let flows = vec![
        Flow::new(443, &exchange).times(number, Pace::Sequential(20)),
        Flow::new(8080, &[Step::SendPaced(Side::Client, octets * 60, 60)]).times(2, Pace::Concurrent(30)),
        Flow::new(8081, &[Step::SendPaced(Side::Server, octets * 60, 60)]),
    ];
    Scenario::new("faults", "healthy traffic", "Nothing is wrong with the path.", Traffic::new(flows))
}

/// Does what the plan says, each thing at its time.
fn strike(
    deployment: &mut Deployment<'_>,
    agents: &mut [Option<Running>],
    plan: &Plan,
) -> Result<(), String> {
    let began = Instant::now();
    // The plan is of time, so this sleeps; nothing is awaited by it.
    let until = |at: Duration| std::thread::sleep(at.saturating_sub(began.elapsed()));
    for Hit { at, lasts, fault } in &plan.hits {
        until(*at);
        match *fault {
            Fault::KillAgent { host, again } => {
                drop(agents[host].take().map(Running::kill));
                until(*at + *lasts);
                if again {
                    agents[host] = Some(deployment.start_agent(host)?);
                }
            }
            Fault::KillCoordinator => {
                deployment.kill_coordinator();
                until(*at + *lasts);
                deployment.start_coordinator()?;
            }
            Fault::Cut { host } => {
                deployment.network().cut(host).map_err(|error| error.to_string())?;
                until(*at + *lasts);
                deployment.network().mend(host).map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(())
}

/// Waits until the coordinator knows every agent that lives.
fn until_all_are_back(deployment: &Deployment<'_>, agents: &[Option<Running>]) -> Result<(), String> {
    let living: Vec<String> = agents
        .iter()
        .enumerate()
        .filter(|(_, agent)| agent.is_some())
        .map(|(host, _)| agent_name(host))
        .collect();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let asked = deployment.ask(&["agents"])?;
        if living.iter().all(|name| asked.text().contains(name)) {
            return Ok(());
        }
        std::thread::sleep(ASK_AGAIN);
    }
    Err("an agent does not come back".to_owned())
}
