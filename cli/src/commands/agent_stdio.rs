//! `agent --stdio`: the agent of a host that is reached over ssh. Standard input and output are its connection.

use crate::args::{AgentArgs, Host};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::LiveOpener;
use correlate_agent::uplink::{self, Options, Reconnect, UplinkError, dial_once};
use std::sync::Arc;
use tokio::sync::watch;

/// What the agent is called where nothing says.
const UNNAMED: &str = "stdio";

/// Serves the coordinator at the other end until it is gone. A coordinator that goes is how every session ends, and
/// so no error: whoever started this is not there any more to be told.
pub(crate) fn run(args: &AgentArgs) -> Result<ExitStatus, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CliError::new(format!("cannot start the agent: {error}")).hint("raise the limit of open files")
    })?;
    let name = args.name.clone().unwrap_or_else(|| UNNAMED.to_owned());
    let options = Options { reconnect: Reconnect::Never, ..Options::new(name, env!("CARGO_PKG_VERSION")) };
    let opener = LiveOpener::new(Host::Local { interface: None }).excluding(args.exclude.clone());
    let (_shutdown, asked) = watch::channel(false);
    let served = runtime.block_on(async {
        // The end of the input ends the connection, and that the agent.
        let io = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
        uplink::run(options, Arc::new(opener), dial_once(io), asked).await
    });
    // A thread may still wait for the standard input.
    runtime.shutdown_background();
    match served {
        Err(error @ UplinkError::Refused(_)) => {
            Err(CliError::remedied(&error.to_string(), "install the same version of correlate at both ends"))
        }
        Ok(()) | Err(_) => Ok(ExitStatus::Clean),
    }
}
