//! Arguments of `demo`.

use super::OutputArgs;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  correlate demo --list
  correlate demo syn-ack-lost
  correlate demo loss-bursty --seed 7 --keep /tmp/lab

The packets are real: two hosts and a device between them, in network namespaces that vanish afterwards. It \
needs no root where the kernel lets users make namespaces. Both hosts are captured live, as `correlate run` \
does; where a broken capture is what a scenario is about, the lab's own captures are analysed.

Exit status: 0 if correlate found what the scenario planted and blamed nothing else, 1 if it was wrong, 2 if \
the lab could not be built.")]
pub(crate) struct DemoArgs {
    /// The scenario
    #[arg(required_unless_present = "list")]
    pub(crate) scenario: Option<String>,
    /// List the scenarios
    #[arg(long)]
    pub(crate) list: bool,
    /// Seed of the lab's chance: the same seed breaks the same packets
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Keep the captures, the session, the report and the device's own book in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
