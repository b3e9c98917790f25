//! `agent --coordinator`: the capture daemon of one host.

use crate::args::{AgentArgs, Host};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::{Interrupts, LiveOpener};
use crate::logging;
use crate::remote::Address;
use correlate_agent::uplink::{self, Options, UplinkError};
use std::sync::Arc;
use tokio::sync::watch;

/// Serves the coordinator, and dials again whenever it is gone, until this is told to end. What was captured by then
/// is uploaded for at most five seconds.
pub(crate) fn run(args: &AgentArgs, address: &Address) -> Result<ExitStatus, CliError> {
    logging::start(&args.log);
    let Some(name) = args.name.clone() else {
        return Err(CliError::new("the agent has no name").hint("give one with --name: sessions ask for it"));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CliError::new(format!("cannot start the agent: {error}")).hint("raise the limit of open files")
    })?;
    let labels = args.label.iter().cloned().collect();
    let options = Options { labels, ..Options::new(name, env!("CARGO_PKG_VERSION")) };
    let mut exclusions = args.exclude.clone();
    exclusions.extend(address.exclusion());
    let opener = LiveOpener::new(Host::Local { interface: None })
        .excluding(exclusions)
        .unless_told_on(args.interface.clone());
    let served: Result<Result<(), UplinkError>, CliError> = runtime.block_on(async {
        let mut interrupts = Interrupts::listen()?;
        let (shutdown, asked) = watch::channel(false);
        let serving = uplink::run(options, Arc::new(opener), address.dial(), asked);
        tokio::pin!(serving);
        loop {
            tokio::select! {
                served = &mut serving => return Ok(served),
                () = interrupts.next() => {
                    tracing::info!("ending: captures end, what they hold is uploaded");
                    shutdown.send_replace(true);
                }
            }
        }
    });
    runtime.shutdown_background();
    served?
        .map(|()| ExitStatus::Clean)
        .map_err(|error| CliError::remedied(&error.to_string(), "see the coordinator's log"))
}
