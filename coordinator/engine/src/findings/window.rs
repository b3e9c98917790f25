//! Closed receive windows: a receiver that does not read, and updates that the path lost (ALGORITHMS §6.3).

use super::view::{host_of, path_of};
use super::{Sighting, Symptom, Told, View, wording};
use crate::flow::{Flow, Stall};
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, Details, EvidenceEvent, Severity};

/// A window closed for less than this, or than two round trips, holds nothing up that a reader would notice.
const LEAST_STALL_NS: i64 = 200_000_000;

/// A sender whose update was lost waits for its next probe. One that heard goes on within a round trip; less than this,
/// or than two round trips, cost nothing.
const LEAST_WAIT_NS: i64 = 10_000_000;

/// How long beyond two round trips a sender with data takes to go on once it has heard of the window.
const REACTION_NS: i64 = 100_000_000;

/// Evidence is given of so many stalls of one connection.
const SHOWN: usize = 2;

/// Checks the windows of both directions.
pub(super) fn check(view: &View<'_>, symptoms: &mut Vec<Symptom>) {
    for direction in Direction::BOTH {
        let Some(receiver) = view.connection.receiver(direction) else { continue };
        if receiver.half(direction).window.stalls().is_some() {
            symptoms.extend(zero_window(view, receiver, direction));
            symptoms.extend(update_lost(view, receiver, direction));
        }
    }
}

fn zero_window(view: &View<'_>, receiver: &Flow, direction: Direction) -> Option<Symptom> {
    let round_trip = view.round_trip();
    let (least, soon) = (LEAST_STALL_NS.max(2 * round_trip), 2 * round_trip + REACTION_NS);
    let end = receiver.last.at;
    let stalls = receiver.half(direction).window.stalls()?;
    let mut felt: Vec<&Stall> =
        stalls.all().filter(|stall| stall.closed_ns(end) >= least && stall.was_felt(soon)).collect();
    felt.sort_by_key(|stall| core::cmp::Reverse(stall.closed_ns(end)));
    let longest = *felt.first()?;
    let mut total: i64 = felt.iter().map(|stall| stall.closed_ns(end)).sum();
    let mut count = u64::try_from(felt.len()).unwrap_or(u64::MAX);
    if stalls.others_ns >= i64::try_from(stalls.others).unwrap_or(i64::MAX).saturating_mul(least) {
        (total, count) = (total.saturating_add(stalls.others_ns), count.saturating_add(stalls.others));
    }
    let sender_is_whole =
        view.connection.sender(direction).is_some_and(|sender| !view.point(sender).is_suspect());
    let confidence = match (view.point(receiver).is_suspect(), sender_is_whole) {
        (true, _) => Confidence::Likely,
        (false, false) => Confidence::Strong,
        (false, true) => Confidence::Proven,
    };
    let evidence = felt.iter().take(SHOWN).flat_map(|stall| {
        let closed = Sighting::of(stall.closed, EvidenceEvent::Sent, "ACK that closes the window");
        let opened = stall.opened.map(|opened| Sighting::of(opened, EvidenceEvent::Sent, "window update"));
        core::iter::once(closed).chain(opened)
    });
    let symptom = Symptom::new(
        Code::ZeroWindow,
        Severity::Warning,
        confidence,
        host_of(direction.reversed()),
        say_closed,
    )
    .with_details(details(total, longest.closed_ns(end), count))
    .with_evidence(evidence.collect())
    .in_direction(direction);
    Some(counted(symptom, count).or_else("an application that holds its reading back on purpose"))
}

fn update_lost(view: &View<'_>, receiver: &Flow, direction: Direction) -> Option<Symptom> {
    let round_trip = view.round_trip();
    let (least, soon) = (LEAST_WAIT_NS.max(2 * round_trip), 2 * round_trip + REACTION_NS);
    let end = receiver.last.at;
    let sender = view.connection.sender(direction)?;
    let stalls = receiver.half(direction).window.stalls()?;
    let in_vain =
        |stall: &&Stall| stall.update_lost && stall.was_told_by_probe(soon) && stall.silent_ns(end) >= least;
    let lost: Vec<&Stall> = stalls.all().filter(in_vain).collect();
    let longest = lost.iter().map(|stall| stall.silent_ns(end)).max()?;
    let total = lost.iter().map(|stall| stall.silent_ns(end)).sum();
    let suspect = view.point(sender).is_suspect() || view.point(receiver).is_suspect();
    // The sender's probes show that it did not know, whatever its capture lacks.
    let confidence = if suspect { Confidence::Likely } else { Confidence::Proven };
    let evidence = lost.iter().take(SHOWN).filter_map(|stall| stall.opened).flat_map(|opened| {
        let expected = view.expected_at(&opened, sender.point);
        [
            Sighting::of(opened, EvidenceEvent::Sent, "window update"),
            Sighting::absent(sender.point, expected, EvidenceEvent::NeverReceived, "that window update"),
        ]
    });
    let back = direction.reversed();
    let count = u64::try_from(lost.len()).unwrap_or(u64::MAX);
    let symptom =
        Symptom::new(Code::WindowUpdateLost, Severity::Warning, confidence, path_of(back), say_lost)
            .with_details(details(total, longest, count))
            .with_evidence(evidence.collect())
            .in_direction(back);
    Some(counted(symptom, count).or_else(wording::HOST_EDGE))
}

const fn details(stall_ns: i64, longest_ns: i64, stalls: u64) -> Details {
    Details::Stall { stall_ns, longest_ns, stalls }
}

fn counted(mut symptom: Symptom, count: u64) -> Symptom {
    (symptom.sent, symptom.count) = (count, count);
    symptom
}

fn say_closed(told: &Told<'_>) -> String {
    let host = match told.worst.direction {
        Some(Direction::ServerToClient) => "client",
        Some(Direction::ClientToServer) | None => "server",
    };
    let Details::Stall { stall_ns, longest_ns, stalls } = told.worst.details else {
        return format!("The {host}'s application does not read, in {}.", told.of);
    };
    let times = match stalls {
        1 => String::new(),
        _ => format!(", in {stalls} stalls of at most {}", wording::span(longest_ns)),
    };
    format!(
        "The {host}'s application did not read: its window was closed for {}{times} while the other end had more to \
         send, in {}.",
        wording::span(stall_ns),
        told.of
    )
}

fn say_lost(told: &Told<'_>) -> String {
    let Details::Stall { stall_ns, .. } = told.worst.details else {
        return format!("Window updates were lost {}, in {}.", told.way(), told.of);
    };
    format!(
        "The receiver opened its window again, and the path lost the word of it {}: the sender waited {} for nothing, \
         until it probed, in {}.",
        told.way(),
        wording::span(stall_ns),
        told.of
    )
}
