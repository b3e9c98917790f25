//! Arguments of `agent`.

use super::Host;
use super::logging::LogArgs;
use super::{AuditArgs, ConfigArgs, CredentialsArgs, MetricsArgs};
use crate::remote::{Address, VARIABLE};
use clap::Args;
use correlate_agent::filter::Exclusion;
use correlate_proto::Endpoint;
use std::path::PathBuf;

/// Arguments of `agent`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  correlate agent --coordinator unix:/run/correlate/coordinator.sock --name db-1 --label zone=a
  correlate agent --coordinator https://collector.example --policy /etc/correlate/policy.toml
  correlate agent --config /etc/correlate/agent.toml
  correlate agent --name db-7 --host ssh://admin@db-7    on behalf of a host without correlate
  ssh db correlate agent --stdio --name db    what `correlate run --server ssh://db` starts there

With --coordinator it dials, and dials again whenever the connection breaks, until SIGTERM or Ctrl-C, which end its \
captures in order. A configuration file is TOML with the long flags as keys:

  coordinator = \"https://collector.example\"
  label = [\"zone=a\"]
  policy = \"/etc/correlate/policy.toml\"")]
pub(crate) struct AgentArgs {
    /// Serve one coordinator over standard input and output, and end when the input does
    #[arg(long)]
    pub(crate) stdio: bool,
    /// The coordinator to dial: https://HOST:PORT, http://127.0.0.1:PORT or unix:PATH
    #[arg(long, value_name = "URL", env = VARIABLE, value_parser = Address::parse)]
    pub(crate) coordinator: Option<Address>,
    /// The name by which sessions ask for this agent; over TLS the default is that of its certificate
    #[arg(long, value_name = "NAME", env = "CORRELATE_NAME")]
    pub(crate) name: Option<String>,
    /// Say this of the host in `correlate agents` (repeatable; or `CORRELATE_LABEL`, parted by commas)
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// Capture at this host instead of at this one: `ssh://HOST`, where nothing but tcpdump has to be installed,
    /// `netns:NAME` or `container:NAME`
    #[arg(long, value_name = "HOST", value_parser = Host::parse, env = "CORRELATE_HOST", conflicts_with = "stdio")]
    pub(crate) host: Option<Host>,
    /// Capture this interface where a session names none; the default is all (repeatable; or `CORRELATE_INTERFACE`,
    /// parted by commas)
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Vec<String>,
    /// Never capture this connection, written as in `SSH_CONNECTION` (repeatable)
    #[arg(long, value_name = "ADDRESS PORT ADDRESS PORT", value_parser = connection)]
    pub(crate) exclude: Vec<Exclusion>,
    /// What this host allows to be captured; see `correlate validate --help`
    #[arg(long, value_name = "FILE", env = "CORRELATE_POLICY")]
    pub(crate) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(flatten)]
    pub(crate) credentials: CredentialsArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) audit: AuditArgs,
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("a label is NAME=VALUE".to_owned()),
    }
}

/// Reads a connection as sshd writes it: the client's address and port, the server's address and port.
pub(crate) fn connection(text: &str) -> Result<Exclusion, String> {
    let wrong = || "a connection is: ADDRESS PORT ADDRESS PORT".to_owned();
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [client, client_port, server, server_port] = words[..] else { return Err(wrong()) };
    let end = |address: &str, port: &str| {
        // The interface of a link-local address stands behind a percent sign.
        let addr = address.split('%').next().and_then(|address| address.parse().ok());
        addr.zip(port.parse().ok()).map(|(addr, port)| Endpoint { addr, port }).ok_or_else(wrong)
    };
    Ok(Exclusion::Connection(end(client, client_port)?, end(server, server_port)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_read_as_sshd_writes_it() {
        let end = |text: &str, port| Endpoint { addr: text.parse().expect("an address"), port };
        let table = [
            ("10.0.0.1 40000 10.0.0.2 22", end("10.0.0.1", 40_000), end("10.0.0.2", 22)),
            ("fe80::1%eth0 1 fe80::2%eth0 22", end("fe80::1", 1), end("fe80::2", 22)),
        ];
        for (text, client, server) in table {
            assert_eq!(connection(text), Ok(Exclusion::Connection(client, server)));
        }
        for text in ["", "UNKNOWN 65535 UNKNOWN 65535", "10.0.0.1 1 10.0.0.2", "10.0.0.1 70000 10.0.0.2 22"] {
            assert!(connection(text).is_err(), "{text}");
        }
    }
}
