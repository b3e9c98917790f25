//! The agents of a session in this process: one thread and runtime for each host.

use crate::error::CliError;
use crate::output;
use correlate_agent::uplink::{self, CaptureOpener, Dial, Io, Options};
use correlate_coordinator::Connector;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use tokio::sync::watch;

/// An agent to be started.
pub(super) struct Agent {
    /// By which the session asks for it.
    pub(super) name: String,
    /// Its host as the user named it.
    pub(super) host: String,
    /// Opens its captures.
    pub(super) opener: Arc<dyn CaptureOpener>,
}

/// Running agents. Dropping them ends them.
#[derive(Debug)]
pub(crate) struct Agents {
    shutdown: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Agents {
    /// Starts `agents`, which dial through `connector`.
    pub(super) fn start(agents: Vec<Agent>, connector: &Connector) -> Result<Self, CliError> {
        let (shutdown, asked) = watch::channel(false);
        let mut threads = Vec::with_capacity(agents.len());
        for agent in agents {
            let (connector, asked) = (connector.clone(), asked.clone());
            let thread = Builder::new()
                .name(format!("agent {}", agent.name))
                .spawn(move || serve(agent, connector, asked))
                .map_err(|error| {
                    CliError::new(format!("cannot start the thread of an agent: {error}"))
                        .hint("raise the limit of processes (ulimit -u)")
                })?;
            threads.push(thread);
        }
        Ok(Self { shutdown, threads })
    }

    /// Ends the agents and waits for them.
    pub(crate) fn stop(self) {
        self.shutdown.send_replace(true);
        for thread in self.threads {
            // A panic of an agent has been told by then, and its session has ended without it.
            let _ = thread.join();
        }
    }
}

fn serve(agent: Agent, connector: Connector, asked: watch::Receiver<bool>) {
    let Agent { name, host, opener } = agent;
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say(&format!("error: cannot start the agent of {host}: {error}"));
            return;
        }
    };
    let dial: Dial = Arc::new(move || {
        let io = connector.connect().map(|io| Box::new(io) as Box<dyn Io>);
        Box::pin(core::future::ready(io as io::Result<Box<dyn Io>>))
    });
    let options = Options::new(name, env!("CARGO_PKG_VERSION"));
    if let Err(error) = runtime.block_on(uplink::run(options, opener, dial, asked)) {
        output::say(&format!("warning: the agent of {host} ended: {error}"));
    }
}
