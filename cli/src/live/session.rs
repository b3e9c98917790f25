//! A whole session inside this process: coordinator, agents, and the loop that follows it.

use super::agents::Agents;
use super::drive::{Ended, drive};
use super::start::Started;
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
        let (ended, started) = runtime.block_on(self.follow(work, color));
        // What still runs in the background has nothing to say any more; with it go the connections to other hosts.
        runtime.shutdown_background();
        drop(started);
        ended
    }

    async fn follow(
        self,
        work: Option<&mut Work>,
        color: ColorChoice,
    ) -> (Result<Ended, CliError>, Option<Started>) {
        let coordinator = Embedded::start();
        let names = self.hosts.iter().map(|(name, _)| name.clone()).collect();
        let mut started = match Started::all(self.hosts, &coordinator.connector()).await {
            Ok(started) => started,
            Err(error) => return (Err(error), None),
        };
        let status = Status::new(Style::of_stderr(color), names);
        let ended = judge(&coordinator, self.options, work, status).await;
        if matches!(ended, Ok(Ended::InOrder(_))) {
            // The agents' threads are still served by this runtime while they say goodbye.
            let agents = started.agents.take();
            let _ = tokio::task::spawn_blocking(move || agents.map(Agents::stop)).await;
        }
        (ended, Some(started))
    }
}

/// Runs the session of agents that are there.
async fn judge(
    coordinator: &Embedded,
    options: SessionOptions,
    work: Option<&mut Work>,
    status: Status,
) -> Result<Ended, CliError> {
    let session = coordinator
        .start_session(options)
        .await
        .map_err(|error| CliError::remedied(&error.to_string(), "see `correlate run --help`"))?;
    drive(session, work, status).await
}
