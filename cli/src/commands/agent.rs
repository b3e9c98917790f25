//! `agent`: the capturing end, by itself.

use super::{agent_daemon, agent_stdio};
use crate::args::AgentArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;

/// Serves as the arguments say, to the end.
pub(crate) fn run(args: &AgentArgs) -> Result<ExitStatus, CliError> {
    if args.stdio {
        return agent_stdio::run(args);
    }
    if let Some(address) = &args.coordinator {
        return agent_daemon::run(args, address);
    }
    Err(CliError::new("nothing says how to reach a coordinator")
        .hint("give --coordinator or --stdio; see `correlate agent --help`"))
}
