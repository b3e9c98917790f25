//! Gathers symptoms of single connections into findings: forty connections that lose their SYN-ACK are one.

use super::symptom::{Facts, Symptom};
use super::wording;
use crate::session::Session;
use correlate_proto::Direction;
use correlate_proto::report::{
    Code, Details, Evidence, Finding, Location, ReportTime, Severity, Toward, TranslatedSide,
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
    /// Sums of the packets sent and received that the facts count.
    sent: u64,
    received: u64,
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
        let (sent, received) = match symptom.facts {
            Facts::Counts { sent, received } => (sent, received),
            Facts::Injected { .. }
            | Facts::PathMtu { .. }
            | Facts::Refused { .. }
            | Facts::Translated { .. }
            | Facts::Unpaired { .. } => (1, 0),
        };
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
            first_at: None,
            last_at: None,
        });
        group.connection_count += 1;
        if group.connections.len() < MAX_NAMED {
            group.connections.push(number);
        }
        group.sent += sent;
        group.received += received;
        group.first_at = earliest(group.first_at, first_at);
        group.last_at = latest(group.last_at, last_at);
        for alternative in &symptom.alternatives {
            if !group.worst.alternatives.contains(alternative) {
                group.worst.alternatives.push(alternative.clone());
            }
        }
        if symptom.confidence > group.worst.confidence {
            group.worst.confidence = symptom.confidence;
            group.worst.facts = symptom.facts;
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
        confidence: group.worst.confidence,
        location: key.location,
        direction: key.direction,
        toward: key.toward,
        connections: group.connections.iter().map(|number| format!("c{number}")).collect(),
        connection_count: group.connection_count,
        count: if matches!(group.worst.facts, Facts::Counts { .. }) {
            group.sent
        } else {
            group.connection_count
        },
        first_at: group.first_at.map(ReportTime),
        last_at: group.last_at.map(ReportTime),
        sentence: sentence(key, group, session),
        details: details(key, group),
        evidence: evidence.collect(),
        alternatives: group.worst.alternatives.clone(),
        next_step: wording::next_step(key.code).to_owned(),
    }
}

fn details(key: Key, group: &Group) -> Details {
    match &group.worst.facts {
        Facts::Counts { .. } => Details::Counts { sent: group.sent, received: group.received },
        &Facts::Injected { ttl, usual_ttl, idle_ns, in_path } => Details::Injected {
            ttl,
            usual_ttl,
            idle_ms: idle_ns / 1_000_000,
            both_ends: key.toward == Some(Toward::Both),
            in_path,
        },
        &Facts::PathMtu { largest_delivered, smallest_lost, icmp, .. } => Details::PathMtu {
            largest_delivered_ip_bytes: largest_delivered,
            smallest_lost_ip_bytes: smallest_lost,
            icmp_too_big: icmp,
        },
        Facts::Translated { at_client, at_server } => {
            let side = |&(client, server): &(correlate_proto::Endpoint, correlate_proto::Endpoint)| {
                TranslatedSide { client: client.into(), server: server.into() }
            };
            Details::Translated { client_side: side(at_client), server_side: side(at_server) }
        }
        Facts::Refused { .. } | Facts::Unpaired { .. } => Details::Plain {},
    }
}

fn sentence(key: Key, group: &Group, session: &Session) -> String {
    let of = format!(
        "{} of {}",
        group.connection_count,
        wording::count(session.opened, "connection", "connections")
    );
    let (sent, received) = (group.sent, group.received);
    let way = key.direction.map_or("", wording::direction);
    match (&group.worst.facts, key.code) {
        (_, Code::SynLost) => format!(
            "{} left the client host and none reached the server's capture point, in {of}.",
            wording::count(sent, "SYN", "SYNs")
        ),
        (_, Code::SynAckLost) => format!(
            "{} left and none reached the other end {way}, in {of}.",
            wording::count(sent, "SYN-ACK", "SYN-ACKs")
        ),
        (_, Code::HandshakeAckLost) => {
            format!(
                "The last ACK of the handshake was lost {way} and the SYN-ACK had to be repeated, in {of}."
            )
        }
        (_, Code::SynUnanswered) => format!(
            "{} reached the host and it sent nothing back, in {of}.",
            wording::count(received, "SYN", "SYNs")
        ),
        (_, Code::SynAckIgnored) => format!(
            "{} reached the host that asked and it went on as if none had, in {of}.",
            wording::count(received, "SYN-ACK", "SYN-ACKs")
        ),
        (Facts::Refused { how }, Code::ConnectionRefused) => {
            format!("The called host itself refused with {how}, in {of}.")
        }
        (Facts::Refused { how }, _) => {
            format!(
                "A device on the path refused with {how}; the called host sent nothing of the kind, in {of}."
            )
        }
        (Facts::Injected { ttl, usual_ttl, idle_ns, .. }, _) => {
            injected_sentence(key, *ttl, *usual_ttl, *idle_ns, &of)
        }
        (_, Code::RstLost) => format!(
            "{} left {way} and never arrived: the peer stays half-open, in {of}.",
            wording::count(sent, "RST", "RSTs")
        ),
        (_, Code::ResetByClient) => format!("The client host's own stack reset the connection in {of}."),
        (_, Code::ResetByServer) => format!("The server host's own stack reset the connection in {of}."),
        (&Facts::PathMtu { largest_delivered, smallest_lost, times, .. }, _) => format!(
            "IP packets of {smallest_lost} bytes are lost each time ({times} times) {way} while those of {largest_delivered} bytes pass, in {of}."
        ),
        (_, Code::OneWayBlackhole) => format!(
            "From some packet on nothing passes {way}: the last {} were lost, in {of}.",
            wording::count(sent, "transmission", "transmissions")
        ),
        (Facts::Translated { at_client, at_server }, _) => format!(
            "A device translates addresses: {} to {} at the client is {} to {} at the server, in {of}.",
            at_client.0, at_client.1, at_server.0, at_server.1
        ),
        (Facts::Unpaired { why }, _) => format!("Seen at one end only, in {of}: {why}."),
        (Facts::Counts { .. }, _) => format!("{} in {of}.", key.code),
    }
}

fn injected_sentence(key: Key, ttl: u8, usual_ttl: Option<u8>, idle_ns: i64, of: &str) -> String {
    let whom = match key.toward {
        Some(Toward::Client) => "The client received a RST in the server's name that the server never sent",
        Some(Toward::Server) => "The server received a RST in the client's name that the client never sent",
        Some(Toward::Both) | None => "Both ends received a RST in the other's name that neither sent",
    };
    let ttl_note = match usual_ttl {
        Some(usual) if usual != ttl => format!(", with TTL {ttl} where the peer's packets have {usual}"),
        _ => String::new(),
    };
    let idle = if idle_ns >= 1_000_000_000 {
        format!(", after {} without a packet", wording::span(idle_ns))
    } else {
        String::new()
    };
    format!("{whom}{ttl_note}{idle}, in {of}.")
}
