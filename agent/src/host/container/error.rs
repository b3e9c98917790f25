//! Why a container cannot be captured.

use std::io;
use std::path::PathBuf;

/// Why a container cannot be captured. Each says what to do behind its last semicolon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// Nobody listens at any socket.
    #[error(
        "cannot look up container {name}: no container engine listens at {}; start Docker or Podman's API (systemctl start docker, systemctl start podman.socket), or name its socket in CORRELATE_CONTAINER_SOCKET",
        listed(sockets)
    )]
    NoEngine {
        /// As given.
        name: String,
        /// Where one was looked for.
        sockets: Vec<PathBuf>,
    },
    /// An engine may not be asked by this user, and no other knows the container.
    #[error(
        "cannot look up container {name}: no permission to ask the engine at {}; run with sudo, or as a member of the socket's group",
        socket.display()
    )]
    Denied {
        /// As given.
        name: String,
        /// Its socket.
        socket: PathBuf,
    },
    /// What listens does not answer as an engine does.
    #[error(
        "cannot look up container {name}: the engine at {} does not answer as Docker or Podman would: {reason}; look at its log, or name another socket in CORRELATE_CONTAINER_SOCKET",
        socket.display()
    )]
    Engine {
        /// As given.
        name: String,
        /// Its socket.
        socket: PathBuf,
        /// What it said or did.
        reason: String,
    },
    /// No engine has one of that name or id.
    #[error(
        "no container is called {name} at {}; `docker ps` or `podman ps` lists those that run",
        listed(sockets)
    )]
    Unknown {
        /// As given.
        name: String,
        /// Names of those that there are, running or not.
        known: Vec<String>,
        /// Engines that were asked.
        sockets: Vec<PathBuf>,
    },
    /// It exists and has no process.
    #[error("container {name} does not run (it is {state}); start it first")]
    NotRunning {
        /// As given.
        name: String,
        /// The engine's word for its state.
        state: String,
    },
    /// More than one engine has one of that name.
    #[error(
        "container {name} is at several engines: {}; choose one by CORRELATE_CONTAINER_SOCKET=PATH, or give the container's id",
        listed(sockets)
    )]
    Several {
        /// As given.
        name: String,
        /// The engines.
        sockets: Vec<PathBuf>,
    },
    /// The engine numbers processes otherwise than this process sees them.
    #[error(
        "container {name} runs where its processes cannot be seen from here: the engine at {} is in another PID namespace; run correlate on the engine's host, in its PID namespace (docker run --pid host)",
        socket.display()
    )]
    Elsewhere {
        /// As given.
        name: String,
        /// The engine's socket.
        socket: PathBuf,
    },
    /// Its process ended while it was looked at.
    #[error(
        "container {name} was restarted or ended just while it was looked up; run again when it stays up"
    )]
    Replaced {
        /// As given.
        name: String,
    },
    /// The namespace of its process could not be opened.
    #[error(
        "cannot open the network namespace of container {name} (process {process}): {source}; run with sudo, or as the user whose container it is"
    )]
    Open {
        /// As given.
        name: String,
        /// The container's first process.
        process: i32,
        /// What the system said.
        source: io::Error,
    },
}

fn listed(sockets: &[PathBuf]) -> String {
    sockets.iter().map(|socket| socket.display().to_string()).collect::<Vec<_>>().join(", ")
}
