//! `agent`: the capturing end, by itself.

use super::agent_stdio;
use crate::args::AgentArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;

/// Serves as the arguments say, to the end.
pub(crate) fn run(args: &AgentArgs) -> Result<ExitStatus, CliError> {
    if args.stdio {
        return agent_stdio::run(args);
    }
    Err(CliError::new("nothing says how to reach a coordinator")
        .hint("give --stdio; see `correlate agent --help`"))
}
