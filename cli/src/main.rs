//! The `correlate` command: arguments in, report and exit status out.

mod args;
#[cfg(target_os = "linux")]
mod audit;
mod commands;
mod error;
mod exit;
mod explain;
mod input;
#[cfg(target_os = "linux")]
mod live;
#[cfg(target_os = "linux")]
mod logging;
mod output;
mod progress;
#[cfg(target_os = "linux")]
mod remote;
mod render;

use args::{Cli, Command};
use clap::Parser;
use error::CliError;
use exit::ExitStatus;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
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
        Command::Doctor => commands::doctor::run(cli.color),
        Command::Completions(args) => commands::completions::run(args),
        Command::Man => commands::man::run(),
    }
}
