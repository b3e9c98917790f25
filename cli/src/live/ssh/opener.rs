//! Opens the capture of a host where tcpdump runs.

use super::errors;
use super::filter;
use super::link::Link;
use super::source::SshSource;
use super::stream::Stream;
use correlate_agent::capture::{FrameSource, Reader};
use correlate_agent::filter::{DEFAULT_SNAPLEN, Exclusion, Filter};
use correlate_agent::uplink::{CaptureOpener, CaptureRequest, HostFacts, OpenCapture, Refusal};
use correlate_proto::CaptureKind;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the far end does once it is told to capture.
const CAPTURE: &str = include_str!("capture.sh");
/// All interfaces of a host.
const ALL: &str = "any";
/// How long tcpdump may take to begin; sudo may look its user up over a network.
const BEGIN_WITHIN: Duration = Duration::from_secs(20);
/// Octets of a capture file's header, which tcpdump writes at once.
const FILE_HEADER: usize = 24;

/// Opens the one capture that a link gives.
#[derive(Debug)]
pub(in crate::live) struct SshOpener {
    link: Mutex<Option<Link>>,
    facts: HostFacts,
    exclusions: Vec<Exclusion>,
}

impl SshOpener {
    /// Never captures `exclusions`, however wide the filter.
    pub(in crate::live) fn new(link: Link, exclusions: Vec<Exclusion>) -> Self {
        let facts = HostFacts {
            system: link.greeting.system.clone(),
            interfaces: link.greeting.interfaces.clone(),
            clock_ahead: link.ahead,
        };
        Self { link: Mutex::new(Some(link)), facts, exclusions }
    }
}

impl CaptureOpener for SshOpener {
    fn open(&self, request: &CaptureRequest) -> Result<OpenCapture, Refusal> {
        let parsed = Filter::parse(&request.filter)
            .map_err(|error| Refusal { reason: error.render(), remedy: String::new() })?;
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner).take();
        let link = link.ok_or_else(|| Refusal {
            reason: "the one capture of this ssh connection is over".to_owned(),
            remedy: "start a new session".to_owned(),
        })?;
        let words = filter::tcpdump(&parsed, &self.exclusions);
        let source = begin(link, request, &words)?;
        let interfaces = source.interfaces().to_vec();
        let parsed = Arc::new(parsed);
        let reader = Reader::new(Box::new(source) as Box<dyn FrameSource>)
            .with_quote_filter(Box::new(move |error| parsed.matches_quoted(error)));
        // tcpdump says when it listens, the beats until when, its last lines what it dropped, and the interfaces'
        // counters that there was something to see: all that a live capture proves.
        let kind = CaptureKind::Live { all_interfaces: request.interfaces.is_empty() };
        Ok(OpenCapture { reader, kind, interfaces, probe: None })
    }

    fn facts(&self) -> HostFacts {
        self.facts.clone()
    }
}

/// Tells the far end to capture and waits until it does.
fn begin(mut link: Link, request: &CaptureRequest, words: &str) -> Result<SshSource, Refusal> {
    let until = Instant::now() + BEGIN_WITHIN;
    let interface = request.interfaces.first().map_or(ALL, String::as_str);
    let snaplen = if request.snaplen == 0 { DEFAULT_SNAPLEN } else { request.snaplen };
    let told = format!("capture\n{interface}\n{snaplen}\n{words}\n{CAPTURE}.\n");
    let host = link.host.clone();
    let (voice, early) = (link.voice.clone(), |why: Option<&str>| errors::ended_early(&host, why));
    link.stdin.write_all(told.as_bytes()).map_err(|_| early(voice.said().last_words()))?;
    let Link { stdin, stdout, process, greeting, ahead, .. } = link;
    let mut stream = Stream::start(stdout).map_err(|error| early(Some(&error.to_string())))?;
    let (mut by_tcpdump, mut by_sudo) = (Vec::new(), Vec::new());
    loop {
        let reply = stream.line(until).map_err(|error| early(Some(&error.to_string())))?;
        match reply.as_deref() {
            Some("capturing") => break,
            Some("refused") => return Err(errors::refused(&host, &by_tcpdump, &by_sudo)),
            Some(other) => {
                if let Some(words) = other.strip_prefix("tcpdump said ") {
                    by_tcpdump.push(words.to_owned());
                } else if let Some(words) = other.strip_prefix("sudo said ") {
                    by_sudo.push(words.to_owned());
                }
            }
            None => return Err(early(voice.said().last_words())),
        }
    }
    let header = stream.have(FILE_HEADER, until).map_err(|error| early(Some(&error.to_string())))?;
    let left = until.saturating_duration_since(Instant::now());
    let listening = header && voice.wait(left, |said| said.began.is_some());
    let Some(began) = voice.said().began.filter(|_| listening) else {
        return Err(early(voice.said().last_words()));
    };
    let capture = super::source::Begun {
        host: host.to_string(),
        interfaces: greeting.interfaces,
        interface: request.interfaces.first().cloned(),
        ahead,
        began,
    };
    SshSource::new(capture, stream, (stdin, voice, process))
        .map_err(|error| errors::ended_early(&host, Some(&error.to_string())))
}
