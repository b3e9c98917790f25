//! Arguments of `run`.

use super::{FilterArgs, Host, OutputArgs, VerdictArgs, limits};
use crate::remote::{Address, VARIABLE};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  correlate run --client netns:web --server netns:db port 5432 --duration 30s
  correlate run --client local:eth0 --server netns:db:veth1 port 5432
  correlate run --client netns:web --server netns:db port 5432 --fail-on error -- ./run-tests
  correlate run --client container:web --server container:db:eth0 port 5432 --duration 30s
  correlate run --client local --server ssh://admin@db/eth0 port 5432
  correlate run --client web-1 --server db-7 port 5432
  correlate run --coordinator unix:/run/correlate/coordinator.sock --client web-1 --server db-1 port 5432

HOST is local[:INTERFACE], netns:NAME[:INTERFACE], container:NAME[:INTERFACE] or \
ssh://[USER@]HOST[:PORT][/INTERFACE]. A namespace is a name of `ip netns` or a path such as /proc/1234/ns/net; a \
container is a name or id that Docker or Podman on this machine knows (at DOCKER_HOST and the usual sockets; \
CORRELATE_CONTAINER_SOCKET names another). A bare name is an ssh host, as your ssh configuration knows it; with \
--coordinator it is an agent's name there, and nothing else is a host.

Over ssh, correlate is used where it is installed, else tcpdump, each with `sudo -n` where that is needed and allowed. \
Your own `ssh` makes the connection (CORRELATE_SSH names another program); it must not have to ask for anything.

Without --duration, --count or a command it runs until Ctrl-C, which ends it in order: stop the captures, take \
in what is left, judge. A second Ctrl-C aborts with status 130. The command's own exit status is written in \
the report and kept apart from the verdict. At a coordinator the session outlives this program: `correlate watch` \
picks it up.")]
pub(crate) struct RunArgs {
    /// The client host (repeatable)
    #[arg(long, required = true, value_name = "HOST", value_parser = Host::parse)]
    pub(crate) client: Vec<Host>,
    /// The server host (repeatable)
    #[arg(long, required = true, value_name = "HOST", value_parser = Host::parse)]
    pub(crate) server: Vec<Host>,
    /// End after this time: 10s, 2m, 1h
    #[arg(long, value_name = "TIME", value_parser = limits::duration)]
    pub(crate) duration: Option<Duration>,
    /// End after so many packets at each host
    #[arg(long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// Octets captured of each frame; the default is the headers
    #[arg(long, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(68..=262_144))]
    pub(crate) snaplen: Option<u32>,
    /// Keep the session in this file, for `correlate show`
    #[arg(long, value_name = "FILE.correlate")]
    pub(crate) save: Option<PathBuf>,
    /// Run the session at this coordinator, between its agents: https://HOST:PORT, http://127.0.0.1:PORT or unix:PATH
    #[arg(long, value_name = "URL", env = VARIABLE, value_parser = Address::parse)]
    pub(crate) coordinator: Option<Address>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) verdict: VerdictArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Run this command while capturing and end when it ends
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}
