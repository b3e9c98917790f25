//! Arguments that several commands take.

use super::similar::similar;
use crate::exit::FailOn;
use clap::{Args, ValueEnum};
use correlate_proto::report::Code;
use std::path::PathBuf;

/// What the report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: correlate.report/v1
    Json,
    /// For pipelines: a test case for the verdict and one for each code that could fail
    Junit,
}

/// Where the report goes, and as what.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// What to write the report as
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Write the report to this file instead of standard output
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
}

/// What makes the exit status.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct VerdictArgs {
    /// End with status 1 from this severity on
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    pub(crate) fail_on: FailOn,
    /// Pass only if exactly the expected error and warning codes appear (repeatable)
    #[arg(long, value_name = "CODE", value_parser = code)]
    pub(crate) expect: Vec<Code>,
}

/// What to look at.
#[derive(Debug, Clone, Args)]
pub(crate) struct FilterArgs {
    /// Filter at the client only, where a device translates addresses and the ends need different words
    #[arg(long, value_name = "FILTER")]
    pub(crate) client_filter: Option<String>,
    /// Filter at the server only
    #[arg(long, value_name = "FILTER")]
    pub(crate) server_filter: Option<String>,
    /// Look inside tunnels and tags too
    #[arg(long)]
    pub(crate) decap: bool,
    /// pcap-filter(7) expression, as tcpdump takes it; only TCP, its fragments and ICMP errors about it are kept
    #[arg(value_name = "FILTER")]
    words: Vec<String>,
}

impl FilterArgs {
    /// The filter as tcpdump would see it: the words joined by spaces. Empty if there are none.
    pub(crate) fn joined(&self) -> String {
        self.words.join(" ")
    }

    /// What applies at the client.
    pub(crate) fn client(&self) -> String {
        self.client_filter.clone().unwrap_or_else(|| self.joined())
    }

    /// What applies at the server.
    pub(crate) fn server(&self) -> String {
        self.server_filter.clone().unwrap_or_else(|| self.joined())
    }

    /// The filter as the report names it.
    pub(crate) fn described(&self) -> String {
        if self.client_filter.is_none() && self.server_filter.is_none() {
            return self.joined();
        }
        format!("client: {}; server: {}", self.client(), self.server())
    }
}

/// Reads the code of a finding; the error names what comes close.
pub(super) fn code(name: &str) -> Result<Code, String> {
    Code::from_name(name).ok_or_else(|| {
        match similar(name, Code::ALL.iter().map(|code| code.name())).as_slice() {
            [] => "no finding has that code; `correlate explain` lists them all".to_owned(),
            close => format!("no finding has that code; did you mean {}?", close.join(" or ")),
        }
    })
}
