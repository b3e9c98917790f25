//! The command that runs while a session captures.

use crate::error::CliError;
use correlate_proto::report::CommandReport;
use tokio::process::Child;

/// A command that is not yet started, runs, or has ended.
#[derive(Debug)]
pub(crate) struct Command {
    argv: Vec<String>,
    child: Option<Child>,
    ended: Option<CommandReport>,
}

impl Command {
    /// The command of `run … -- COMMAND`; nothing if none was given.
    pub(crate) fn new(argv: &[String]) -> Option<Self> {
        (!argv.is_empty()).then(|| Self { argv: argv.to_vec(), child: None, ended: None })
    }

    /// Starts it with this process's own input and output. It is killed if this value is dropped first.
    pub(super) fn start(&mut self) -> Result<(), CliError> {
        let [program, args @ ..] = self.argv.as_slice() else { return Ok(()) };
        let spawned = tokio::process::Command::new(program).args(args).kill_on_drop(true).spawn();
        self.child = Some(spawned.map_err(|error| {
            CliError::new(format!("cannot start the command: {program}: {error}"))
                .hint("check its name and that it may be executed")
        })?);
        Ok(())
    }

    /// Waits for its end; for ever if it does not run.
    pub(super) async fn ended(&mut self) {
        let Some(child) = &mut self.child else { return core::future::pending().await };
        let status = child.wait().await.ok().and_then(|status| status.code());
        self.ended = Some(CommandReport { argv: self.argv.clone(), exit_status: status });
        self.child = None;
    }

    /// Whether it runs.
    pub(super) const fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// What the report says of it.
    pub(crate) fn report(&self) -> CommandReport {
        let unfinished = || CommandReport { argv: self.argv.clone(), exit_status: None };
        self.ended.clone().unwrap_or_else(unfinished)
    }
}
