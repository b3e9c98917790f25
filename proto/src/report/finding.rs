//! One finding with its evidence.

use super::{Code, Confidence, Details, Location, ReportTime, Severity};
use crate::tuple::Direction;

/// Something that was found, with what proves it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct Finding {
    /// Name within the report: `f1`, `f2`, …
    pub id: String,
    /// What it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// How well it is supported.
    pub confidence: Confidence,
    /// Where the cause lies.
    pub location: Location,
    /// The direction it concerns, if it concerns one.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub direction: Option<Direction>,
    /// Who received what was forged.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub toward: Option<Toward>,
    /// Ids of the connections concerned; the first hundred.
    pub connections: Vec<String>,
    /// How many connections are concerned.
    pub connection_count: u64,
    /// How often it happened.
    pub count: u64,
    /// First time, by the reference clock.
    pub first_at: Option<ReportTime>,
    /// Last time, by the reference clock.
    pub last_at: Option<ReportTime>,
    /// One sentence with the numbers in it.
    pub sentence: String,
    /// What scripts compute with, by code.
    pub details: Details,
    /// Packets that prove it, at both ends; a bounded sample.
    pub evidence: Vec<Evidence>,
    /// Innocent explanations that the evidence leaves open.
    pub alternatives: Vec<String>,
    /// What to do next.
    pub next_step: String,
}

/// Who received what was forged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "json",
    derive(serde::Serialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum Toward {
    /// The client only.
    Client,
    /// The server only.
    Server,
    /// Both.
    Both,
}

/// One packet, or its absence, at one capture point.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct Evidence {
    /// Id of the capture point.
    pub capture_point: String,
    /// Number of the packet in that capture; absent for a packet that is not there.
    pub packet: Option<u64>,
    /// When, by that capture point's own clock; for an absent packet when it should have been there.
    pub at: Option<ReportTime>,
    /// What happened to it there.
    pub event: EvidenceEvent,
    /// The packet in one line.
    pub summary: String,
}

/// What a capture point says of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "json",
    derive(serde::Serialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum EvidenceEvent {
    /// It left here.
    Sent,
    /// It arrived here.
    Received,
    /// It arrived at the other end and never left here.
    NeverSent,
    /// It left the other end and never arrived here.
    NeverReceived,
}
