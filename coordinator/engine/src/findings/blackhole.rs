//! One direction of a connection that dies while the other one lives.

use super::view::path_of;
use super::{Odds, Sighting, Symptom, View, idle, wording};
use crate::connection::{PacketRef, Run, Tally};
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, EvidenceEvent, Severity};

/// So many transmissions in a row must be lost at the end of a connection, with none delivered behind them. At
/// 3 % random loss a tail of three is one connection in 37,000.
const LEAST_LOST: u64 = 3;

/// And they must span at least this: a burst that hits one flight is not a dead direction. The least
/// retransmission timeout of Linux.
const LEAST_SPAN_NS: i64 = 200_000_000;

/// So many lost in a row prove it by themselves.
const PROVEN_LOST: u64 = 5;

/// Checks both directions.
pub(super) fn check(view: &View<'_>, symptoms: &mut Vec<Symptom>) {
    let already = symptoms.iter().any(|symptom| symptom.severity == Severity::Error);
    if already || !view.connection.is_paired() {
        return;
    }
    let found: Vec<Symptom> =
        Direction::BOTH.into_iter().filter_map(|direction| dead(view, direction)).collect();
    // A connection is forgotten once, in both directions.
    let forgotten = found.iter().position(|symptom| symptom.code == Code::IdleExpiry);
    match forgotten {
        Some(place) => symptoms.extend(found.into_iter().nth(place)),
        None => symptoms.extend(found),
    }
}

fn dead(view: &View<'_>, direction: Direction) -> Option<Symptom> {
    let hop = view.connection.hops.first()?;
    let (tally, back) = (&hop.tallies[direction.index()], &hop.tallies[direction.reversed().index()]);
    let run = tally
        .trailing
        .filter(|run| run.count >= least(run) && run.last_at - run.first_at >= LEAST_SPAN_NS)?;
    tally.last_delivered_at?;
    let (sender, receiver) = (view.connection.sender(direction)?, view.connection.receiver(direction)?);
    if view.session.was_out(view.connection, direction, &run) {
        return None;
    }
    if let Some(forgotten) = idle::vanished(view, direction, &run) {
        return Some(forgotten);
    }
    let (_, since) = view.translate(run.first_at, sender, receiver);
    let other_way = OtherWay::of(back, since);
    if other_way == OtherWay::Dead {
        return None;
    }
    // Where nothing as large as the smallest of them ever passed, their size may be what is wrong with them.
    let size_is_tried = tally.sizes().iter().any(|seen| seen.ip_len >= run.smallest());
    let at_most = match (other_way, size_is_tried, run.count >= PROVEN_LOST) {
        (OtherWay::Alive, true, true) => Confidence::Proven,
        (OtherWay::Alive, true, false) => Confidence::Strong,
        (_, _, _) => Confidence::Likely,
    };
    let odds = Odds::of_absence(view.point(receiver), run.count);
    let symptom = Symptom::new(Code::OneWayBlackhole, Severity::Error, at_most, path_of(direction), |told| {
        format!(
            "From some packet on nothing passes {}: the last {} were lost, in {}.",
            told.way(),
            wording::count(told.sent, "transmission", "transmissions"),
            told.of
        )
    });
    let symptom = symptom
        .counting(run.count, 0)
        .weighed(odds, view.session.opened)
        .in_direction(direction)
        .with_evidence(evidence(view, tally, &run, sender.point, receiver.point))
        .explaining(direction, run.count);
    let symptom = if size_is_tried {
        symptom
    } else {
        symptom.or_else(
            "packets as large as these never passed, and smaller ones may: nothing smaller was sent since",
        )
    };
    Some(match other_way {
        OtherWay::Untested => {
            symptom.or_else("the other direction may be dead too: nothing was sent there after this one died")
        }
        OtherWay::Alive | OtherWay::Dead => symptom,
    })
}

/// Nothing repeats a bare one until it passes: a few of them at the end are lost as others are.
const fn least(run: &Run) -> u64 {
    if run.is_bare() { PROVEN_LOST } else { LEAST_LOST }
}

fn evidence(view: &View<'_>, tally: &Tally, run: &Run, sender: usize, receiver: usize) -> Vec<Sighting> {
    let lost = tally.lost_kept.iter().filter(|lost| lost.at >= run.first_at).take(3);
    let mut evidence: Vec<Sighting> = lost
        .map(|lost| {
            let packet = PacketRef { at: lost.at, packet: lost.packet, point: sender };
            Sighting::of(packet, EvidenceEvent::Sent, super::describe_segment(lost.len, lost.ip_len))
        })
        .collect();
    let first = PacketRef { at: run.first_at, packet: run.first_packet, point: sender };
    let expected = view.expected_at(&first, receiver);
    evidence.push(Sighting::absent(
        receiver,
        expected,
        EvidenceEvent::NeverReceived,
        "none of them, nor anything later",
    ));
    evidence
}

/// What the opposite direction did after one died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OtherWay {
    Alive,
    Dead,
    Untested,
}

impl OtherWay {
    fn of(back: &Tally, since: i64) -> Self {
        let delivered = back.last_delivered_at.is_some_and(|at| at >= since);
        let lost = back.trailing.is_some_and(|run| run.last_at >= since);
        match (delivered, lost) {
            (true, _) => Self::Alive,
            (false, true) => Self::Dead,
            (false, false) => Self::Untested,
        }
    }
}
