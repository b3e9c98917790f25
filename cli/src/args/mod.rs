//! The command line, as clap reads it.

#[cfg(target_os = "linux")]
mod agent;
mod analyze;
#[cfg(target_os = "linux")]
mod coordinator;
#[cfg(target_os = "linux")]
mod demo;
#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod logging;
#[cfg(target_os = "linux")]
mod metrics;
#[cfg(target_os = "linux")]
mod remote;
#[cfg(target_os = "linux")]
mod run;
mod shared;
mod similar;
#[cfg(target_os = "linux")]
mod ssh_host;
#[cfg(target_os = "linux")]
mod trust;

#[cfg(target_os = "linux")]
pub(crate) use agent::{AgentArgs, connection};
pub(crate) use analyze::{AnalyzeArgs, Vouch};
#[cfg(target_os = "linux")]
pub(crate) use coordinator::CoordinatorArgs;
#[cfg(target_os = "linux")]
pub(crate) use demo::DemoArgs;
#[cfg(target_os = "linux")]
pub(crate) use host::Host;
#[cfg(target_os = "linux")]
pub(crate) use logging::{LogArgs, LogFormat};
#[cfg(target_os = "linux")]
pub(crate) use metrics::MetricsArgs;
#[cfg(target_os = "linux")]
pub(crate) use remote::{ListArgs, ListFormat, StopArgs, WatchArgs};
#[cfg(target_os = "linux")]
pub(crate) use run::RunArgs;
pub(crate) use shared::{FilterArgs, Format, OutputArgs, VerdictArgs};
#[cfg(target_os = "linux")]
pub(crate) use similar::similar;
#[cfg(target_os = "linux")]
pub(crate) use ssh_host::SshHost;
#[cfg(target_os = "linux")]
pub(crate) use trust::{
    AuditArgs, ConfigArgs, CoordinatorCommand, CredentialsArgs, DATA, InitArgs, JoinArgs, TokenArgs,
    ValidateArgs,
};

#[cfg(target_os = "linux")]
use crate::remote::{Address, VARIABLE};
use clap::{Parser, Subcommand, ValueEnum};
use correlate_proto::report::Code;
use std::path::PathBuf;

const AFTER: &str = "\
Exit status:
  0  clean: nothing at or above --fail-on, or exactly what --expect named
  1  a problem was found
  2  an error: bad usage, no privilege, a host out of reach, a broken file
  3  inconclusive: the evidence does not carry a verdict; the report says why

Start here:
  correlate demo syn-ack-lost                          a broken path on this machine, judged
  correlate analyze --client a.pcap --server b.pcap    two captures that you already have
  correlate explain syn-ack-lost                       what a finding means and what to do next";

/// Says with proof where on the way between two hosts a TCP connection broke, and who broke it.
#[derive(Debug, Parser)]
#[command(name = "correlate", version, propagate_version = true, after_help = AFTER, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Colour the text: always, never, or on a terminal unless `NO_COLOR` is set (auto)
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    #[arg(hide_possible_values = true, display_order = 900)]
    pub(crate) color: ColorChoice,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Capture at both hosts at once and judge what happens
    #[cfg(target_os = "linux")]
    Run(RunArgs),
    /// Judge two captures that already exist
    Analyze(AnalyzeArgs),
    /// Break a path of real packets on this machine and watch the verdict
    #[cfg(target_os = "linux")]
    Demo(DemoArgs),
    /// The capturing end of a host, by itself
    #[cfg(target_os = "linux")]
    Agent(AgentArgs),
    /// The daemon that sessions live in
    #[cfg(target_os = "linux")]
    Coordinator(CoordinatorArgs),
    /// List the agents that are connected to a coordinator
    #[cfg(target_os = "linux")]
    Agents(ListArgs),
    /// List the sessions of a coordinator
    #[cfg(target_os = "linux")]
    Sessions(ListArgs),
    /// Follow a session of a coordinator to its end
    #[cfg(target_os = "linux")]
    Watch(WatchArgs),
    /// End a session of a coordinator
    #[cfg(target_os = "linux")]
    Stop(StopArgs),
    /// Get a certificate from a coordinator, for a join token
    #[cfg(target_os = "linux")]
    Join(JoinArgs),
    /// Check policies and configuration files
    #[cfg(target_os = "linux")]
    Validate(ValidateArgs),
    /// Render a session again: a saved one, or one that a coordinator has
    Show(ShowArgs),
    /// What a finding means, its evidence, its innocent alternatives, what to do next
    Explain(ExplainArgs),
    /// What on a host would make a verdict weaker; status 1 if something that capturing needs is missing
    #[cfg(target_os = "linux")]
    Doctor(DoctorArgs),
    /// Write the completions for a shell to standard output
    Completions(CompletionsArgs),
    /// Write the manual page to standard output
    Man,
}

impl Command {
    /// Where its report goes, if it writes one.
    pub(crate) fn output(&self) -> Option<&OutputArgs> {
        #[cfg(target_os = "linux")]
        if let Self::Run(RunArgs { output, .. }) | Self::Demo(DemoArgs { output, .. }) = self {
            return Some(output);
        }
        if let Self::Analyze(AnalyzeArgs { output, .. }) | Self::Show(ShowArgs { output, .. }) = self {
            return Some(output);
        }
        None
    }
}

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  correlate show incident.correlate
  correlate show incident.correlate --format json -o incident.json
  correlate show s1790000000 --coordinator unix:/run/correlate/coordinator.sock

Where both a file and a coordinator could be meant, a file of that name is.")]
pub(crate) struct ShowArgs {
    /// A session saved with --save, or the name of one at the coordinator
    #[arg(value_name = "FILE.correlate|SESSION")]
    pub(crate) file: PathBuf,
    /// The coordinator: https://HOST:PORT, http://127.0.0.1:PORT or unix:PATH
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "URL", env = VARIABLE, value_parser = Address::parse)]
    pub(crate) coordinator: Option<Address>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) verdict: VerdictArgs,
}

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  correlate explain              every code, one line each
  correlate explain rst-injected")]
pub(crate) struct ExplainArgs {
    /// The code of a finding; without one all are listed
    #[arg(value_parser = shared::code)]
    pub(crate) code: Option<Code>,
}

/// Arguments of `doctor`.
#[cfg(target_os = "linux")]
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  correlate doctor                          this host
  correlate doctor ssh://admin@db-7/eth0    what a capture there would meet: ssh, tcpdump, sudo, correlate
  correlate doctor container:web            its network, as seen from this host

A host that is out of reach is an error (status 2). Nothing is captured.")]
pub(crate) struct DoctorArgs {
    /// The host: `local`, `netns:NAME`, `container:NAME` or `ssh://HOST`, as `run` takes them, or the name of an ssh host
    #[arg(value_name = "HOST", default_value = "local", value_parser = Host::parse)]
    pub(crate) host: Host,
}

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  correlate completions bash > ~/.local/share/bash-completion/completions/correlate")]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests;
