//! Packets above a size vanish, smaller ones pass (ALGORITHMS §4.7, first rule).

use super::view::path_of;
use super::{Odds, Sighting, Symptom, Told, View};
use crate::connection::{Connection, LostRange, PacketRef, Tally};
use crate::session::Session;
use correlate_proto::report::{Code, Confidence, Details, EvidenceEvent, IcmpTooBig, Severity};
use correlate_proto::{Direction, IcmpKind};

/// Some range must be lost so many times: at 3 % random loss that happens to one segment in 37,000, and then
/// packets as large are delivered all around it.
const LEAST_TIMES: u64 = 3;

/// A smaller packet that was delivered so shortly before the first loss belongs to the same burst.
const SAME_BURST_NS: i64 = 50_000_000;

/// A packet of that burst speaks for a limit of size only if it is of a size near one. 576 octets is what every
/// IPv4 host must take (RFC 1122 §3.3.2).
const LEAST_SIZE_BESIDE: u32 = 576;

/// How many connections that lose are compared with all others; one that shows the limit is enough.
const MAX_COMPARED: usize = 64;

/// Checks both directions.
pub(super) fn check(view: &View<'_>, symptoms: &mut Vec<Symptom>) {
    if !view.connection.is_paired() {
        return;
    }
    for direction in Direction::BOTH {
        symptoms.extend(black_hole(view, direction));
    }
}

/// A limit of size that some connection proves for its direction of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SizeLimit {
    largest_delivered: u32,
    smallest_lost: u32,
}

/// The limit that `connection` proves in `direction`: smaller packets passed after the first loss. What others
/// only suggest is read in its light.
pub(crate) fn size_limit(connection: &Connection, direction: Direction) -> Option<SizeLimit> {
    if !connection.is_paired() {
        return None;
    }
    let found = bracket(&connection.hops.first()?.tallies[direction.index()], None)?;
    (found.proof == Proof::PassedSince).then_some(SizeLimit {
        largest_delivered: found.largest_delivered,
        smallest_lost: found.smallest_lost,
    })
}

/// The limit that connections prove together: while one lost a size again and again, smaller packets of others
/// passed, and none as large.
pub(crate) fn shared_size_limit(session: &Session, direction: Direction) -> Option<SizeLimit> {
    let tallies = || {
        let paired = session.connections.iter().flatten().filter(|connection| connection.is_paired());
        paired.filter_map(|connection| {
            let sender = connection.sender(direction)?.point;
            Some((sender, &connection.hops.first()?.tallies[direction.index()]))
        })
    };
    let repeated = tallies().filter_map(|(sender, tally)| Some((sender, lost_again_and_again(tally)?.1)));
    repeated.take(MAX_COMPARED).find_map(|(sender, range)| {
        let passed = tallies().filter(|&(other, _)| other == sender).flat_map(|(_, tally)| tally.sizes());
        let meanwhile =
            passed.filter(|seen| seen.sent_within(range.first_at, range.last_at)).map(|seen| seen.ip_len);
        let largest_delivered = meanwhile.max()?;
        (largest_delivered < range.ip_len)
            .then_some(SizeLimit { largest_delivered, smallest_lost: range.ip_len })
    })
}

/// The smallest range that was lost again and again, and where it starts.
fn lost_again_and_again(tally: &Tally) -> Option<(i64, LostRange)> {
    let often = tally.lost_ranges.iter();
    let often = often.filter(|(_, range)| range.times >= LEAST_TIMES && range.ip_len < u32::MAX);
    often.min_by_key(|(start, range)| (range.ip_len, **start)).map(|(&start, &range)| (start, range))
}

/// What shows that size is what matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// Smaller packets of the connection passed after the first loss.
    PassedSince,
    /// Another connection proves the limit for the path.
    OnThePath,
    /// A smaller packet passed in the same burst.
    Beside,
}

struct Bracket {
    largest_delivered: u32,
    smallest_lost: u32,
    /// The range that was lost most often, and where it starts.
    start: i64,
    range: LostRange,
    proof: Proof,
}

fn bracket(tally: &Tally, known: Option<SizeLimit>) -> Option<Bracket> {
    let (start, range) = lost_again_and_again(tally)?;
    let smallest_lost = range.ip_len;
    let sizes = tally.sizes();
    let as_large = |from: i64, to: i64| {
        sizes.iter().any(|seen| seen.ip_len >= smallest_lost && seen.sent_within(from, to))
    };
    if as_large(range.first_at, i64::MAX) {
        return None;
    }
    let smaller = || sizes.iter().filter(|seen| seen.ip_len < smallest_lost);
    let largest = |from: i64, to: i64, least: u32| {
        smaller()
            .filter(|seen| seen.ip_len >= least && seen.sent_within(from, to))
            .map(|seen| seen.ip_len)
            .max()
    };
    // While it was lost again and again: what passes later may only show that an outage is over.
    let since = largest(range.first_at, range.last_at, 0);
    let burst = range.first_at.saturating_sub(SAME_BURST_NS);
    let beside = largest(burst, range.last_at, LEAST_SIZE_BESIDE);
    // One as large passed as well in that burst: something changed since, and it need not be a limit of size.
    let beside = beside.filter(|_| !as_large(burst, range.first_at));
    // Where small ones are lost as well, the direction is dead for all sizes.
    let all_big = |passes: u32| tally.trailing.is_none_or(|run| run.smallest() > passes);
    let on_the_path =
        known.filter(|limit| limit.smallest_lost <= smallest_lost && all_big(limit.largest_delivered));
    let (largest_delivered, proof) = match (since, on_the_path, beside) {
        (Some(size), _, _) => (size.max(beside.unwrap_or(0)), Proof::PassedSince),
        (None, Some(limit), _) => (limit.largest_delivered.max(beside.unwrap_or(0)), Proof::OnThePath),
        (None, None, Some(size)) if all_big(size) => (size, Proof::Beside),
        (None, None, _) => return None,
    };
    Some(Bracket { largest_delivered, smallest_lost, start, range, proof })
}

fn black_hole(view: &View<'_>, direction: Direction) -> Option<Symptom> {
    let tally = &view.connection.hops.first()?.tallies[direction.index()];
    let found = bracket(tally, view.session.size_limits[direction.index()])?;
    let (sender, receiver) = (view.connection.sender(direction)?, view.connection.receiver(direction)?);
    let at_most = match found.proof {
        Proof::PassedSince | Proof::OnThePath => Confidence::Proven,
        Proof::Beside => Confidence::Likely,
    };
    let (icmp, message) = too_big(view, direction);
    let big = || tally.lost_ranges.values().filter(|range| range.ip_len >= found.smallest_lost);
    let lost_big: u64 = big().map(|range| range.times).sum();
    let mut evidence: Vec<Sighting> = tally
        .lost_kept
        .iter()
        .filter(|lost| lost.start == found.start)
        .take(3)
        .map(|lost| {
            let packet = PacketRef { at: lost.at, packet: lost.packet, point: sender.point };
            Sighting::of(packet, EvidenceEvent::Sent, super::describe_segment(lost.len, lost.ip_len))
        })
        .collect();
    let expected = evidence.first().and_then(|first| {
        view.expected_at(
            &PacketRef { at: first.at?, packet: first.packet?, point: sender.point },
            receiver.point,
        )
    });
    evidence.push(Sighting::absent(receiver.point, expected, EvidenceEvent::NeverReceived, "any copy of it"));
    evidence.extend(message);
    let symptom = Symptom::new(Code::PathMtuBlackhole, Severity::Error, at_most, path_of(direction), say);
    let odds = Odds::of_absence(view.point(receiver), lost_big);
    let symptom = symptom.weighed(odds, view.session.opened);
    let symptom = symptom.with_note(found.range.times.to_string()).with_details(Details::PathMtu {
        largest_delivered_ip_bytes: found.largest_delivered,
        smallest_lost_ip_bytes: found.smallest_lost,
        icmp_too_big: icmp,
    });
    let symptom = symptom
        .in_direction(direction)
        .with_evidence(evidence)
        .explaining(direction, big().map(|range| range.wire).sum());
    Some(match found.proof {
        Proof::PassedSince | Proof::OnThePath => symptom,
        Proof::Beside => symptom.or_else(
            "the direction died altogether just then: nothing smaller was sent after the first loss to tell",
        ),
    })
}

fn say(told: &Told<'_>) -> String {
    let Details::PathMtu { largest_delivered_ip_bytes: passes, smallest_lost_ip_bytes: lost, .. } =
        told.worst.details
    else {
        return String::new();
    };
    format!(
        "IP packets of {lost} bytes are lost each time ({} times) {} while those of {passes} bytes pass, in {}.",
        told.worst.note,
        told.way(),
        told.of
    )
}

/// What became of the router's message (RFC 1191, RFC 8201).
fn too_big(view: &View<'_>, direction: Direction) -> (IcmpTooBig, Option<Sighting>) {
    let sender = view.connection.sender_position(direction);
    let mut messages = view
        .connection
        .icmp
        .iter()
        .filter(|icmp| icmp.quoted == direction && matches!(icmp.error.kind, IcmpKind::TooBig { .. }));
    let Some(message) = messages.next() else { return (IcmpTooBig::NotSeen, None) };
    let text = match message.error.kind {
        IcmpKind::TooBig { mtu } => format!("ICMP too big from {}, MTU {mtu}", message.error.from),
        IcmpKind::PortUnreachable
        | IcmpKind::Prohibited
        | IcmpKind::Unreachable
        | IcmpKind::TimeExceeded
        | IcmpKind::Other => return (IcmpTooBig::NotSeen, None),
    };
    let sighting = Some(Sighting::of(message.packet, EvidenceEvent::Received, text));
    if message.position != sender {
        return (IcmpTooBig::Lost, sighting);
    }
    let went_on = view.connection.hops.first().is_some_and(|hop| {
        let tally = &hop.tallies[direction.index()];
        tally.lost_kept.iter().any(|lost| lost.at > message.packet.at + SAME_BURST_NS)
    });
    (if went_on { IcmpTooBig::Ignored } else { IcmpTooBig::Sent }, sighting)
}
