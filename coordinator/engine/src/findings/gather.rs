//! Gathers symptoms of single connections into findings: forty connections that lose their SYN-ACK are one.

use super::Odds;
use super::inside_host;
use super::symptom::{Symptom, Told};
use super::wording;
use crate::session::Session;
use correlate_proto::Direction;
use correlate_proto::report::{
    Code, Confidence, Details, Evidence, Finding, Location, ReportTime, Severity, Toward,
};
use std::collections::BTreeMap;

/// How many connections a finding names, and how many pieces of evidence it shows.
const MAX_NAMED: usize = 100;
const MAX_EVIDENCE: usize = 12;

/// Symptoms with the same key are one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    code: Code,
    severity: Severity,
    location: Location,
    direction: Option<Direction>,
    toward: Option<Toward>,
}

/// Symptoms of one kind.
#[derive(Debug, Clone)]
struct Group {
    worst: Symptom,
    connections: Vec<u64>,
    connection_count: u64,
    /// Sums over all of them.
    sent: u64,
    received: u64,
    count: u64,
    /// Of all of them together; `None` if one of them is not graded by odds.
    odds: Option<Odds>,
    first_at: Option<i64>,
    last_at: Option<i64>,
}

/// All symptoms of a session, gathered.
#[derive(Debug, Default)]
pub(crate) struct Symptoms {
    groups: BTreeMap<Key, Group>,
}

impl Symptoms {
    /// Adds a symptom of connection `number`, whose first packet is `first_at` and whose last is `last_at` on the
    /// reference clock.
    pub(crate) fn add(&mut self, number: u64, symptom: Symptom, first_at: Option<i64>, last_at: Option<i64>) {
        let key = Key {
            code: symptom.code,
            severity: symptom.severity,
            location: symptom.location,
            direction: symptom.direction,
            toward: symptom.toward,
        };
        let group = self.groups.entry(key).or_insert_with(|| Group {
            worst: Symptom { evidence: Vec::new(), ..symptom.clone() },
            connections: Vec::new(),
            connection_count: 0,
            sent: 0,
            received: 0,
            count: 0,
            odds: None,
            first_at: None,
            last_at: None,
        });
        group.odds = match (group.odds, symptom.odds) {
            (None, odds) if group.connection_count == 0 => odds,
            (Some(sum), Some(odds)) => Some(sum.and(odds)),
            _ => None,
        };
        group.worst.at_most = group.worst.at_most.max(symptom.at_most);
        group.connection_count += 1;
        if group.connections.len() < MAX_NAMED {
            group.connections.push(number);
        }
        group.sent += symptom.sent;
        group.received += symptom.received;
        group.count += symptom.count;
        group.first_at = earliest(group.first_at, first_at);
        group.last_at = latest(group.last_at, last_at);
        for alternative in &symptom.alternatives {
            if !group.worst.alternatives.contains(alternative) {
                group.worst.alternatives.push(alternative.clone());
            }
        }
        if symptom.confidence > group.worst.confidence {
            group.worst.confidence = symptom.confidence;
            group.worst.details = symptom.details;
            group.worst.note = symptom.note;
        }
        let room = MAX_EVIDENCE.saturating_sub(group.worst.evidence.len());
        if group.worst.evidence.is_empty() || symptom.evidence.len() <= room {
            group.worst.evidence.extend(symptom.evidence);
        }
    }

    /// The findings so far; their ids are given later.
    pub(crate) fn findings(&self, session: &Session) -> Vec<Finding> {
        self.groups.iter().map(|(&key, group)| finding(key, group, session)).collect()
    }

    /// Whether there is a symptom of one of these codes.
    pub(crate) fn has(&self, codes: &[Code]) -> bool {
        self.groups.keys().any(|key| codes.contains(&key.code))
    }
}

/// What to do next: where packets died inside the host that sent them, to look there.
const fn next_step(key: Key) -> &'static str {
    match (key.code, key.location) {
        (Code::SynLost | Code::SynAckLost | Code::RstLost, Location::ClientHost | Location::ServerHost) => {
            inside_host::NEXT_STEP
        }
        (code, _) => wording::next_step(code),
    }
}

fn earliest(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.into_iter().chain(b).min()
}

fn latest(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.max(b)
}

fn finding(key: Key, group: &Group, session: &Session) -> Finding {
    let evidence = group.worst.evidence.iter().take(MAX_EVIDENCE).map(|sighting| Evidence {
        capture_point: session.points[sighting.point].label.clone(),
        packet: sighting.packet,
        at: sighting.at.map(ReportTime),
        event: sighting.event,
        summary: sighting.summary.clone(),
    });
    Finding {
        id: String::new(),
        code: key.code,
        severity: key.severity,
        confidence: confidence(group, session),
        location: key.location,
        direction: key.direction,
        toward: key.toward,
        connections: group.connections.iter().map(|number| format!("c{number}")).collect(),
        connection_count: group.connection_count,
        count: group.count,
        first_at: group.first_at.map(ReportTime),
        last_at: group.last_at.map(ReportTime),
        sentence: sentence(group, session),
        details: details(group),
        evidence: evidence.collect(),
        alternatives: group.worst.alternatives.clone(),
        next_step: next_step(key).to_owned(),
    }
}

/// The best that a single connection gives, or all of them together.
fn confidence(group: &Group, session: &Session) -> Confidence {
    let together = group.odds.map(|odds| odds.grade(group.connection_count, session.opened));
    let together = together.map(|grade| grade.min(group.worst.at_most));
    together.map_or(group.worst.confidence, |grade| grade.max(group.worst.confidence))
}

fn details(group: &Group) -> Details {
    if matches!(group.worst.details, Details::Counts { .. }) {
        Details::Counts { sent: group.sent, received: group.received }
    } else {
        group.worst.details.clone()
    }
}

fn sentence(group: &Group, session: &Session) -> String {
    let all = wording::count(session.opened, "connection", "connections");
    let told = Told {
        worst: &group.worst,
        sent: group.sent,
        received: group.received,
        of: format!("{} of {all}", group.connection_count),
    };
    (group.worst.say)(&told)
}
