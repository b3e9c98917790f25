//! Captures of a host behind ssh, each over a connection of its own.

use super::link::{Link, connect};
use super::opener::SshOpener;
use crate::args::{SshHost, connection};
use crate::error::CliError;
use correlate_agent::filter::Exclusion;
use correlate_agent::uplink::{CaptureOpener, CaptureRequest, HostFacts, OpenCapture, Refusal};

/// Opens captures of a host that is reached anew for each.
#[derive(Debug)]
pub(crate) struct EachOverSsh {
    host: SshHost,
    facts: HostFacts,
    exclusions: Vec<Exclusion>,
    /// Captured where a session names no interface; empty for all.
    usual: Vec<String>,
}

impl EachOverSsh {
    /// Reaches `host` once, to learn what it has. Never captures `exclusions`, nor the connection of a capture.
    pub(crate) fn reach(host: SshHost, exclusions: Vec<Exclusion>) -> Result<Self, CliError> {
        let facts = SshOpener::new(connect(host.clone())?, Vec::new()).facts();
        Ok(Self { host, facts, exclusions, usual: Vec::new() })
    }

    /// Captures these interfaces where a session names none.
    pub(crate) fn unless_told_on(mut self, interfaces: Vec<String>) -> Self {
        self.usual = interfaces;
        self
    }
}

impl CaptureOpener for EachOverSsh {
    fn open(&self, request: &CaptureRequest) -> Result<OpenCapture, Refusal> {
        let link: Link = connect(self.host.clone()).map_err(|error| Refusal {
            reason: error.what().to_owned(),
            remedy: error.remedy().to_owned(),
        })?;
        let mut exclusions = self.exclusions.clone();
        exclusions.extend(connection(&link.greeting.connection));
        let chosen = if request.interfaces.is_empty() { &self.usual } else { &request.interfaces };
        let request = CaptureRequest { interfaces: chosen.clone(), ..request.clone() };
        SshOpener::new(link, exclusions).open(&request)
    }

    fn facts(&self) -> HostFacts {
        self.facts.clone()
    }
}
