//! Connections that a device forgot while they were idle: what comes after the silence vanishes, or is answered by a
//! RST that no host sent (ALGORITHMS §4.7, fifth rule; §3.4).

use super::{Odds, Sighting, Symptom, Told, View, wording};
use crate::connection::{RstSeen, Run};
use crate::flow::{Flow, Wake};
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, Details, EvidenceEvent, Location, Severity};

/// A RST that a packet provokes comes within a round trip; with a device that is slow, or a path, within this.
const PROVOKED_WITHIN_NS: i64 = 1_000_000_000;

/// How many other connections are looked at for whether the path still carries.
const MAX_COMPARED: usize = 64;

/// The end of the silence with which `run` begins, if it begins with one.
pub(super) fn woken_by<'a>(sender: &'a Flow, run: &Run) -> Option<&'a Wake> {
    sender.wakes.iter().find(|wake| wake.packet.packet == run.first_packet)
}

/// The connection was silent, and from the first packet on that `direction`'s sender then sent nothing arrived.
pub(super) fn vanished(view: &View<'_>, direction: Direction, run: &Run) -> Option<Symptom> {
    let (sender, receiver) = (view.connection.sender(direction)?, view.connection.receiver(direction)?);
    let wake = woken_by(sender, run)?;
    // With nothing else on the path it may have died meanwhile, whatever the silence.
    if !path_still_carries(view, direction, wake.packet.at) {
        return None;
    }
    let expected = view.expected_at(&wake.packet, receiver.point);
    let evidence = vec![
        Sighting::of(wake.packet, EvidenceEvent::Sent, first_after(wake)),
        Sighting::absent(
            receiver.point,
            expected,
            EvidenceEvent::NeverReceived,
            format!("it, nor the {} that followed", wording::count(run.count - 1, "packet", "packets")),
        ),
    ];
    let symptom = expired(Confidence::Strong, wake, "and what came after never arrived")
        .weighed(Odds::of_absence(view.point(receiver), run.count), view.session.opened)
        .in_direction(direction)
        .with_evidence(evidence)
        .explaining(direction, run.count)
        .or_else("a route or a firewall rule that changed while the connection was silent");
    Some(explain_the_way_back(view, symptom, direction))
}

/// `reset`, which no host sent, was provoked by the first packet after a silence.
pub(super) fn reset(view: &View<'_>, reset: &RstSeen, odds: Odds) -> Option<Symptom> {
    let direction = reset.direction.reversed();
    let flow = view.connection.sender(direction)?;
    let from = reset.packet.at.saturating_sub(PROVOKED_WITHIN_NS);
    let mut wakes = flow.wakes.iter().filter(|wake| flow.direction_of(wake.half) == direction);
    let wake = wakes.rfind(|wake| from <= wake.packet.at && wake.packet.at <= reset.packet.at)?;
    let tally = &view.connection.hops.first()?.tallies[direction.index()];
    if tally.last_delivered_at.is_some_and(|at| at >= wake.packet.at) {
        // The connection was still known: the packet passed.
        return None;
    }
    let receiver = view.connection.receiver(direction)?;
    let nominal = view.expected_at(&reset.packet, receiver.point);
    let evidence = vec![
        Sighting::of(wake.packet, EvidenceEvent::Sent, first_after(wake)),
        Sighting::of(reset.packet, EvidenceEvent::Received, format!("RST, TTL {}", reset.ttl)),
        Sighting::absent(receiver.point, nominal, EvidenceEvent::NeverSent, "that RST"),
    ];
    let lost = tally.trailing.filter(|run| run.first_at >= wake.packet.at).map_or(0, |run| run.count);
    let symptom =
        expired(Confidence::Proven, wake, "and what came after was answered by a RST that no host sent")
            .weighed(odds, view.session.opened)
            .in_direction(direction)
            .with_evidence(evidence)
            .explaining(direction, lost)
            .or_else("the other host's own packet filter made the RST behind its capture point");
    Some(explain_the_way_back(view, symptom, direction))
}

fn first_after(wake: &Wake) -> String {
    format!("first packet after {} of silence", wording::span(wake.idle_ns))
}

fn expired(at_most: Confidence, wake: &Wake, what: &str) -> Symptom {
    Symptom::new(Code::IdleExpiry, Severity::Error, at_most, Location::PathDevice, say)
        .with_details(Details::Idle { idle_ms: wake.idle_ns / 1_000_000 })
        .with_note(what)
}

/// What the other host sent into the void is part of the same.
fn explain_the_way_back(view: &View<'_>, mut symptom: Symptom, direction: Direction) -> Symptom {
    let back = direction.reversed();
    let lost: Option<u64> = view.connection.hops.first().and_then(|hop| {
        let run = hop.tallies[back.index()].trailing?;
        Some(run.count)
    });
    symptom.explains[back.index()].lost = lost.unwrap_or(0);
    symptom
}

fn say(told: &Told<'_>) -> String {
    let Details::Idle { idle_ms } = told.worst.details else { return String::new() };
    format!(
        "A device on the path forgot the connection: it was silent for {}, {}, in {}.",
        wording::span(idle_ms * 1_000_000),
        told.worst.note,
        told.of
    )
}

/// Whether packets of other connections that were sent in `direction` after `at` arrived.
fn path_still_carries(view: &View<'_>, direction: Direction, at: i64) -> bool {
    let Some(sender) = view.connection.sender(direction).map(|flow| flow.point) else { return false };
    let others =
        view.session.connections.iter().flatten().filter(|other| other.number != view.connection.number);
    let here = others.filter(|other| other.sender(direction).is_some_and(|flow| flow.point == sender));
    let tallies = here.filter_map(|other| other.hops.first().map(|hop| &hop.tallies[direction.index()]));
    tallies.take(MAX_COMPARED).any(|tally| tally.last_delivered_at.is_some_and(|passed| passed > at))
}
