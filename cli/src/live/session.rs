//! A whole session inside this process: coordinator, agents, and the loop that follows it.

use super::agents::Agents;
use super::drive::{Ended, drive};
use super::status::Status;
use super::work::Work;
use crate::args::{ColorChoice, Host};
use crate::error::CliError;
use crate::render::Style;
use correlate_coordinator::{Embedded, SessionOptions};

/// What a session needs.
#[derive(Debug)]
pub(crate) struct Setup {
    /// Where the agents capture: one for each capture point, under the name that its options say.
    pub(crate) hosts: Vec<(String, Host)>,
    /// What it shall be.
    pub(crate) options: SessionOptions,
}

impl Setup {
    /// Runs the session to its end on a runtime of its own. `work` begins when every capture runs, and ends the
    /// session when it is over.
    pub(crate) fn run(self, work: Option<&mut Work>, color: ColorChoice) -> Result<Ended, CliError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
                CliError::new(format!("cannot start the session: {error}"))
                    .hint("raise the limit of open files")
            })?;
        let ended = runtime.block_on(self.follow(work, color));
        // What still runs in the background has nothing to say any more.
        runtime.shutdown_background();
        ended
    }

    async fn follow(self, work: Option<&mut Work>, color: ColorChoice) -> Result<Ended, CliError> {
        let coordinator = Embedded::start();
        let names = self.hosts.iter().map(|(name, _)| name.clone()).collect();
        let agents = Agents::start(self.hosts, &coordinator.connector())?;
        let session = coordinator
            .start_session(self.options)
            .await
            .map_err(|error| CliError::remedied(&error.to_string(), "see `correlate run --help`"))?;
        let ended = drive(session, work, Status::new(Style::of_stderr(color), names)).await?;
        if matches!(ended, Ended::InOrder(_)) {
            // The agents' threads are still served by this runtime while they say goodbye.
            let _ = tokio::task::spawn_blocking(move || agents.stop()).await;
        }
        Ok(ended)
    }
}
