//! Connections of the two ends that a proxy joins: they are two, with numbers of their own, and nothing can be lost
//! between them (ALGORITHMS §2.5, "Different connections").

use super::{Sighting, Symptom};
use crate::connection::Connection;
use crate::flow::Flow;
use crate::session::Session;
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, EvidenceEvent, Location, Severity};
use std::collections::BTreeMap;

/// A proxy calls the server within this of being called, and of several calls each takes as long to within this.
const CALLS_WITHIN_NS: i64 = 1_000_000_000;

/// Fewer octets than this in a direction agree by chance.
const LEAST_OCTETS: u64 = 100;

/// How many connections that one end alone saw are looked at; of further ones nothing is said.
const MAX_LEGS: usize = 10_000;

/// A connection that one end alone saw, with the octets of payload that it carried each way.
struct Leg<'a> {
    connection: &'a Connection,
    flow: &'a Flow,
    octets: [u64; 2],
    /// On common time, to within a second or so.
    began: i64,
}

/// Which connections of the two ends are the two legs of a proxied one: as many of the same octets both ways at either
/// end, begun in the same order one shortly after the other.
pub(crate) fn legs(session: &Session) -> BTreeMap<u64, Symptom> {
    let (clients, servers) = (by_octets(session, 0), by_octets(session, session.path_len - 1));
    let mut found = BTreeMap::new();
    for (octets, clients) in &clients {
        let Some(servers) = servers.get(octets).filter(|servers| servers.len() == clients.len()) else {
            continue;
        };
        if !follow(clients, servers) {
            continue;
        }
        for (client, server) in clients.iter().zip(servers) {
            let symptom = joined(client, server);
            found.insert(server.connection.number, symptom.clone().with_evidence(Vec::new()));
            found.insert(client.connection.number, symptom);
        }
    }
    found
}

/// The connections that only `position` saw, by the octets that they carried, in the order in which they began.
fn by_octets(session: &Session, position: usize) -> BTreeMap<[u64; 2], Vec<Leg<'_>>> {
    let connections = session.connections.iter().flatten().filter(|connection| !connection.is_paired());
    let legs = connections.filter_map(|connection| Leg::at(session, connection, position)).take(MAX_LEGS);
    let mut found: BTreeMap<[u64; 2], Vec<Leg<'_>>> = BTreeMap::new();
    for leg in legs {
        found.entry(leg.octets).or_default().push(leg);
    }
    for legs in found.values_mut() {
        legs.sort_by_key(|leg| leg.began);
    }
    found
}

impl<'a> Leg<'a> {
    fn at(session: &Session, connection: &'a Connection, position: usize) -> Option<Self> {
        let flow = connection.flows.get(position)?.as_ref()?;
        let opened = flow.opened() == Some(Direction::ClientToServer);
        let octets = Direction::BOTH.map(|direction| flow.half(direction).payload_bytes);
        let whole = session.points[flow.point].missed == 0;
        let telling = octets.iter().all(|&count| count >= LEAST_OCTETS);
        let began = flow.first.at.saturating_add(session.points[flow.point].rough_offset);
        (opened && whole && telling).then_some(Self { connection, flow, octets, began })
    }
}

/// Whether the servers' legs were opened when a proxy that had just been called by the clients' would open them. Where
/// all is proxied the clocks are not known to each other: then all must be as far apart as the one in the middle.
fn follow(clients: &[Leg<'_>], servers: &[Leg<'_>]) -> bool {
    let gaps =
        || clients.iter().zip(servers).map(|(client, server)| server.began.saturating_sub(client.began));
    let mut sorted: Vec<i64> = gaps().collect();
    sorted.sort_unstable();
    let Some(&usual) = sorted.get(sorted.len() / 2) else { return false };
    let near = |gap: i64| gap.saturating_abs() <= CALLS_WITHIN_NS;
    (sorted.len() > 1 || near(usual)) && gaps().all(|gap| near(gap.saturating_sub(usual)))
}

fn joined(client: &Leg<'_>, server: &Leg<'_>) -> Symptom {
    let line = |leg: &Leg<'_>| format!("{} to {}", leg.flow.client(), leg.flow.server());
    let evidence = vec![
        Sighting::of(client.flow.first, EvidenceEvent::Sent, line(client)),
        Sighting::of(server.flow.first, EvidenceEvent::Received, line(server)),
    ];
    let [there, back] = client.octets;
    let symptom =
        Symptom::new(Code::Proxied, Severity::Info, Confidence::Likely, Location::PathDevice, |told| {
            format!(
                "The two ends have connections of their own, joined by a proxy: {}, in {}.",
                told.worst.note, told.of
            )
        });
    symptom
        .with_note(format!(
            "{} at the client and {} at the server carry {there} and {back} octets of payload",
            line(client),
            line(server)
        ))
        .with_evidence(evidence)
        .or_else("two connections that have nothing to do with each other and carry as many octets by chance")
}
