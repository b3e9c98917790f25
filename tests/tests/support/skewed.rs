//! Agents on hosts of the lab whose clocks are wrong by plan: real captures and real readings of the clocks, with what
//! the wall clock showed put in place of what it did.

use correlate_agent::capture::live::{Live, LiveOptions};
use correlate_agent::capture::{CaptureError, Frame, FrameSource, Next, Reader};
use correlate_agent::host::{ClockSampler, CounterReader, Namespace};
use correlate_agent::uplink::{
    self, CaptureOpener, CaptureRequest, Dial, HostFacts, HostProbe, Io, OpenCapture, Options, Refusal,
};
use correlate_coordinator::Connector;
use correlate_lab::ClockError;
use correlate_proto::{CaptureKind, ClockSample, HostCounters, Interface, Local, PointStats, Timestamp};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// A host's clock that is wrong by plan since an instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrong {
    pub(crate) clock: ClockError,
    pub(crate) origin_ns: i64,
}

impl Wrong {
    /// What the clock shows at a true instant.
    pub(crate) fn shows(&self, at_ns: i64) -> i64 {
        self.clock.shows(at_ns, self.origin_ns)
    }

    fn stamp(&self, at: Timestamp<Local>) -> Timestamp<Local> {
        Timestamp::from_ns(self.shows(at.as_ns()))
    }

    /// Whether it jumps between two true instants.
    fn jumps(&self, from_ns: i64, to_ns: i64) -> bool {
        let at = |ms: u64| self.origin_ns + i64::try_from(ms).expect("a short test") * 1_000_000;
        self.clock.steps.iter().any(|step| (from_ns + 1..=to_ns).contains(&at(step.at_ms)))
    }
}

/// Frames as the wrong clock stamps them.
struct Source {
    live: Live,
    clock: Wrong,
}

impl FrameSource for Source {
    fn next(&mut self) -> Result<Next<'_>, CaptureError> {
        Ok(match self.live.next()? {
            Next::Frame(frame) => Next::Frame(Frame { at: self.clock.stamp(frame.at), ..frame }),
            other @ (Next::Idle | Next::End) => other,
        })
    }

    fn stats(&self) -> PointStats {
        let mut stats = self.live.stats();
        (stats.first_at, stats.last_at) =
            (stats.first_at.map(|at| self.clock.stamp(at)), stats.last_at.map(|at| self.clock.stamp(at)));
        for interval in &mut stats.coverage {
            let (from, to) = (self.clock.stamp(interval.from), self.clock.stamp(interval.to));
            (interval.from, interval.to) = (from.min(to), from.max(to));
        }
        stats
    }

    fn interfaces(&self) -> &[Interface] {
        self.live.interfaces()
    }

    fn link_type_name(&self) -> String {
        self.live.link_type_name()
    }
}

/// Readings of the wrong clock beside the oscillator, which is right.
struct Probe {
    clocks: ClockSampler,
    counters: CounterReader,
    clock: Wrong,
    before_ns: i64,
}

impl HostProbe for Probe {
    fn clock(&mut self) -> Option<ClockSample> {
        let sample = self.clocks.sample();
        let true_ns = sample.realtime.as_ns();
        let stepped = self.clock.jumps(self.before_ns, true_ns);
        self.before_ns = true_ns;
        Some(ClockSample { realtime: self.clock.stamp(sample.realtime), stepped, ..sample })
    }

    fn counters(&mut self) -> Option<HostCounters> {
        let counters = self.counters.read().ok()?;
        Some(HostCounters { at_ns: self.clock.shows(counters.at_ns), ..counters })
    }
}

struct Opener {
    namespace: PathBuf,
    clock: Wrong,
}

impl CaptureOpener for Opener {
    fn open(&self, request: &CaptureRequest) -> Result<OpenCapture, Refusal> {
        let refused =
            |error: &dyn core::fmt::Display| Refusal { reason: error.to_string(), remedy: String::new() };
        let options = LiveOptions {
            namespace: Some(self.namespace.clone()),
            interfaces: request.interfaces.clone(),
            ..LiveOptions::default()
        };
        let live = Live::open(&options).map_err(|error| refused(&error))?;
        let counters =
            Namespace::named(&self.namespace).run(CounterReader::open).map_err(|error| refused(&error))?;
        let clocks = ClockSampler::new().map_err(|error| refused(&error))?;
        let interfaces = live.interfaces().to_vec();
        let source: Box<dyn FrameSource> = Box::new(Source { live, clock: self.clock });
        Ok(OpenCapture {
            reader: Reader::new(source),
            kind: CaptureKind::Live { all_interfaces: request.interfaces.is_empty() },
            interfaces,
            probe: Some(Box::new(Probe {
                clocks,
                counters: counters.map_err(|error| refused(&error))?,
                clock: self.clock,
                before_ns: self.clock.origin_ns,
            })),
        })
    }

    fn facts(&self) -> HostFacts {
        HostFacts::default()
    }
}

/// A running agent.
pub(crate) struct Agent {
    shutdown: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Agent {
    /// Starts an agent of that name in a namespace.
    pub(crate) fn start(name: &str, namespace: PathBuf, clock: Wrong, connector: Connector) -> Self {
        let (shutdown, asked) = watch::channel(false);
        let options = Options::new(name, "test");
        let dial: Dial = Arc::new(move || {
            let io = connector.connect().map(|io| Box::new(io) as Box<dyn Io>);
            Box::pin(core::future::ready(io as io::Result<Box<dyn Io>>))
        });
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let opener = Arc::new(Opener { namespace, clock });
            runtime.block_on(uplink::run(options, opener, dial, asked)).expect("the agent ends well");
        });
        Self { shutdown, thread }
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        self.shutdown.send_replace(true);
        self.thread.join().expect("the agent's thread");
    }
}
