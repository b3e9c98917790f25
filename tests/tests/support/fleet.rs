//! A coordinator and agents as processes of their own, beside a lab.

use super::binary::{PATIENCE, command, correlate};
use correlate_lab::Namespace;
use correlate_tests::process::{Ran, Running};
use std::path::{Path, PathBuf};

/// A coordinator's directory and socket, and the coordinator while it runs.
#[derive(Debug)]
pub(crate) struct Fleet {
    folder: PathBuf,
    coordinator: Option<Running>,
}

impl Fleet {
    /// Starts a coordinator in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        let mut fleet = Self { folder: folder.to_owned(), coordinator: None };
        fleet.start_coordinator();
        fleet
    }

    /// Starts the coordinator, again if it ran before.
    pub(crate) fn start_coordinator(&mut self) {
        let mut coordinator = command();
        coordinator.args(["coordinator", "--listen", &self.url(), "--data"]).arg(self.folder.join("data"));
        let running = Running::start(&mut coordinator);
        running.until_a_line_has("listening", PATIENCE).expect("the coordinator listens");
        self.coordinator = Some(running);
    }

    /// Kills the coordinator; what it did not write down is lost.
    pub(crate) fn kill_coordinator(&mut self) {
        self.coordinator.take().expect("a coordinator").kill();
    }

    /// Ends the coordinator in order.
    pub(crate) fn end_coordinator(&mut self) -> Ran {
        let coordinator = self.coordinator.take().expect("a coordinator");
        coordinator.terminate();
        coordinator.finish(PATIENCE)
    }

    /// Where the coordinator is.
    pub(crate) fn url(&self) -> String {
        format!("unix:{}", self.folder.join("c.sock").display())
    }

    /// Starts an agent inside of a namespace and waits until it is connected.
    pub(crate) fn agent(&self, name: &str, namespace: &Namespace, interface: &str) -> Running {
        let mut agent = command();
        agent.args(["agent", "--coordinator", &self.url(), "--name", name, "--interface", interface]);
        // A process is born into the namespace of the thread that starts it.
        let agent = namespace.enter(|| Running::start(&mut agent)).expect("enters the namespace");
        agent.until_a_line_has("connected to the coordinator", PATIENCE).expect("the agent connects");
        agent
    }

    /// Starts an agent that captures at a host behind `ssh`, and waits until it is connected.
    pub(crate) fn agent_over_ssh(&self, name: &str, host: &str, ssh: &Path) -> Running {
        let mut agent = command();
        agent.env("CORRELATE_SSH", ssh);
        agent.args(["agent", "--coordinator", &self.url(), "--name", name, "--host", host]);
        let agent = Running::start(&mut agent);
        agent.until_a_line_has("connected to the coordinator", PATIENCE).expect("the agent connects");
        agent
    }

    /// Starts `correlate run` between the agents and waits until every capture runs. Gives the session's name too.
    pub(crate) fn run(&self, hosts: &[String]) -> (Running, String) {
        let mut run = command();
        run.args(["run", "--format", "json", "--coordinator", &self.url()]);
        for (index, host) in hosts.iter().enumerate() {
            run.args([if index == 0 { "--client" } else { "--server" }, host]);
        }
        let run = Running::start(&mut run);
        let line = run.until_a_line_has("session ", PATIENCE).expect("the session is named");
        let session = line.split_whitespace().nth(1).expect("a name").to_owned();
        run.until_a_line_has("capturing at ", PATIENCE).expect("every capture runs");
        (run, session)
    }

    /// Starts `correlate watch` and waits until it shows that the session captures.
    pub(crate) fn watch(&self, session: &str) -> Running {
        let mut watch = command();
        watch.args(["watch", session, "--format", "json", "--coordinator", &self.url()]);
        let watch = Running::start(&mut watch);
        watch.until_a_line_has("capturing at ", PATIENCE).expect("the session captures");
        watch
    }

    /// Asks the coordinator something to the end.
    pub(crate) fn ask(&self, args: &[&str]) -> Ran {
        let url = self.url();
        correlate(args.iter().copied().chain(["--coordinator", &url]))
    }

    /// The recording of a session, as the coordinator keeps it.
    pub(crate) fn recording(&self, session: &str) -> PathBuf {
        self.folder.join("data").join(format!("{session}.correlate"))
    }
}
