//! What one check says of one connection.

use crate::connection::PacketRef;
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, EvidenceEvent, IcmpTooBig, Location, Severity, Toward};

/// What one check says of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Symptom {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    pub(crate) confidence: Confidence,
    pub(crate) location: Location,
    pub(crate) direction: Option<Direction>,
    pub(crate) toward: Option<Toward>,
    pub(crate) facts: Facts,
    pub(crate) evidence: Vec<Sighting>,
    /// What of the connection's losses it explains, by direction: sent and lost wire segments that do not count
    /// as packet loss any more.
    pub(crate) explains: [Explained; 2],
    /// Innocent explanations, in whole sentences.
    pub(crate) alternatives: Vec<String>,
}

/// Segments that a symptom explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Explained {
    pub(crate) lost: u64,
}

/// A packet, or its absence, at a capture point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) point: usize,
    /// `None` for a packet that is not there.
    pub(crate) packet: Option<u64>,
    /// By that point's clock; `None` if it cannot be told.
    pub(crate) at: Option<i64>,
    pub(crate) event: EvidenceEvent,
    pub(crate) summary: String,
}

impl Sighting {
    /// A packet that is there.
    pub(crate) fn of(packet: PacketRef, event: EvidenceEvent, summary: impl Into<String>) -> Self {
        Self {
            point: packet.point,
            packet: Some(packet.packet),
            at: Some(packet.at),
            event,
            summary: summary.into(),
        }
    }

    /// A packet that should be at `point`, at `at` by its clock, and is not.
    pub(crate) fn absent(
        point: usize,
        at: Option<i64>,
        event: EvidenceEvent,
        summary: impl Into<String>,
    ) -> Self {
        Self { point, packet: None, at, event, summary: summary.into() }
    }
}

/// Figures of a symptom, for its sentence and its details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Facts {
    /// Packets of the decisive kind sent at one end and received at the other.
    Counts { sent: u64, received: u64 },
    /// A forged RST.
    Injected { ttl: u8, usual_ttl: Option<u8>, idle_ns: i64, in_path: Option<bool> },
    /// Sizes of a path-MTU black hole.
    PathMtu { largest_delivered: u32, smallest_lost: u32, times: u64, icmp: IcmpTooBig },
    /// Who refused a connection, and how.
    Refused { how: String },
    /// A translated connection: the ends at the client's and at the server's capture point.
    Translated {
        at_client: (correlate_proto::Endpoint, correlate_proto::Endpoint),
        at_server: (correlate_proto::Endpoint, correlate_proto::Endpoint),
    },
    /// Why a connection was seen at one end only.
    Unpaired { why: String },
}

impl Symptom {
    /// A symptom without direction, evidence and alternatives yet.
    pub(crate) fn new(
        code: Code,
        severity: Severity,
        confidence: Confidence,
        location: Location,
        facts: Facts,
    ) -> Self {
        Self {
            code,
            severity,
            confidence,
            location,
            direction: None,
            toward: None,
            facts,
            evidence: Vec::new(),
            explains: [Explained::default(); 2],
            alternatives: Vec::new(),
        }
    }

    /// The symptom with a direction.
    pub(crate) fn in_direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// The symptom with its evidence.
    pub(crate) fn with_evidence(mut self, evidence: Vec<Sighting>) -> Self {
        self.evidence = evidence;
        self
    }

    /// The symptom with one more innocent explanation.
    pub(crate) fn or_else(mut self, alternative: impl Into<String>) -> Self {
        self.alternatives.push(alternative.into());
        self
    }

    /// The symptom as far as a single capture, given for both ends, can carry it.
    pub(crate) fn with_one_view(mut self) -> Self {
        if self.severity > Severity::Info {
            self.confidence = Confidence::Unconfirmed;
        }
        self.or_else("anything beside the one place that was captured: both ends were given the same capture")
    }

    /// The symptom that explains `lost` segments of `direction`.
    pub(crate) fn explaining(mut self, direction: Direction, lost: u64) -> Self {
        self.explains[direction.index()].lost = lost;
        self
    }
}
