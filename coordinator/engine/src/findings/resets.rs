//! Resets: real ones, lost ones, forged ones (ALGORITHMS §3).

use super::view::{host_of, path_of};
use super::{Odds, Sighting, Symptom, Told, View, idle, wording};
use crate::connection::{RstSeen, SentState};
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, Details, EvidenceEvent, Location, Severity, Toward};

/// Resets are far more often real than forged: 15 to 25 % of connections carry one (M. Arlitt, C. Williamson, "An
/// analysis of TCP reset behaviour on the Internet", CCR 35 (2005) 37). So one of which nothing else is odd must be
/// proven absent by more than this.
const USUALLY_REAL: f64 = -4.5;

/// A host that sent, or got, a reset has no more to say on the connection (ALGORITHMS §3.2).
const WENT_ON: f64 = 8.0;

/// Resets of one connection that arrive at both ends, neither sent by the other (ALGORITHMS §3.2: two-sided kill), and
/// that only one of the two is as rare as [`USUALLY_REAL`] has it.
const BOTH_AT_ONCE: Odds = Odds::of(10.0 - USUALLY_REAL);

/// An identification that goes on from the nominal sender's last packet is chance once in 4,096: ln 4,096.
const ID_CONTINUES: f64 = -8.3;

/// Checks the resets of an established connection; those that answer a SYN are the handshake's.
pub(super) fn check(view: &View<'_>, symptoms: &mut Vec<Symptom>) {
    let forged: Vec<&RstSeen> =
        Direction::BOTH.iter().filter_map(|&direction| forged_reset(view, direction)).collect();
    if !forged.is_empty() {
        symptoms.push(injected(view, &forged));
        return;
    }
    for direction in Direction::BOTH {
        symptoms.extend(lost(view, direction));
        symptoms.extend(genuine(view, direction));
    }
}

fn resets_at<'a>(
    view: &View<'a>,
    direction: Direction,
    at_sender: bool,
) -> impl Iterator<Item = &'a RstSeen> {
    let sender = view.connection.sender_position(direction);
    view.connection
        .resets
        .iter()
        .filter(move |reset| reset.direction == direction && (reset.position == sender) == at_sender)
        .filter(|reset| !reset.answers_syn)
}

/// A RST that arrived from `direction`'s sender, which never sent one.
fn forged_reset<'a>(view: &View<'a>, direction: Direction) -> Option<&'a RstSeen> {
    if !view.connection.is_paired() || resets_at(view, direction, true).next().is_some() {
        return None;
    }
    // RFC 9293 §3.10.7.3: who is answered for a connection that it does not know resets that one, and asks again.
    let [asked, called] = [direction, direction.reversed()].map(|direction| view.log_at_sender(direction));
    let challenged = asked.challenge.is_some() || called.challenge.is_some();
    if challenged && view.connection.opened() == Some(direction) {
        return None;
    }
    let reset = resets_at(view, direction, false).find(|reset| reset.state == SentState::OneEnded)?;
    (!reset.after_close).then_some(reset)
}

fn injected(view: &View<'_>, forged: &[&RstSeen]) -> Symptom {
    let both = forged.len() == 2;
    let first = forged.iter().min_by_key(|reset| reset.packet.at).copied().unwrap_or(forged[0]);
    let toward = match (both, first.direction) {
        (true, _) => Toward::Both,
        (false, Direction::ClientToServer) => Toward::Server,
        (false, Direction::ServerToClient) => Toward::Client,
    };
    let odds = forged.iter().map(|reset| weigh(view, reset));
    // Each end's capture would have to lack the RST that it sent, at the same time.
    let odds = if both { odds.fold(BOTH_AT_ONCE, Odds::and) } else { odds.fold(Odds::none(), Odds::better) };
    if let Some(forgotten) = forged.iter().find_map(|reset| idle::reset(view, reset, odds)) {
        return forgotten;
    }
    let details = Details::Injected {
        ttl: first.ttl,
        usual_ttl: first.usual_ttl,
        idle_ms: first.idle_ns / 1_000_000,
        both_ends: both,
        in_path: in_path(view, first),
    };
    let mut evidence = Vec::new();
    for reset in forged {
        let ttl = reset
            .usual_ttl
            .map_or_else(String::new, |usual| format!(", where the peer's packets have TTL {usual}"));
        evidence.push(Sighting::of(
            reset.packet,
            EvidenceEvent::Received,
            format!("RST, TTL {}{ttl}", reset.ttl),
        ));
        let nominal = view.receiving_point(reset.direction.reversed());
        let expected = view.expected_at(&reset.packet, nominal);
        evidence.push(Sighting::absent(nominal, expected, EvidenceEvent::NeverSent, "that RST"));
    }
    let symptom = Symptom::new(
        Code::RstInjected,
        Severity::Error,
        Confidence::Proven,
        Location::PathDevice,
        say_injected,
    )
    .weighed(odds, view.session.opened)
    .with_details(details)
    .with_evidence(evidence);
    let mut symptom = symptom.or_else(
        "the nominal sender's own packet filter or network card made the RST behind its capture point",
    );
    symptom.toward = Some(toward);
    symptom.direction = (!both).then_some(first.direction);
    symptom
}

/// What speaks for a forgery (ALGORITHMS §3.2).
fn weigh(view: &View<'_>, reset: &RstSeen) -> Odds {
    let Some(sender) = view.connection.sender(reset.direction) else {
        return Odds::none();
    };
    let suspect = view.point(sender).is_suspect();
    let mut grounds = 0.0;
    if went_on(view, reset, reset.direction, 0) {
        grounds += WENT_ON;
    }
    grounds += match reset.usual_ttl.map(|usual| usual.abs_diff(reset.ttl)) {
        None | Some(0) => 0.0,
        Some(1) => 2.0,
        Some(_) => 5.0,
    };
    // A stateless RST of Linux has no timestamps and IP ID 0, so their lack tells little, and nothing where the
    // sender's capture may just lack the packet.
    if !suspect {
        grounds += if reset.timestamps_fit { 0.0 } else { 2.0 } + if reset.seq_fits { 0.0 } else { 4.0 };
    }
    let prior = if grounds > 0.0 { 0.0 } else { USUALLY_REAL };
    let continues = if reset.id_continues { ID_CONTINUES } else { 0.0 };
    Odds::of_absence(view.point(sender), 1).plus(grounds + continues + prior)
}

/// Whether the host where `direction` begins sent anything there later than `grace` after the moment, by its clock, at
/// which `reset`, seen at the other end, was at the latest: it knew nothing of a reset.
fn went_on(view: &View<'_>, reset: &RstSeen, direction: Direction, grace: i64) -> bool {
    let (Some(host), Some(other)) = (view.connection.sender(direction), view.connection.receiver(direction))
    else {
        return false;
    };
    let (_, latest) = view.translate(reset.packet.at, other, host);
    let last = host.half(direction).last;
    last.is_some_and(|last| {
        last.at > latest.saturating_add(grace) && !view.is_doubtful(&[last, reset.packet])
    })
}

/// Whether packets sent after the RST still passed: then the device stands beside the path.
fn in_path(view: &View<'_>, reset: &RstSeen) -> Option<bool> {
    let mut blocked = None;
    for hop in &view.connection.hops {
        for direction in Direction::BOTH {
            let tally = &hop.tallies[direction.index()];
            let sender = view.connection.sender(direction)?;
            let receiver = view.connection.receiver(direction)?;
            let after = if reset.packet.point == sender.point {
                reset.packet.at
            } else {
                view.translate(reset.packet.at, receiver, sender).1
            };
            if tally.last_delivered_at.is_some_and(|at| at > after) {
                return Some(false);
            }
            if tally.trailing.is_some_and(|run| run.last_at > after) {
                blocked = Some(true);
            }
        }
    }
    blocked
}

/// A RST that left and never arrived, with nothing else to tell the peer.
fn lost(view: &View<'_>, direction: Direction) -> Option<Symptom> {
    let sent: Vec<&RstSeen> = resets_at(view, direction, true).collect();
    let arrived = resets_at(view, direction, false).next().is_some();
    let first = *sent.first()?;
    let gone = sent.iter().any(|reset| reset.state == SentState::OneEnded)
        && sent.iter().all(|reset| reset.state != SentState::Matched);
    let peer_reset_too = resets_at(view, direction.reversed(), true).next().is_some();
    if arrived || !gone || first.after_close || peer_reset_too {
        return None;
    }
    let receiver = view.connection.receiver(direction)?;
    let count = u64::try_from(sent.len()).unwrap_or(u64::MAX);
    let expected = view.expected_at(&first.packet, receiver.point);
    let evidence = vec![
        Sighting::of(first.packet, EvidenceEvent::Sent, "RST"),
        Sighting::absent(receiver.point, expected, EvidenceEvent::NeverReceived, "that RST"),
    ];
    let symptom =
        Symptom::new(Code::RstLost, Severity::Warning, Confidence::Strong, path_of(direction), |told| {
            format!(
                "{} {} {} and never arrived: the peer stays half-open, in {}.{}",
                wording::count(told.sent, "RST", "RSTs"),
                if told.worst.note.is_empty() { "left" } else { "set out" },
                told.way(),
                told.of,
                told.worst.note
            )
        });
    let odds = Odds::of_absence(view.point(receiver), count);
    // It may have been under way for as long as packets are.
    let grace = view.slack(view.connection.sender(direction)?, receiver);
    let knew_nothing = went_on(view, first, direction.reversed(), grace);
    let symptom = symptom
        .counting(count, 0)
        .weighed(if knew_nothing { odds.plus(WENT_ON) } else { odds }, view.session.opened)
        .in_direction(direction)
        .with_evidence(evidence)
        .explaining(direction, count);
    let resets = sent.iter().map(|reset| reset.packet);
    Some(symptom.lost_by(view.lost_inside(direction, resets)))
}

/// A RST that the sender's stack sent in mid-connection.
fn genuine(view: &View<'_>, direction: Direction) -> Option<Symptom> {
    let reset = resets_at(view, direction, true).next()?;
    if reset.after_close {
        return None;
    }
    let (code, host) = match direction {
        Direction::ClientToServer => (Code::ResetByClient, host_of(direction)),
        Direction::ServerToClient => (Code::ResetByServer, host_of(direction)),
    };
    let mut evidence = vec![Sighting::of(reset.packet, EvidenceEvent::Sent, "RST")];
    let arrived = resets_at(view, direction, false).find(|seen| seen.state == SentState::Matched);
    evidence.extend(arrived.map(|seen| Sighting::of(seen.packet, EvidenceEvent::Received, "RST")));
    let received = u64::from(arrived.is_some());
    let symptom =
        Symptom::new(code, Severity::Info, Confidence::Proven, host, say_genuine).counting(1, received);
    Some(symptom.in_direction(direction).with_evidence(evidence))
}

fn say_genuine(told: &Told<'_>) -> String {
    let host = if told.worst.code == Code::ResetByClient { "client" } else { "server" };
    format!("The {host} host's own stack reset the connection in {}.", told.of)
}

fn say_injected(told: &Told<'_>) -> String {
    let whom = match told.worst.toward {
        Some(Toward::Client) => "The client received a RST in the server's name that the server never sent",
        Some(Toward::Server) => "The server received a RST in the client's name that the client never sent",
        Some(Toward::Both) | None => "Both ends received a RST in the other's name that neither sent",
    };
    let Details::Injected { ttl, usual_ttl, idle_ms, .. } = told.worst.details else {
        return format!("{whom}, in {}.", told.of);
    };
    let ttl_note = match usual_ttl {
        Some(usual) if usual != ttl => format!(", with TTL {ttl} where the peer's packets have {usual}"),
        _ => String::new(),
    };
    let idle = if idle_ms >= 1_000 {
        format!(", after {} without a packet", wording::span(idle_ms * 1_000_000))
    } else {
        String::new()
    };
    format!("{whom}{ttl_note}{idle}, in {}.", told.of)
}
