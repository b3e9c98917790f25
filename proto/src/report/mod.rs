//! The report: what a session found, as data. `cli` renders it; with the `json` feature it is the document
//! `correlate.report/v1`.
//!
//! Times are instants of the clock that the field names; spans are integers in nanoseconds. Order is
//! deterministic throughout.

mod code;
mod connection;
mod details;
mod exchange;
mod finding;
mod time;

pub use code::{Code, Confidence, Location, Severity};
pub use connection::{
    ClosedBy, ConnectionReport, ConnectionTotals, DirectionReport, EndpointReport, HandshakeReport,
    Initiator, OneWayDelay, PerDirection, Quantiles, SeenAs,
};
pub use details::{Details, IcmpTooBig, LossCause, TranslatedSide};
pub use exchange::{ExchangesReport, HostTime, NetworkTime, SlowestExchange, TimeSplit, WayTime};
pub use finding::{Evidence, EvidenceEvent, Finding, Toward};
pub use time::ReportTime;

use crate::point::Offloads;
use crate::tuple::{Direction, Role};
use std::collections::BTreeMap;

/// The name of this document's schema. Within it, fields are only ever added.
pub const SCHEMA: &str = "correlate.report/v1";

/// The report of a session.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// What wrote the report.
    pub tool: Tool,
    /// The capture run.
    pub session: Session,
    /// The answer in one place.
    pub verdict: Verdict,
    /// Where frames were taken.
    pub capture_points: Vec<CapturePointReport>,
    /// How the points' clocks relate.
    pub clocks: Vec<ClockReport>,
    /// Connections with findings, and a bounded sample of the others, by first packet.
    pub connections: Vec<ConnectionReport>,
    /// Wire segments sent and lost between adjacent capture points.
    pub paths: Vec<PathReport>,
    /// All connections, counted.
    pub connection_totals: ConnectionTotals,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
}

/// What wrote a report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct Tool {
    /// `correlate`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The capture run that a report is of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct Session {
    /// Unique name of the session; for files `analyze`.
    pub id: String,
    /// First packet of the session by the reference clock; absent if nothing was captured.
    pub started_at: Option<ReportTime>,
    /// Last packet of the session.
    pub ended_at: Option<ReportTime>,
    /// The filter as the user gave it; empty if none.
    pub filter: String,
    /// The command that ran while capturing.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub command: Option<CommandReport>,
}

/// The command that `run … -- COMMAND` ran.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct CommandReport {
    /// The command and its arguments.
    pub argv: Vec<String>,
    /// Its exit status; absent if a signal ended it or it could not be started.
    pub exit_status: Option<i32>,
}

/// The overall answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct Verdict {
    /// Clean, problem or inconclusive.
    pub status: Status,
    /// The code of the finding that decides, if one does.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub code: Option<Code>,
    /// One sentence.
    pub sentence: String,
    /// Why the evidence is weaker than it could be, or why it carries no verdict.
    pub reasons: Vec<String>,
}

/// Status of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "json",
    derive(serde::Serialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum Status {
    /// Nothing of severity warning or above was found, and the evidence carries that.
    Clean,
    /// An error or a warning was found with a confidence above unconfirmed.
    Problem,
    /// The evidence carries neither.
    Inconclusive,
}

/// A capture point as the report shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct CapturePointReport {
    /// Name within the report: `client`, `server`, `server-2`.
    pub id: String,
    /// Role on the path.
    pub role: Role,
    /// Host as the user named it, or the file.
    pub host: String,
    /// Captured interfaces by name.
    pub interfaces: Vec<String>,
    /// Link type as `pcap-linktype(7)` names it.
    pub link_type: String,
    /// First frame, by this point's own clock.
    pub first_packet_at: Option<ReportTime>,
    /// Last frame, by this point's own clock.
    pub last_packet_at: Option<ReportTime>,
    /// Frames read.
    pub packets: u64,
    /// Octets of those frames on the wire.
    pub bytes: u64,
    /// Frames that the kernel dropped before they could be read.
    pub dropped_by_kernel: u64,
    /// Frames that the agent dropped.
    pub dropped_by_agent: u64,
    /// Frames cut by the snaplen.
    pub truncated: u64,
    /// Frames that gave no record, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Offloads of the captured interfaces, where known.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub offloads: Option<Offloads>,
}

/// The relation of two points' clocks: the clock of `to` less the clock of `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct ClockReport {
    /// Capture point whose clock is the reference.
    pub from: String,
    /// The other capture point.
    pub to: String,
    /// Estimated offset at the end of the session; absent if only one direction, or nothing, was matched.
    pub offset_ns: Option<i64>,
    /// Half the width of the bound.
    pub uncertainty_ns: Option<i64>,
    /// Proven bound of the offset, low and high; absent where one side has no evidence.
    pub bound_ns: Option<[i64; 2]>,
    /// Rate difference in parts per 10⁹; absent if the session is too short to tell.
    pub skew_ppb: Option<i64>,
    /// Matched packets that the estimate rests on.
    pub samples: u64,
    /// How the offset was estimated: `max-margin`, `one-way`, `none`.
    pub method: String,
    /// Jumps of one clock against the other.
    pub steps: Vec<ClockStep>,
}

/// A jump of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct ClockStep {
    /// When, by the reference clock.
    pub at: ReportTime,
    /// By how much the offset changed.
    pub step_ns: i64,
}

/// Traffic in one direction between two adjacent capture points.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct PathReport {
    /// Sending capture point.
    pub from: String,
    /// Receiving capture point.
    pub to: String,
    /// Direction.
    pub direction: Direction,
    /// Wire segments sent while the receiving capture was proven to run, pure ACKs included.
    pub segments_sent: u64,
    /// Of those, copies lost on the path.
    pub segments_lost: u64,
    /// Lost by sent; absent if none was sent.
    pub loss_ratio: Option<f64>,
    /// 95 % Wilson interval of the ratio.
    pub loss_ci95: Option<[f64; 2]>,
    /// Smallest round-trip time between the two points, free of clock error; absent if not both directions matched.
    pub min_rtt_ns: Option<i64>,
}
