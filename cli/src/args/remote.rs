//! Arguments of the commands that ask a coordinator.

use super::{OutputArgs, VerdictArgs};
use crate::remote::{Address, VARIABLE};
use clap::{Args, ValueEnum};

/// Which coordinator.
#[derive(Debug, Clone, Args)]
pub(crate) struct CoordinatorAt {
    /// The coordinator: https://HOST:PORT, http://127.0.0.1:PORT or unix:PATH
    #[arg(long, value_name = "URL", env = VARIABLE, value_parser = Address::parse)]
    pub(crate) coordinator: Address,
}

/// What a list is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    #[default]
    Text,
    /// For programs: one object, a list in it
    Json,
}

/// Arguments of `agents` and `sessions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  correlate agents --coordinator unix:/run/correlate/coordinator.sock
  correlate sessions --coordinator http://127.0.0.1:4747 --format json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) at: CoordinatorAt,
    /// What to write the list as
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ListFormat,
}

/// Arguments of `watch`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  correlate watch s1790000000 --coordinator unix:/run/correlate/coordinator.sock

Shows what happened so far and what happens, and writes the report when the session is over. Ctrl-C leaves the \
session running; `correlate stop` ends it.")]
pub(crate) struct WatchArgs {
    /// The session, as `correlate sessions` lists it
    #[arg(value_name = "SESSION")]
    pub(crate) session: String,
    #[command(flatten)]
    pub(crate) at: CoordinatorAt,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) verdict: VerdictArgs,
}

/// Arguments of `stop`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  correlate stop s1790000000 --coordinator unix:/run/correlate/coordinator.sock")]
pub(crate) struct StopArgs {
    /// The session, as `correlate sessions` lists it
    #[arg(value_name = "SESSION")]
    pub(crate) session: String,
    /// Give the session up: no verdict, what was not uploaded is thrown away
    #[arg(long)]
    pub(crate) discard: bool,
    #[command(flatten)]
    pub(crate) at: CoordinatorAt,
}
