//! What the daemons write into their log.

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::Targets;

/// What the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For programs: one object per line
    Json,
}

/// What is logged, and how. The log goes to standard error.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArgs {
    /// What the log looks like
    #[arg(long, value_enum, default_value_t, env = "CORRELATE_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// What is logged: a level, or levels by part, as `info,correlate_coordinator=debug`
    #[arg(long, value_name = "FILTER", default_value = "info", env = "CORRELATE_LOG", value_parser = targets)]
    pub(crate) log: Targets,
}

fn targets(text: &str) -> Result<Targets, String> {
    text.parse().map_err(|error| format!("{error}; write error, warn, info, debug or trace, or PART=LEVEL,…"))
}
