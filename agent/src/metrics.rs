//! What the agent of this process counts, for whoever scrapes it.
//!
//! Counted per batch, reading or connection, never per packet, and by atomics that every thread reaches: the thread of
//! a capture must not wait for whoever scrapes.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::LazyLock;

/// The counters of this process.
pub(crate) static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::default);

/// A label with its value.
type Label = [(&'static str, &'static str); 1];

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// 1 while the coordinator is connected.
    pub(crate) connected: Gauge,
    pub(crate) connections: Counter,
    /// Attempts that failed and connections that broke.
    pub(crate) connection_failures: Counter,
    pub(crate) packets_captured: Counter,
    pub(crate) batches_sealed: Counter,
    packets_dropped: Family<Label, Counter>,
    captures_refused: Family<Label, Counter>,
    captures: Gauge,
    spool_bytes: Gauge,
    spool_batches: Gauge,
    spool_capacity_bytes: Gauge,
}

/// Who lost packets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dropper {
    /// The kernel: its ring was full.
    Kernel,
    /// This agent: the spool and the queue in front of it were full.
    Agent,
}

/// Who refused a capture.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refuser {
    /// The host, or its owner's policy: the audit log says which rule.
    Host,
    /// The coordinator, which does not want what was captured.
    Coordinator,
}

impl Metrics {
    pub(crate) fn dropped(&self, by: Dropper, packets: u64) {
        self.packets_dropped.get_or_create(&by.label()).inc_by(packets);
    }

    pub(crate) fn refused(&self, by: Refuser) {
        self.captures_refused.get_or_create(&by.label()).inc();
    }
}

impl Dropper {
    const fn label(self) -> Label {
        match self {
            Self::Kernel => [("by", "kernel")],
            Self::Agent => [("by", "agent")],
        }
    }
}

impl Refuser {
    const fn label(self) -> Label {
        match self {
            Self::Host => [("by", "host")],
            Self::Coordinator => [("by", "coordinator")],
        }
    }
}

/// The part of one capture in the spool's figures; what it holds is taken out of them with it.
#[derive(Debug)]
pub(crate) struct SpoolShare {
    bytes: i64,
    batches: i64,
    capacity: i64,
}

impl SpoolShare {
    /// A capture begins that may spool that much.
    pub(crate) fn new(capacity_bytes: usize) -> Self {
        let capacity = signed(capacity_bytes);
        METRICS.captures.inc();
        METRICS.spool_capacity_bytes.inc_by(capacity);
        Self { bytes: 0, batches: 0, capacity }
    }

    /// It holds so much now.
    pub(crate) fn set(&mut self, bytes: usize, batches: usize) {
        let (bytes, batches) = (signed(bytes), signed(batches));
        METRICS.spool_bytes.inc_by(bytes - self.bytes);
        METRICS.spool_batches.inc_by(batches - self.batches);
        (self.bytes, self.batches) = (bytes, batches);
    }
}

impl Drop for SpoolShare {
    fn drop(&mut self) {
        self.set(0, 0);
        METRICS.captures.dec();
        METRICS.spool_capacity_bytes.dec_by(self.capacity);
    }
}

fn signed(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Adds the agent's figures to `registry`.
pub fn register(registry: &mut Registry) {
    let metrics = &*METRICS;
    // All labels are there from the first scrape on, so that a rate begins at 0.
    for by in [Dropper::Kernel, Dropper::Agent] {
        metrics.dropped(by, 0);
    }
    for by in [Refuser::Host, Refuser::Coordinator] {
        drop(metrics.captures_refused.get_or_create(&by.label()));
    }
    let gauges = [
        ("correlate_agent_connected", "1 while a coordinator is connected", &metrics.connected),
        ("correlate_agent_captures", "Captures that run or are being uploaded", &metrics.captures),
        (
            "correlate_agent_spool_bytes",
            "Batches that the coordinator has not acknowledged",
            &metrics.spool_bytes,
        ),
        ("correlate_agent_spool_batches", "Batches that it has not acknowledged", &metrics.spool_batches),
        (
            "correlate_agent_spool_capacity_bytes",
            "What the spool may hold for the captures that run; beyond it packets are dropped",
            &metrics.spool_capacity_bytes,
        ),
    ];
    for (name, help, gauge) in gauges {
        registry.register(name, help, gauge.clone());
    }
    let counters = [
        (
            "correlate_agent_connections",
            "Connections made to the coordinator, the first included",
            &metrics.connections,
        ),
        (
            "correlate_agent_connection_failures",
            "Connections to the coordinator that failed or broke",
            &metrics.connection_failures,
        ),
        ("correlate_agent_packets_captured", "Packets put into batches", &metrics.packets_captured),
        ("correlate_agent_batches_sealed", "Batches handed to the upload", &metrics.batches_sealed),
    ];
    for (name, help, counter) in counters {
        registry.register(name, help, counter.clone());
    }
    let families = [
        (
            "correlate_agent_packets_dropped",
            "Packets lost before the upload, by the kernel or by the agent",
            &metrics.packets_dropped,
        ),
        (
            "correlate_agent_captures_refused",
            "Captures refused, by the host and its policy or by the coordinator",
            &metrics.captures_refused,
        ),
    ];
    for (name, help, family) in families {
        registry.register(name, help, family.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_takes_its_share_of_the_spool_with_it() {
        // Others of this process may count too: what is looked at is the difference that no other test makes.
        let held = || METRICS.spool_capacity_bytes.get();
        let capacity = 1 << 50;
        let mut share = SpoolShare::new(capacity);
        share.set(1 << 40, 1);
        assert!(METRICS.spool_bytes.get() >= 1 << 40 && held() >= 1 << 50);
        share.set(1 << 39, 1);
        assert!(METRICS.spool_bytes.get() < 1 << 40);
        drop(share);
        assert!(METRICS.spool_bytes.get() < 1 << 39 && held() < 1 << 50);
    }
}
