//! `run`: capture at both hosts at once and judge what happens.

use crate::args::{ColorChoice, Host, RunArgs};
use crate::error::CliError;
use crate::exit::{ExitStatus, judge};
use crate::live::{Command, Ended, Setup, Work};
use crate::output;
use correlate_agent::filter::Filter;
use correlate_coordinator::{PointSpec, Recording, SessionOptions};
use correlate_proto::report::Report;
use correlate_proto::{Role, wire};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Captures, judges, writes the report.
pub(crate) fn run(args: &RunArgs, color: ColorChoice) -> Result<ExitStatus, CliError> {
    check(args)?;
    if let Some(address) = &args.coordinator {
        return super::remote::run(args, address, spec(args)?, color);
    }
    let hosts = hosts(args);
    let options = options(args, &hosts);
    let hosts = hosts.into_iter().map(|(name, _, host)| (name, host)).collect();
    let mut work = Command::new(&args.command).map(|command| Work::Command(Box::new(command)));
    match (Setup { hosts, options }).run(work.as_mut(), color)? {
        Ended::Aborted => {
            output::say("aborted: no verdict");
            Ok(ExitStatus::Aborted)
        }
        Ended::InOrder(outcome) => {
            let mut report = outcome.report;
            if let Some(Work::Command(command)) = &work {
                report.session.command = Some(command.report());
            }
            if let Some(saved) = &outcome.saved {
                keep_command(saved, &report)?;
                output::say(&format!("saved: {}", saved.display()));
            }
            output::judged(&report, &args.output, &args.verdict, color)?;
            Ok(judge(&report, args.verdict.fail_on, &args.verdict.expect))
        }
    }
}

/// How the command ended may be known only after the session: the report is written again with it.
fn keep_command(saved: &Path, report: &Report) -> Result<(), CliError> {
    if report.session.command.is_none() {
        return Ok(());
    }
    let written = Recording::open(saved).and_then(|mut recording| {
        recording.write_report(report)?;
        recording.close()
    });
    written.map_err(|error| {
        CliError::remedied(&error.to_string(), "the recording is whole but for the command's exit status")
    })
}

/// What is wrong with the arguments is said before anything starts.
fn check(args: &RunArgs) -> Result<(), CliError> {
    output::check(&args.output)?;
    if let Some(path) = &args.save {
        output::unused(path)?;
    }
    for words in [args.filter.client(), args.filter.server()] {
        Filter::parse(&words).map_err(|error| CliError::filter(&error))?;
    }
    if args.filter.decap {
        return Err(CliError::new("this version looks into tunnels only in capture files: --decap")
            .hint("capture the tunnel with tcpdump at both hosts and use `correlate analyze --decap`"));
    }
    Ok(())
}

/// What the coordinator is asked for.
fn spec(args: &RunArgs) -> Result<wire::SessionSpec, CliError> {
    let point = |role: wire::Role, host: &Host, filter: String| {
        let name = agent_name(host).ok_or_else(|| {
            CliError::new(format!("with a coordinator {host} is no host: its agents are"))
                .hint("name an agent, as `correlate agents` lists them; or leave --coordinator out")
        })?;
        let agent = name.to_owned();
        Ok(wire::PointSpec { role: role.into(), agent, filter: Some(filter), ..Default::default() })
    };
    let clients = args.client.iter().map(|host| point(wire::Role::Client, host, args.filter.client()));
    let servers = args.server.iter().map(|host| point(wire::Role::Server, host, args.filter.server()));
    Ok(wire::SessionSpec {
        // The coordinator knows better.
        asked_by: String::new(),
        points: clients.chain(servers).collect::<Result<_, CliError>>()?,
        filter: args.filter.described(),
        snaplen: args.snaplen.unwrap_or(0),
        count: args.count.unwrap_or(0),
        duration_ms: args.duration.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        decapsulate: false,
        limit_bytes: 0,
    })
}

/// What a host is called at a coordinator, if it can be one of its agents.
fn agent_name(host: &Host) -> Option<&str> {
    match host {
        Host::Ssh(host) => host.agent_name(),
        Host::Local { .. } | Host::Namespace { .. } | Host::Container { .. } => None,
    }
}

/// Hosts with their roles, each under a name of its own: `client`, `server`, `server-2`.
fn hosts(args: &RunArgs) -> Vec<(String, Role, Host)> {
    let named = |base: &'static str, role: Role, hosts: &[Host]| {
        let name =
            move |number: usize| if number == 1 { base.to_owned() } else { format!("{base}-{number}") };
        (1..).zip(hosts.to_vec()).map(move |(number, host)| (name(number), role, host)).collect::<Vec<_>>()
    };
    [named("client", Role::Client, &args.client), named("server", Role::Server, &args.server)].concat()
}

fn options(args: &RunArgs, hosts: &[(String, Role, Host)]) -> SessionOptions {
    let own = |role: Role| match role {
        Role::Client => Some(args.filter.client()),
        Role::Server => Some(args.filter.server()),
        Role::Via => None,
    };
    let points = hosts.iter().map(|(name, role, host)| PointSpec {
        role: *role,
        host: host.to_string(),
        agent: name.clone(),
        filter: own(*role),
        interfaces: host.interface().map(str::to_owned).into_iter().collect(),
        vouched: false,
    });
    SessionOptions {
        id: session_id(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        points: points.collect(),
        filter: args.filter.described(),
        snaplen: args.snaplen.unwrap_or(0),
        count: args.count,
        duration: args.duration,
        save: args.save.clone(),
        ..SessionOptions::default()
    }
}

/// Unique on this machine: no two processes of one second have the same number.
fn session_id() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!("run-{seconds}-{}", std::process::id())
}
