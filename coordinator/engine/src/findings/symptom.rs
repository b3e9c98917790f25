//! What one check says of one connection.

use super::{Odds, wording};
use crate::connection::PacketRef;
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, Details, EvidenceEvent, Location, Severity, Toward};

/// What one check says of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Symptom {
    pub(crate) code: Code,
    pub(crate) severity: Severity,
    pub(crate) confidence: Confidence,
    /// What speaks against chance, where that is what grades it; then `confidence` is for this connection alone, and
    /// several like it may be worth more, up to `at_most`.
    pub(crate) odds: Option<Odds>,
    pub(crate) at_most: Confidence,
    pub(crate) location: Location,
    pub(crate) direction: Option<Direction>,
    pub(crate) toward: Option<Toward>,
    /// Packets of the decisive kind sent at one end and received at the other.
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// How often it happened.
    pub(crate) count: u64,
    /// For scripts. [`Details::Counts`] is filled in from `sent` and `received` when symptoms are gathered.
    pub(crate) details: Details,
    /// Words of this symptom that its sentence uses; may be empty.
    pub(crate) note: String,
    /// Tells it, and others of its kind with it, in one sentence.
    pub(crate) say: Say,
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

/// The host in which packets were lost before they left it.
#[derive(Debug, Clone)]
pub(crate) struct LostBy {
    pub(crate) location: Location,
    pub(crate) at_most: Confidence,
    /// To be appended to a sentence.
    pub(crate) words: String,
    pub(crate) evidence: Option<Sighting>,
    pub(crate) alternative: Option<String>,
}

/// Makes the sentence of a finding.
pub(crate) type Say = fn(&Told<'_>) -> String;

/// Like symptoms gathered, as their sentence tells them.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    /// The one that is supported best; its details and words stand for all.
    pub(crate) worst: &'a Symptom,
    /// Sums over all of them.
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// "3 of 5 connections".
    pub(crate) of: String,
}

impl Told<'_> {
    /// The direction in words; empty if there is none.
    pub(crate) fn way(&self) -> &'static str {
        self.worst.direction.map_or("", wording::direction)
    }
}

impl Symptom {
    /// A symptom without direction, evidence and alternatives yet.
    pub(crate) fn new(
        code: Code,
        severity: Severity,
        confidence: Confidence,
        location: Location,
        say: Say,
    ) -> Self {
        Self {
            code,
            severity,
            confidence,
            odds: None,
            at_most: confidence,
            location,
            direction: None,
            toward: None,
            sent: 1,
            received: 0,
            count: 1,
            details: Details::Plain {},
            note: String::new(),
            say,
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

    /// The symptom of so many packets sent and received.
    pub(crate) fn counting(mut self, sent: u64, received: u64) -> Self {
        (self.sent, self.received, self.count) = (sent, received, sent);
        self.details = Details::Counts { sent, received };
        self
    }

    /// The symptom graded by `odds`, out of `all` connections that might show it by chance, and no better than it is
    /// graded so far.
    pub(crate) fn weighed(mut self, odds: Odds, all: u64) -> Self {
        self.confidence = self.at_most.min(odds.grade(1, all));
        self.odds = Some(odds);
        self
    }

    /// The symptom with figures for scripts.
    pub(crate) fn with_details(mut self, details: Details) -> Self {
        self.details = details;
        self
    }

    /// The symptom with words that its sentence uses.
    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
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

    /// The symptom of packets that a path lost, or, as far as that is known, the host where they were sent.
    pub(crate) fn lost_by(mut self, host: Option<LostBy>) -> Self {
        let Some(host) = host else { return self.or_else(wording::HOST_EDGE) };
        self.location = host.location;
        self.at_most = self.at_most.min(host.at_most);
        self.confidence = self.confidence.min(host.at_most);
        self.evidence.extend(host.evidence);
        self.alternatives.extend(host.alternative);
        self.with_note(host.words)
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
