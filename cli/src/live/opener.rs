//! Opens captures on this machine, in its own network namespace or another.

use crate::args::{Host, similar};
use crate::output;
use correlate_agent::capture::live::{Live, LiveOptions};
use correlate_agent::capture::{FrameSource, Reader};
use correlate_agent::filter::{DEFAULT_SNAPLEN, Exclusion, Filter};
use correlate_agent::host::{
    ClockSampler, Container, ContainerError, CounterReader, Namespace, interfaces, run_in,
};
use correlate_agent::uplink::{CaptureOpener, CaptureRequest, HostFacts, HostProbe, OpenCapture, Refusal};
use correlate_proto::{CaptureKind, ClockSample, HostCounters};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Opens captures of one host.
#[derive(Debug)]
pub(crate) struct LiveOpener {
    host: Host,
    exclusions: Vec<Exclusion>,
    /// What a container's name meant when it was first looked up: the capture and its counters are of the same one.
    container: Mutex<Option<Container>>,
    /// Captured where a session names no interface; empty for all.
    usual: Vec<String>,
}

impl LiveOpener {
    /// Opens captures of `host`.
    pub(crate) const fn new(host: Host) -> Self {
        Self { host, exclusions: Vec::new(), usual: Vec::new(), container: Mutex::new(None) }
    }

    /// Never captures this traffic, however wide the filter.
    pub(crate) fn excluding(mut self, exclusions: Vec<Exclusion>) -> Self {
        self.exclusions = exclusions;
        self
    }

    /// Captures these interfaces where a session names none.
    pub(crate) fn unless_told_on(mut self, interfaces: Vec<String>) -> Self {
        self.usual = interfaces;
        self
    }

    fn namespace(&self) -> Result<Option<PathBuf>, Refusal> {
        match &self.host {
            // A host elsewhere has an opener of its own.
            Host::Local { .. } | Host::Ssh(_) => Ok(None),
            Host::Namespace { name, .. } => Ok(Some(PathBuf::from(name))),
            Host::Container { name, .. } => self.container(name).map(Some),
        }
    }

    fn container(&self, name: &str) -> Result<PathBuf, Refusal> {
        let mut known = self.container.lock().unwrap_or_else(PoisonError::into_inner);
        let container = match known.take() {
            Some(container) => container,
            None => Container::find(name).map_err(|error| no_container(&error))?,
        };
        Ok(known.insert(container).namespace())
    }
}

impl CaptureOpener for LiveOpener {
    fn open(&self, request: &CaptureRequest) -> Result<OpenCapture, Refusal> {
        let filter = Filter::parse(&request.filter)
            .and_then(|filter| filter.excluding(&self.exclusions))
            .map_err(|error| refusal(&error.render()))?;
        let chosen = if request.interfaces.is_empty() { &self.usual } else { &request.interfaces };
        let options = LiveOptions {
            namespace: self.namespace()?,
            interfaces: chosen.clone(),
            filter: filter.clone(),
            snaplen: if request.snaplen == 0 { DEFAULT_SNAPLEN } else { request.snaplen },
            ..LiveOptions::default()
        };
        let live = Live::open(&options).map_err(|error| refusal(&error.to_string()))?;
        for warning in live.warnings() {
            output::say(&format!("warning: {}: {warning}", self.host));
        }
        let interfaces = live.interfaces().to_vec();
        let filter = Arc::new(filter);
        let reader = Reader::new(Box::new(live) as Box<dyn FrameSource>)
            .with_quote_filter(Box::new(move |error| filter.matches_quoted(error)));
        Ok(OpenCapture {
            reader,
            kind: CaptureKind::Live { all_interfaces: chosen.is_empty() },
            interfaces,
            probe: self.probe(),
        })
    }

    fn facts(&self) -> HostFacts {
        let Ok(namespace) = self.namespace() else { return HostFacts::default() };
        let namespace = namespace.as_deref().map(Namespace::named);
        let found = run_in(namespace.as_ref(), interfaces).ok().and_then(Result::ok);
        HostFacts {
            system: std::env::consts::OS.to_owned(),
            interfaces: found.unwrap_or_default(),
            ..HostFacts::default()
        }
    }
}

impl LiveOpener {
    /// Clocks and counters strengthen verdicts; without them there are still the packets.
    fn probe(&self) -> Option<Box<dyn HostProbe>> {
        let namespace = self.namespace().ok()?;
        let namespace = namespace.as_deref().map(Namespace::named);
        let counters = run_in(namespace.as_ref(), CounterReader::open).ok().and_then(Result::ok)?;
        Some(Box::new(Probe { clock: ClockSampler::new().ok()?, counters }))
    }
}

struct Probe {
    clock: ClockSampler,
    counters: CounterReader,
}

impl HostProbe for Probe {
    fn clock(&mut self) -> Option<ClockSample> {
        Some(self.clock.sample())
    }

    fn counters(&mut self) -> Option<HostCounters> {
        self.counters.read().ok()
    }
}

/// Names what comes close to a name that no container has.
fn no_container(error: &ContainerError) -> Refusal {
    let refused = refusal(&error.to_string());
    let ContainerError::Unknown { name, known, .. } = error else { return refused };
    match similar(name, known.iter().map(String::as_str)).as_slice() {
        [] => refused,
        close => Refusal { remedy: format!("did you mean {}?", close.join(" or ")), ..refused },
    }
}

/// Errors of the agent say what to do behind their last semicolon.
fn refusal(text: &str) -> Refusal {
    let (reason, remedy) = text.rsplit_once("; ").unwrap_or((text, ""));
    Refusal { reason: reason.to_owned(), remedy: remedy.to_owned() }
}
