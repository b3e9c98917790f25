//! Findings about one direction of a path, as far as they are alike.

use super::totals::{Cases, EVENTS, PathTotals};
use crate::findings::{describe_segment, host_edge, wording};
use crate::session::Session;
use correlate_proto::Direction;
use correlate_proto::report::{
    Code, Confidence, Details, Evidence, EvidenceEvent, Finding, Location, ReportTime, Severity,
};

/// One direction between two capture points.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) session: &'a Session,
    pub(super) up: usize,
    pub(super) down: usize,
    pub(super) direction: Direction,
    pub(super) totals: &'a PathTotals,
}

/// What findings do not have in common.
pub(super) struct Draft<'a> {
    pub(super) code: Code,
    pub(super) severity: Severity,
    pub(super) confidence: Confidence,
    pub(super) location: Location,
    pub(super) cases: &'a Cases,
    pub(super) count: u64,
    pub(super) sentence: String,
    pub(super) details: Details,
    /// What the receiver's capture lacks, if that is what it is about.
    pub(super) absent: Option<&'static str>,
    pub(super) alternatives: Vec<String>,
}

impl<'a> Place<'a> {
    /// The same two points, the other way.
    pub(super) fn reversed(&self, totals: &'a PathTotals) -> Self {
        Self { direction: self.direction.reversed(), totals, ..*self }
    }

    /// Sending and receiving point.
    pub(super) fn ends(&self) -> (usize, usize) {
        debug_assert!(self.session.points[self.up].position < self.session.points[self.down].position);
        match self.direction {
            Direction::ClientToServer => (self.up, self.down),
            Direction::ServerToClient => (self.down, self.up),
        }
    }

    /// Whether the receiver's capture lacks packets.
    pub(super) fn receiver_is_suspect(&self) -> bool {
        self.session.points[self.ends().1].is_suspect()
    }

    /// Whether the sender's capture lacks packets.
    pub(super) fn sender_is_suspect(&self) -> bool {
        self.session.points[self.ends().0].is_suspect()
    }

    /// The direction in words.
    pub(super) const fn way(&self) -> &'static str {
        wording::direction(self.direction)
    }

    /// "in 3 of 8 connections".
    pub(super) fn share(&self, cases: &Cases) -> String {
        let all = wording::count(self.totals.connections, "connection", "connections");
        format!("in {} of {all}", cases.count)
    }

    /// What else than the path can have dropped what `cases` lack, with what the hosts' counters say of it.
    pub(super) fn host_edge(&self, cases: &Cases) -> String {
        host_edge::alternative(self.session, self.ends(), cases.first_at.zip(cases.last_at))
    }

    /// The finding of `draft`.
    pub(super) fn finding(&self, draft: Draft<'_>) -> Finding {
        let (from, to) = self.ends();
        let label = |point: usize| self.session.points[point].label.clone();
        let mut evidence = Vec::new();
        for shown in draft.cases.shown() {
            let summary = describe_segment(shown.len, shown.ip_len);
            for ((seen, point), event) in [(shown.sent, from), (shown.received, to)].into_iter().zip(EVENTS) {
                evidence.extend(seen.map(|(packet, at)| Evidence {
                    capture_point: label(point),
                    packet: Some(packet),
                    at: Some(ReportTime(at)),
                    event,
                    summary: summary.clone(),
                }));
            }
        }
        evidence.extend(draft.absent.map(|what| Evidence {
            capture_point: label(to),
            packet: None,
            at: None,
            event: EvidenceEvent::NeverReceived,
            summary: what.to_owned(),
        }));
        let by_sender = draft.cases.shown().next().is_none_or(|shown| shown.sent.is_some());
        let clock = if by_sender { from } else { to };
        let reference = |at: Option<i64>| at.map(|at| ReportTime(self.session.to_reference(clock, at)));
        Finding {
            id: String::new(),
            code: draft.code,
            severity: draft.severity,
            confidence: draft.confidence,
            location: draft.location,
            direction: Some(self.direction),
            toward: None,
            connections: draft.cases.connections.iter().map(|number| format!("c{number}")).collect(),
            connection_count: draft.cases.count,
            count: draft.count,
            first_at: reference(draft.cases.first_at),
            last_at: reference(draft.cases.last_at),
            sentence: draft.sentence,
            details: draft.details,
            evidence,
            alternatives: draft.alternatives,
            next_step: wording::next_step(draft.code).to_owned(),
        }
    }
}
