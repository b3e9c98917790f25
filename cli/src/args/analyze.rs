//! Arguments of `analyze`.

use super::{FilterArgs, OutputArgs, VerdictArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Arguments of `analyze`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  correlate analyze --client a.pcap --server b.pcap
  correlate analyze --client a.pcapng.gz --server b.pcapng.gz port 5432
  correlate analyze --client a.pcap --server b1.pcap --server b2.pcap    a service with two backends
  tcpdump -r b.pcap -w - port 443 | correlate analyze --client a.pcap --server -
  correlate analyze --client a.pcap --server b.pcap --format json -o report.json --fail-on warning
  correlate analyze --client a.pcap --server b.pcap --save incident.correlate

A file covers the time from its first frame to its last, and silence outside is no evidence. If you know that \
a capture ran all the time, say so with --vouch.")]
pub(crate) struct AnalyzeArgs {
    /// Capture file of the client host, `-` for standard input (repeatable)
    #[arg(long, required = true, value_name = "FILE")]
    pub(crate) client: Vec<PathBuf>,
    /// Capture file of the server host, `-` for standard input (repeatable)
    #[arg(long, required = true, value_name = "FILE")]
    pub(crate) server: Vec<PathBuf>,
    /// Vouch that this side's captures ran all the time
    #[arg(long, value_enum, value_name = "SIDE")]
    pub(crate) vouch: Option<Vouch>,
    /// Keep the session in this file, for `correlate show`
    #[arg(long, value_name = "FILE.correlate")]
    pub(crate) save: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) verdict: VerdictArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// Whose captures the user vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Vouch {
    /// The client's
    Client,
    /// The server's
    Server,
    /// Both
    Both,
}
