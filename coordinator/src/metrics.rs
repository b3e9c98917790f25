//! What the coordinator of this process counts, for whoever scrapes it. Counted per batch or call, by atomics; what
//! stands in the registries is looked up when somebody asks.

use crate::daemon::Fleet;
use correlate_proto::convert::{Loss, LossSource};
use correlate_proto::wire::SessionPhase;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// The counters of this process.
pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::default);

/// A label with its value.
type Label = [(&'static str, &'static str); 1];

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    batches: Counter,
    batch_bytes: Counter,
    packets: Counter,
    gaps: Family<Label, Counter>,
    packets_missed: Family<Label, Counter>,
    refused: Family<Label, Counter>,
}

/// Why somebody was refused.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refused {
    /// The role in the certificate may not.
    Role,
    /// An agent calls itself otherwise than its certificate does.
    Name,
    /// The certificate is not of this coordinator's authority, or the handshake failed.
    Certificate,
    /// There is no certificate.
    Stranger,
    /// The join token is unknown, used or too old.
    Token,
    /// An agent's first words make no sense: another protocol, too many labels.
    Greeting,
    /// What an agent uploaded makes no sense.
    Data,
}

const REASONS: [Refused; 7] = [
    Refused::Role,
    Refused::Name,
    Refused::Certificate,
    Refused::Stranger,
    Refused::Token,
    Refused::Greeting,
    Refused::Data,
];

impl Refused {
    const fn label(self) -> Label {
        let reason = match self {
            Self::Role => "role",
            Self::Name => "name",
            Self::Certificate => "certificate",
            Self::Stranger => "stranger",
            Self::Token => "token",
            Self::Greeting => "greeting",
            Self::Data => "data",
        };
        [("reason", reason)]
    }
}

/// Somebody was refused.
pub(crate) fn refused(why: Refused) {
    METRICS.refused.get_or_create(&why.label()).inc();
}

impl Metrics {
    /// A batch was taken into a recording, for the first and only time.
    pub(crate) fn taken(&self, packets: u32, bytes: u64) {
        self.batches.inc();
        self.batch_bytes.inc_by(bytes);
        self.packets.inc_by(packets.into());
    }

    /// An agent told what is missing between batches.
    pub(crate) fn missed(&self, losses: &[Loss]) {
        for loss in losses {
            let by = by(loss.source);
            self.gaps.get_or_create(&by).inc();
            self.packets_missed.get_or_create(&by).inc_by(loss.count);
        }
    }
}

const fn by(source: LossSource) -> Label {
    match source {
        LossSource::Kernel => [("by", "kernel")],
        LossSource::Agent => [("by", "agent")],
    }
}

/// Adds the coordinator's figures to `registry`.
pub(crate) fn register(fleet: Fleet, registry: &mut Registry) {
    let metrics = &*METRICS;
    // All labels are there from the first scrape on, so that a rate begins at 0.
    for source in [LossSource::Kernel, LossSource::Agent] {
        drop(metrics.gaps.get_or_create(&by(source)));
        drop(metrics.packets_missed.get_or_create(&by(source)));
    }
    for reason in REASONS {
        drop(metrics.refused.get_or_create(&reason.label()));
    }
    let counters = [
        ("correlate_coordinator_batches_taken", "Batches taken into recordings", &metrics.batches),
        ("correlate_coordinator_batch_bytes_taken", "Octets of these batches", &metrics.batch_bytes),
        ("correlate_coordinator_packets_taken", "Packets in these batches", &metrics.packets),
    ];
    for (name, help, counter) in counters {
        registry.register(name, help, counter.clone());
    }
    let families = [
        (
            "correlate_coordinator_gaps",
            "Gaps in captures that agents told of, by who lost packets",
            &metrics.gaps,
        ),
        ("correlate_coordinator_packets_missed", "Packets missing in these gaps", &metrics.packets_missed),
        (
            "correlate_coordinator_refused",
            "Connections, calls and uploads refused, by reason",
            &metrics.refused,
        ),
    ];
    for (name, help, family) in families {
        registry.register(name, help, family.clone());
    }
    registry.register_collector(Box::new(Standing(fleet)));
}

/// What there is at the moment of a scrape.
#[derive(Debug)]
struct Standing(Fleet);

impl Collector for Standing {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let agents = self.0.registry().agents().len();
        let (name, help) = ("correlate_coordinator_agents", "Agents that are connected.");
        ConstGauge::new(signed(agents)).encode(encoder.encode_descriptor(
            name,
            help,
            None,
            MetricType::Gauge,
        )?)?;

        let mut states: BTreeMap<&str, usize> = PHASES.iter().map(|phase| (phase.word(), 0)).collect();
        for summary in self.0.list() {
            *states.entry(summary.phase().word()).or_default() += 1;
        }
        let (name, help) = ("correlate_coordinator_sessions", "Sessions that run or are kept, by state.");
        let mut sessions = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (state, count) in states {
            ConstGauge::new(signed(count)).encode(sessions.encode_family(&[("state", state)])?)?;
        }

        let (name, help) =
            ("correlate_coordinator_recordings_bytes", "Octets of all recordings on the disk.");
        let bytes = i64::try_from(self.0.store().bytes()).unwrap_or(i64::MAX);
        ConstGauge::new(bytes).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }
}

const PHASES: [SessionPhase; 5] = [
    SessionPhase::Waiting,
    SessionPhase::Capturing,
    SessionPhase::Draining,
    SessionPhase::Done,
    SessionPhase::Failed,
];

fn signed(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
