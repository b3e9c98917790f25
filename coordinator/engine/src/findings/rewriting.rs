//! Sequence numbers that a device shifts, and SACK blocks that it forgets.

use super::{Sighting, Symptom, View, wording};
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, Details, EvidenceEvent, Location, Severity};

/// So many packets with forgotten blocks admit no other explanation; fewer may be damaged ones.
const LEAST_PROVEN: u64 = 3;

/// Checks how the ends number octets.
pub(super) fn check(view: &View<'_>, symptoms: &mut Vec<Symptom>) {
    for hop in 0..view.connection.hops.len() {
        symptoms.extend(shifted(view, hop));
        for direction in Direction::BOTH {
            symptoms.extend(forgotten(view, hop, direction));
        }
    }
}

fn shifted(view: &View<'_>, hop: usize) -> Option<Symptom> {
    let added = Direction::BOTH.map(|way| view.connection.rewritten_by(hop, way).unwrap_or(0));
    let direction = *Direction::BOTH.iter().find(|way| added[way.index()] != 0)?;
    let (up, down) = (view.connection.flows[hop].as_ref()?, view.connection.flows[hop + 1].as_ref()?);
    let mut evidence = Vec::new();
    for flow in [up, down] {
        let isn = flow.half(direction).isn;
        let what = isn.map_or_else(
            || "first packet of the connection here".to_owned(),
            |isn| format!("numbers {} start at {}", wording::direction(direction), isn.0),
        );
        let event =
            if flow.first.packet == up.first.packet { EvidenceEvent::Sent } else { EvidenceEvent::Received };
        evidence.push(Sighting::of(flow.first, event, what));
    }
    let parts = Direction::BOTH.iter().filter(|way| added[way.index()] != 0);
    let note: Vec<String> =
        parts.map(|&way| format!("{} {}", added[way.index()], wording::direction(way))).collect();
    let [client_to_server, server_to_client] = added;
    let symptom = Symptom::new(
        Code::SequenceRewritten,
        Severity::Info,
        Confidence::Proven,
        Location::PathDevice,
        |told| {
            format!(
                "A device rewrites sequence numbers: those at the server are greater by {} (modulo 2^32), in {}.",
                told.worst.note, told.of
            )
        },
    );
    let details = Details::Shifted { client_to_server, server_to_client };
    Some(symptom.with_note(note.join(" and by ")).with_details(details).with_evidence(evidence))
}

/// SACK blocks in `direction` that speak of octets which were never sent, as the device forgot to shift them.
fn forgotten(view: &View<'_>, hop: usize, direction: Direction) -> Option<Symptom> {
    let sacks = view.connection.hops[hop].changes[direction.index()].sacks()?;
    let count = sacks.forgotten.count();
    if count == 0 || sacks.shifted >= count {
        return None;
    }
    let confidence = if count >= LEAST_PROVEN { Confidence::Proven } else { Confidence::Strong };
    let evidence = sacks.forgotten.iter().take(4).map(|&(packet, left)| {
        let what = format!("ACK with a SACK block from {}, which was never sent", left.0);
        Sighting::of(packet, EvidenceEvent::Received, what)
    });
    let symptom = Symptom::new(
        Code::SackNotRewritten,
        Severity::Error,
        confidence,
        Location::PathDevice,
        |told| {
            format!(
                "A device rewrites sequence numbers and forgets the SACK blocks {}: {} what was never sent, in {}.",
                told.way(),
                told.worst.note,
                told.of
            )
        },
    );
    let mut symptom = symptom
        .in_direction(direction)
        .with_note(wording::count(count, "ACK speaks of", "ACKs speak of"))
        .with_details(Details::Sack { forgotten: count, shifted: sacks.shifted })
        .with_evidence(evidence.collect());
    symptom.count = count;
    Some(symptom)
}
