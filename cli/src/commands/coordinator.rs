//! `coordinator`: the daemon that sessions live in.

use super::authority;
use crate::args::{CoordinatorArgs, CoordinatorCommand};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::Interrupts;
use crate::logging;
use crate::metrics::Exporter;
use correlate_coordinator::{Daemon, DaemonSettings, Keep, Listener};
use prometheus_client::registry::Registry;
use std::time::Duration;

/// A day, in seconds.
const DAY: u64 = 86_400;

/// Serves until it is told to end.
pub(crate) fn run(args: &CoordinatorArgs) -> Result<ExitStatus, CliError> {
    match &args.command {
        Some(CoordinatorCommand::Init(args)) => return authority::init(args),
        Some(CoordinatorCommand::Token(args)) => return authority::make_token(args),
        None => {}
    }
    logging::start(&args.log, &args.audit)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        CliError::new(format!("cannot start the coordinator: {error}")).hint("raise the limit of tasks")
    })?;
    let served = runtime.block_on(serve(args));
    // Sessions go on in the next coordinator. Were their tasks dropped one by one, some would take it for the end of
    // their session and tell agents to throw away what they hold.
    core::mem::forget(runtime);
    served.map(|()| ExitStatus::Clean)
}

async fn serve(args: &CoordinatorArgs) -> Result<(), CliError> {
    let mut interrupts = Interrupts::listen()?;
    let mut listeners = Vec::new();
    for address in &args.listen {
        let listener = Listener::bind(address.clone()).await;
        listeners.push(listener.map_err(|error| CliError::remedied(&error.to_string(), "see --listen"))?);
    }
    let exporter = Exporter::bind(&args.metrics)?;
    let keep = Keep {
        bytes: Some(args.keep_bytes),
        age: Some(Duration::from_secs(u64::from(args.keep_days) * DAY)),
    };
    let settings = DaemonSettings { data: args.data.clone(), keep };
    let daemon = Daemon::start(settings).await;
    let mut daemon = daemon.map_err(|error| CliError::remedied(&error.to_string(), "see --data"))?;
    for listener in listeners {
        let address = listener.address().clone();
        daemon.listen(listener).map_err(|error| CliError::remedied(&error.to_string(), "see --listen"))?;
        tracing::info!(%address, "listening");
    }
    if let Some(exporter) = exporter {
        let mut registry = Registry::default();
        daemon.register_metrics(&mut registry);
        exporter.start(registry);
    }
    interrupts.next().await;
    tracing::info!("ending; sessions that run go on when the coordinator is started again");
    Ok(())
}
