//! Connections in the report.

use super::{ExchangesReport, ReportTime};
use std::collections::BTreeMap;

/// One connection.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct ConnectionReport {
    /// Name within the report: `c1`, `c2`, …
    pub id: String,
    /// Which host opened it.
    pub initiator: Initiator,
    /// The client host's address and port, as the client's capture point saw it (else as the server's did).
    pub client: EndpointReport,
    /// The server host's address and port, as the client's capture point saw it (else as the server's did).
    pub server: EndpointReport,
    /// How each point saw it, where a device translated it.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub seen_as: Option<Vec<SeenAs>>,
    /// `syn-sent`, `syn-received`, `established`, `half-closed`, `closed`, `reset`, `refused`, `mid-stream`.
    pub state: String,
    /// Who closed it; absent while open.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub closed_by: Option<ClosedBy>,
    /// First packet, by the reference clock.
    pub started_at: ReportTime,
    /// Last packet.
    pub ended_at: ReportTime,
    /// Traffic per direction.
    pub directions: PerDirection,
    /// Handshake packets, counted.
    pub handshake: HandshakeReport,
    /// Where the time of its exchanges went. Absent where there was none, where requests and answers overlap
    /// (pipelining, HTTP/2, both ends sending at once), and where it cannot be measured.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub exchanges: Option<ExchangesReport>,
    /// Ids of the findings that concern it.
    pub findings: Vec<String>,
}

/// Which host opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "json",
    derive(serde::Serialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum Initiator {
    /// The client host.
    Client,
    /// The server host.
    Server,
}

/// Who closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "json",
    derive(serde::Serialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum ClosedBy {
    /// The client's FIN came first.
    Client,
    /// The server's FIN came first.
    Server,
    /// Both sent FIN before either had the other's.
    Both,
    /// A host reset it.
    Reset,
    /// A device reset it.
    Device,
}

/// An address and port.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct EndpointReport {
    /// IPv4 or IPv6 address.
    pub address: String,
    /// TCP port.
    pub port: u16,
}

impl From<crate::tuple::Endpoint> for EndpointReport {
    fn from(endpoint: crate::tuple::Endpoint) -> Self {
        Self { address: endpoint.addr.to_string(), port: endpoint.port }
    }
}

/// How one capture point saw a translated connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct SeenAs {
    /// Id of the capture point.
    pub capture_point: String,
    /// The client host's end as it appears there.
    pub client: EndpointReport,
    /// The server host's end as it appears there.
    pub server: EndpointReport,
}

/// One figure for each direction.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct PerDirection {
    /// Client to server.
    pub client_to_server: DirectionReport,
    /// Server to client.
    pub server_to_client: DirectionReport,
}

/// Traffic of one connection in one direction. Segments are wire segments, pure ACKs included.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct DirectionReport {
    /// Sent, at the sender's capture point.
    pub segments_sent: u64,
    /// Received, at the receiver's capture point.
    pub segments_received: u64,
    /// Lost on the path.
    pub segments_lost: u64,
    /// Distinct octets of payload, retransmissions not counted, as far as either end saw them.
    pub bytes: u64,
    /// Sent again.
    pub retransmitted: u64,
    /// Sent again although the original had arrived.
    pub spurious: u64,
    /// Arrived behind a later one.
    pub reordered: u64,
    /// Arrived twice though sent once.
    pub duplicated: u64,
    /// One-way delay.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub one_way_delay_ns: Option<OneWayDelay>,
    /// Delay above the path's minimum, free of clock error.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub queueing_ns: Option<Quantiles>,
}

/// One-way delay with the uncertainty that the clocks leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct OneWayDelay {
    /// Smallest.
    pub min: i64,
    /// Median.
    pub p50: i64,
    /// 99th percentile.
    pub p99: i64,
    /// Each figure may be off by so much either way.
    pub uncertainty: i64,
}

/// Median and tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct Quantiles {
    /// Median.
    pub p50: i64,
    /// 99th percentile.
    pub p99: i64,
}

/// Handshake packets of one connection. "Sent" is counted at the sender's capture point, "received" at the
/// other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct HandshakeReport {
    /// SYNs sent.
    pub syn_sent: u32,
    /// SYNs received.
    pub syn_received: u32,
    /// SYN-ACKs sent.
    pub syn_ack_sent: u32,
    /// SYN-ACKs received.
    pub syn_ack_received: u32,
    /// Whether, as 0 or 1, the initiator's first ACK was sent.
    pub ack_sent: u32,
    /// Whether, as 0 or 1, it was received.
    pub ack_received: u32,
    /// SYN to SYN-ACK at the initiator, of a handshake without repeats.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub rtt_ns: Option<i64>,
}

/// All connections of the session, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct ConnectionTotals {
    /// Connections.
    pub total: u64,
    /// By state.
    pub by_state: BTreeMap<String, u64>,
    /// By outcome: `healthy`, `problem`, `unpaired`.
    pub by_outcome: BTreeMap<String, u64>,
}
