//! Loss on a path, over all its connections.

use super::symptom::Explained;
use super::view::path_of;
use super::wording;
use crate::connection::{Connection, Tally};
use crate::session::Session;
use crate::stats;
use correlate_proto::Direction;
use correlate_proto::report::{
    Code, Confidence, Details, Evidence, EvidenceEvent, Finding, LossCause, PathReport, ReportTime, Severity,
};
use std::collections::{BTreeMap, BTreeSet};

/// Fewer lost segments than this are worth no more than a note.
const LEAST_LOST: u64 = 3;

/// Loss ratios from which it is a warning, and an error.
const WARNING_FROM: f64 = 0.001;
const ERROR_FROM: f64 = 0.01;

/// Two directions differ if chance explains the difference less often than once in a thousand, and if it is at
/// least this.
const LEAST_DIFFERENCE: f64 = 0.005;

/// How many lost segments are shown, and connections listed.
const SHOWN: usize = 6;
const LISTED: usize = 100;

/// What passed and what was lost in one direction between two capture points, over all connections.
#[derive(Debug, Default, Clone)]
pub(crate) struct PathTotals {
    delivered: u64,
    lost: u64,
    delivered_acks: u64,
    lost_unconfirmed: u64,
    bursts: u64,
    explained: u64,
    pub(crate) ambiguous: u64,
    connections: u64,
    /// The first hundred: connections end in an order that depends on where epochs fall.
    losing: BTreeSet<u64>,
    losing_count: u64,
    /// The first few: when, packet, octets, and octets of the IP packet.
    evidence: BTreeSet<(i64, u64, u32, u32)>,
    first_at: Option<i64>,
    last_at: Option<i64>,
}

/// Totals by upstream point, downstream point and direction.
pub(crate) type Paths = BTreeMap<(usize, usize, Direction), PathTotals>;

impl PathTotals {
    /// Adds one connection's direction, with what other findings explain of it.
    pub(crate) fn add(&mut self, connection: &Connection, tally: &Tally, explained: Explained) {
        if tally.is_empty() {
            return;
        }
        self.delivered += tally.delivered;
        self.lost += tally.lost;
        self.delivered_acks += tally.delivered_acks;
        self.lost_unconfirmed += tally.lost_unconfirmed;
        self.bursts += tally.bursts;
        self.ambiguous += tally.ambiguous;
        self.explained += explained.lost.min(tally.lost);
        self.connections += 1;
        if tally.lost > explained.lost {
            self.losing_count += 1;
            self.losing.insert(connection.number);
            if self.losing.len() > LISTED {
                self.losing.pop_last();
            }
            for lost in &tally.lost_kept {
                self.first_at = self.first_at.into_iter().chain([lost.at]).min();
                self.last_at = self.last_at.max(Some(lost.at));
                self.evidence.insert((lost.at, lost.packet, lost.len, lost.ip_len));
                if self.evidence.len() > SHOWN {
                    self.evidence.pop_last();
                }
            }
        }
    }

    /// Sent and lost segments. Where the receiver's capture itself lacks packets, an ACK that is not in it may
    /// have arrived all the same, and so may data that no other copy replaced: those do not count.
    fn proven(&self, receiver_is_suspect: bool) -> (u64, u64) {
        if receiver_is_suspect {
            let lost = self.lost.saturating_sub(self.lost_unconfirmed);
            (lost + self.delivered.saturating_sub(self.delivered_acks), lost)
        } else {
            (self.delivered + self.lost, self.lost)
        }
    }

    /// The same without what other findings explain.
    fn countable(&self, receiver_is_suspect: bool) -> (u64, u64) {
        let (sent, lost) = self.proven(receiver_is_suspect);
        let explained = self.explained.min(lost);
        (sent - explained, lost - explained)
    }
}

/// The loss findings of all paths, and the paths for the report.
pub(crate) fn loss_findings(session: &Session, paths: &Paths) -> (Vec<Finding>, Vec<PathReport>) {
    let mut findings = Vec::new();
    let mut reports = Vec::new();
    for (&(up, down, direction), totals) in paths {
        reports.push(path_report(session, up, down, direction, totals));
        findings.extend(packet_loss(session, up, down, direction, totals));
        let back = paths.get(&(up, down, direction.reversed()));
        findings.extend(back.and_then(|back| asymmetric_loss(session, up, down, direction, totals, back)));
    }
    (findings, reports)
}

fn ends(session: &Session, up: usize, down: usize, direction: Direction) -> (usize, usize) {
    debug_assert!(session.points[up].position < session.points[down].position);
    match direction {
        Direction::ClientToServer => (up, down),
        Direction::ServerToClient => (down, up),
    }
}

fn path_report(
    session: &Session,
    up: usize,
    down: usize,
    direction: Direction,
    totals: &PathTotals,
) -> PathReport {
    let (from, to) = ends(session, up, down, direction);
    let (sent, lost) = totals.proven(session.points[to].is_suspect());
    let (low, high) = stats::wilson95(lost, sent);
    PathReport {
        from: session.points[from].label.clone(),
        to: session.points[to].label.clone(),
        direction,
        segments_sent: sent,
        segments_lost: lost,
        loss_ratio: (sent > 0).then(|| stats::ratio(lost, sent)),
        loss_ci95: (sent > 0).then_some([low, high]),
        min_rtt_ns: session
            .clock(up, down)
            .and_then(crate::clock::PairClock::min_rtt)
            .map(correlate_proto::Span::as_ns),
    }
}

fn details(sent: u64, lost: u64, totals: &PathTotals) -> Details {
    let (low, high) = stats::wilson95(lost, sent);
    let mean_burst = if totals.bursts > 0 { stats::ratio(totals.lost, totals.bursts) } else { 1.0 };
    let cause = match stats::Gilbert::of_runs(totals.delivered, totals.lost, totals.bursts).bursty() {
        None => LossCause::Unknown,
        Some(true) => LossCause::Bursty,
        Some(false) => LossCause::Random,
    };
    Details::Loss { sent, lost, ratio: stats::ratio(lost, sent), ci95: [low, high], mean_burst, cause }
}

fn packet_loss(
    session: &Session,
    up: usize,
    down: usize,
    direction: Direction,
    totals: &PathTotals,
) -> Option<Finding> {
    let (_, to) = ends(session, up, down, direction);
    let suspect = session.points[to].is_suspect();
    let (sent, lost) = totals.countable(suspect);
    if lost == 0 {
        return None;
    }
    let ratio = stats::ratio(lost, sent);
    let severity = match ratio {
        _ if lost < LEAST_LOST || ratio < WARNING_FROM => Severity::Info,
        _ if ratio < ERROR_FROM => Severity::Warning,
        _ => Severity::Error,
    };
    // A loss that no other copy of the octets confirms rests on the receiver's silence alone.
    let confidence = match (suspect, totals.lost_unconfirmed >= totals.lost) {
        (true, _) => Confidence::Likely,
        (false, true) => Confidence::Strong,
        (false, false) => Confidence::Proven,
    };
    let (low, high) = stats::wilson95(lost, sent);
    let sentence = format!(
        "{lost} of {sent} segments were lost {}: {:.2} % (95 % interval {:.2} to {:.2} %), in {} of {}.",
        wording::direction(direction),
        ratio * 100.0,
        low * 100.0,
        high * 100.0,
        totals.losing_count,
        wording::count(totals.connections, "connection", "connections"),
    );
    Some(finding(
        session,
        Code::PacketLoss,
        severity,
        confidence,
        (up, down, direction),
        totals,
        (sent, lost),
        sentence,
    ))
}

fn asymmetric_loss(
    session: &Session,
    up: usize,
    down: usize,
    direction: Direction,
    totals: &PathTotals,
    back: &PathTotals,
) -> Option<Finding> {
    let (from, to) = ends(session, up, down, direction);
    // Where one end's capture alone is weak, only its losses are left out: the two are not alike then.
    if session.points[to].is_suspect() != session.points[from].is_suspect() {
        return None;
    }
    let (sent, lost) = totals.countable(session.points[to].is_suspect());
    let (sent_back, lost_back) = back.countable(session.points[from].is_suspect());
    if lost < LEAST_LOST || sent_back == 0 {
        return None;
    }
    let (here, there) = (stats::ratio(lost, sent), stats::ratio(lost_back, sent_back));
    if here - there < LEAST_DIFFERENCE || !stats::differ(lost, sent, lost_back, sent_back) {
        return None;
    }
    let suspect = session.points[to].is_suspect() || session.points[from].is_suspect();
    let confidence = if suspect { Confidence::Likely } else { Confidence::Proven };
    let sentence = format!(
        "Loss {} is {:.2} %, {} it is {:.2} %: more than chance explains.",
        wording::direction(direction),
        here * 100.0,
        wording::direction(direction.reversed()),
        there * 100.0,
    );
    let place = (up, down, direction);
    Some(finding(
        session,
        Code::AsymmetricLoss,
        Severity::Error,
        confidence,
        place,
        totals,
        (sent, lost),
        sentence,
    ))
}

#[expect(clippy::too_many_arguments, reason = "the parts of a finding that its two kinds do not share")]
fn finding(
    session: &Session,
    code: Code,
    severity: Severity,
    confidence: Confidence,
    (up, down, direction): (usize, usize, Direction),
    totals: &PathTotals,
    (sent, lost): (u64, u64),
    sentence: String,
) -> Finding {
    let (from, to) = ends(session, up, down, direction);
    let mut evidence: Vec<Evidence> = totals
        .evidence
        .iter()
        .map(|&(at, packet, len, ip_len)| Evidence {
            capture_point: session.points[from].label.clone(),
            packet: Some(packet),
            at: Some(ReportTime(at)),
            event: EvidenceEvent::Sent,
            summary: super::describe_segment(len, ip_len),
        })
        .collect();
    evidence.push(Evidence {
        capture_point: session.points[to].label.clone(),
        packet: None,
        at: None,
        event: EvidenceEvent::NeverReceived,
        summary: "none of them".to_owned(),
    });
    let reference = |at: Option<i64>| at.map(|at| ReportTime(session.to_reference(from, at)));
    Finding {
        id: String::new(),
        code,
        severity,
        confidence,
        location: path_of(direction),
        direction: Some(direction),
        toward: None,
        connections: totals.losing.iter().map(|number| format!("c{number}")).collect(),
        connection_count: totals.losing_count,
        count: lost,
        first_at: reference(totals.first_at),
        last_at: reference(totals.last_at),
        sentence,
        details: details(sent, lost, totals),
        evidence,
        alternatives: vec![wording::HOST_EDGE.to_owned()],
        next_step: wording::next_step(code).to_owned(),
    }
}
