//! The `correlate` command: arguments in, report and exit status out.

mod args;
#[cfg(target_os = "linux")]
mod audit;
mod commands;
#[cfg(target_os = "linux")]
mod config;
mod error;
mod exit;
mod explain;
mod input;
#[cfg(target_os = "linux")]
mod live;
#[cfg(target_os = "linux")]
mod logging;
#[cfg(target_os = "linux")]
mod metrics;
mod output;
mod progress;
#[cfg(target_os = "linux")]
mod remote;
mod render;

use args::{Cli, Command};
use error::CliError;
use exit::ExitStatus;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match command_line() {
        Ok(cli) => cli,
        Err(error) => {
            output::say(&error.to_string());
            return ExitStatus::Error.into();
        }
    };
    let failed = |error: &CliError| cli.command.output().map(|args| output::failed(args, error));
    let status = dispatch(&cli).unwrap_or_else(|error| {
        output::say(&error.to_string());
        failed(&error);
        ExitStatus::Error
    });
    if status == ExitStatus::Aborted {
        failed(&CliError::new("aborted by a second interrupt: no verdict"));
    }
    status.into()
}

#[cfg(target_os = "linux")]
fn command_line() -> Result<Cli, CliError> {
    config::command_line()
}

/// Without daemons there are no configuration files.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "it may fail where there are daemons")]
fn command_line() -> Result<Cli, CliError> {
    use clap::Parser as _;
    Ok(Cli::parse())
}

fn dispatch(cli: &Cli) -> Result<ExitStatus, CliError> {
    match &cli.command {
        #[cfg(target_os = "linux")]
        Command::Run(args) => commands::run::run(args, cli.color),
        Command::Analyze(args) => commands::analyze::run(args, cli.color),
        #[cfg(target_os = "linux")]
        Command::Demo(args) => commands::demo::run(args, cli.color),
        #[cfg(target_os = "linux")]
        Command::Agent(args) => commands::agent::run(args),
        #[cfg(target_os = "linux")]
        Command::Coordinator(args) => commands::coordinator::run(args),
        #[cfg(target_os = "linux")]
        Command::Agents(args) => commands::list::agents(args),
        #[cfg(target_os = "linux")]
        Command::Sessions(args) => commands::list::sessions(args),
        #[cfg(target_os = "linux")]
        Command::Watch(args) => commands::remote::watch(args, cli.color),
        #[cfg(target_os = "linux")]
        Command::Stop(args) => commands::remote::stop(args),
        #[cfg(target_os = "linux")]
        Command::Join(args) => commands::join::run(args),
        #[cfg(target_os = "linux")]
        Command::Validate(args) => commands::validate::run(args),
        Command::Show(args) => commands::show::run(args, cli.color),
        Command::Explain(args) => commands::explain::run(args, cli.color),
        #[cfg(target_os = "linux")]
        Command::Doctor(args) => commands::doctor::run(&args.host, cli.color),
        Command::Completions(args) => commands::completions::run(args),
        Command::Man => commands::man::run(),
    }
}
