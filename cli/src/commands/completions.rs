//! `completions`: for the shells.

use crate::args::{Cli, CompletionsArgs};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::output;
use clap::CommandFactory;

/// Writes the completions for the shell to standard output.
pub(crate) fn run(args: &CompletionsArgs) -> Result<ExitStatus, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "correlate", &mut script);
    output::data(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Clean)
}
