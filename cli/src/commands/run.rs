//! `run`: capture at both hosts at once and judge what happens.

use crate::args::{ColorChoice, Host, RunArgs};
use crate::error::CliError;
use crate::exit::{ExitStatus, judge};
use crate::live::{Agents, Command, Ended, Status, drive};
use crate::output;
use crate::render::Style;
use correlate_agent::filter::Filter;
use correlate_coordinator::{Embedded, PointSpec, SessionOptions};
use correlate_proto::Role;
use std::time::{SystemTime, UNIX_EPOCH};

/// Captures, judges, writes the report.
pub(crate) fn run(args: &RunArgs, color: ColorChoice) -> Result<ExitStatus, CliError> {
    check(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CliError::new(format!("cannot start the session: {error}")).hint("raise the limit of open files")
    })?;
    let mut command = Command::new(&args.command);
    let ended = runtime.block_on(session(args, command.as_mut(), color));
    // What still runs in the background has nothing to say any more.
    runtime.shutdown_background();
    match ended? {
        Ended::Aborted => {
            output::say("aborted: no verdict");
            Ok(ExitStatus::Aborted)
        }
        Ended::InOrder(outcome) => {
            let mut report = outcome.report;
            report.session.command = command.map(|command| command.report());
            if let Some(saved) = &outcome.saved {
                output::say(&format!("saved: {}", saved.display()));
            }
            output::report(&report, &args.output, color)?;
            Ok(judge(&report, args.verdict.fail_on, &args.verdict.expect))
        }
    }
}

/// What is wrong with the arguments is said before anything starts.
fn check(args: &RunArgs) -> Result<(), CliError> {
    output::check(&args.output)?;
    if let Some(path) = &args.save {
        output::writable(path)?;
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

async fn session(
    args: &RunArgs,
    command: Option<&mut Command>,
    color: ColorChoice,
) -> Result<Ended, CliError> {
    let coordinator = Embedded::start();
    let hosts = hosts(args);
    let names: Vec<String> = hosts.iter().map(|(name, ..)| name.clone()).collect();
    let options = options(args, &hosts);
    let agents = hosts.into_iter().map(|(name, _, host)| (name, host)).collect();
    let agents = Agents::start(agents, &coordinator.connector())?;
    let started = coordinator.start_session(options).await;
    let session = started.map_err(|error| {
        let text = error.to_string();
        let (what, remedy) = text.rsplit_once("; ").unwrap_or((&text, "see `correlate run --help`"));
        CliError::new(what).hint(remedy)
    })?;
    let ended = drive(session, command, Status::new(Style::of_stderr(color), names)).await?;
    if matches!(ended, Ended::InOrder(_)) {
        // The agents' threads are still served by this runtime while they say goodbye.
        let _ = tokio::task::spawn_blocking(move || agents.stop()).await;
    }
    Ok(ended)
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
        Role::Client => args.filter.client_filter.clone(),
        Role::Server => args.filter.server_filter.clone(),
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
        filter: args.filter.joined(),
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
