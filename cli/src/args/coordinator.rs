//! Arguments of `coordinator`.

use super::logging::LogArgs;
use super::{AuditArgs, ConfigArgs, CoordinatorCommand, DATA, MetricsArgs};
use clap::Args;
use correlate_coordinator::ListenAddress;
use std::path::PathBuf;

/// Arguments of `coordinator`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  correlate coordinator --listen unix:/run/correlate/coordinator.sock --data /var/lib/correlate
  correlate coordinator init --name collector.example       once: certificates, for all but loopback
  correlate coordinator --listen 0.0.0.0:4747 --keep-bytes 4294967296 --keep-days 7
  correlate coordinator --config /etc/correlate/coordinator.toml

Agents dial it with `correlate agent --coordinator URL`. Sessions that run when it ends are gone on with when it \
is started again on the same --data; SIGTERM and Ctrl-C lose nothing. Beyond --keep-bytes or --keep-days the \
recordings of finished sessions are deleted, the oldest first; that of a session that runs never is. A configuration \
file is TOML with the long flags as keys:

  listen = [\"0.0.0.0:4747\", \"unix:/run/correlate/coordinator.sock\"]
  data = \"/var/lib/correlate\"
  keep-days = 7")]
pub(crate) struct CoordinatorArgs {
    /// Certificates
    #[command(subcommand)]
    pub(crate) command: Option<CoordinatorCommand>,
    /// Where to listen: ADDRESS:PORT, over TLS unless it is on loopback (tls:ADDRESS:PORT there), or unix:PATH
    /// (repeatable; or `CORRELATE_LISTEN`, parted by commas)
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4747")]
    pub(crate) listen: Vec<ListenAddress>,
    /// Directory of the recordings
    #[arg(long, value_name = "DIR", default_value = "correlate-data", env = DATA)]
    pub(crate) data: PathBuf,
    /// Octets that the recordings of finished sessions may take
    #[arg(long, value_name = "N", default_value_t = 16 << 30, env = "CORRELATE_KEEP_BYTES")]
    pub(crate) keep_bytes: u64,
    /// Days that the recordings of finished sessions are kept
    #[arg(long, value_name = "N", default_value_t = 30, env = "CORRELATE_KEEP_DAYS")]
    pub(crate) keep_days: u32,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) audit: AuditArgs,
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
}
