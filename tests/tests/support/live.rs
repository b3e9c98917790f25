//! `correlate run` beside a lab.

use super::binary::{PATIENCE, command};
use correlate_tests::process::{Ran, Running};
use std::path::Path;

/// What it says when every capture runs.
const READY: &str = "capturing at ";

/// A live session.
#[derive(Debug)]
pub(crate) struct Live(Running);

impl Live {
    /// Starts to capture at the hosts (the client first) and returns when it does. If it does not come to that,
    /// the report will be missing and say why.
    pub(crate) fn start(hosts: &[String], saved: &Path) -> Self {
        let mut run = command();
        run.args(["run", "--format", "json", "--save"]).arg(saved);
        for (index, host) in hosts.iter().enumerate() {
            run.args([if index == 0 { "--client" } else { "--server" }, host]);
        }
        let running = Running::start(&mut run);
        running.until_it_says(READY, PATIENCE);
        Self(running)
    }

    /// Ends it as Ctrl-C does and waits for the report.
    pub(crate) fn stop(self) -> Ran {
        self.0.interrupt();
        self.0.finish(PATIENCE)
    }
}
