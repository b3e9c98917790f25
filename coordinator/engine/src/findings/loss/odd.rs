//! `reordering`, `duplication` and `spurious-retransmission`: segments that arrived otherwise than once and in order.

use super::draft::{Draft, Place};
use super::inside;
use super::totals::Causes;
use crate::findings::view::path_of;
use crate::findings::{Odds, wording};
use crate::stats;
use correlate_proto::report::{Code, Confidence, Details, Finding, Location, Severity};

/// Segments that others overtook.
pub(super) fn reordering(place: &Place<'_>) -> Option<Finding> {
    let totals = place.totals;
    let (delivered, _) = totals.delivered_and_lost();
    let (reordered, largest_extent) = (totals.reordered, totals.largest_extent);
    if reordered == 0 {
        return None;
    }
    let ratio = stats::ratio(reordered, delivered);
    let sentence = format!(
        "{reordered} of {delivered} segments arrived {} behind some that were sent after them: {:.2} %, up to {} \
         late, {}.",
        place.way(),
        ratio * 100.0,
        wording::count(largest_extent, "place", "places"),
        place.share(&totals.reordering),
    );
    Some(place.finding(Draft {
        code: Code::Reordering,
        severity: Severity::Info,
        confidence: Confidence::Proven,
        location: path_of(place.direction),
        cases: &totals.reordering,
        count: reordered,
        sentence,
        details: Details::Reordering { delivered, reordered, ratio, largest_extent },
        absent: None,
        alternatives: vec![
            "the receiving host's queues changed the order before its capture point".to_owned(),
        ],
    }))
}

/// Segments that arrived twice and were sent once.
pub(super) fn duplication(place: &Place<'_>) -> Option<Finding> {
    let totals = place.totals;
    let sender = &place.session.points[place.ends().0];
    let likely = if place.sender_is_suspect() { 0 } else { totals.duplicated_or_missed };
    let (delivered, _) = totals.delivered_and_lost();
    let duplicated = totals.duplicated + likely;
    if duplicated == 0 {
        return None;
    }
    let confidence = if totals.duplicated > 0 {
        Confidence::Proven
    } else {
        Odds::of_absence(sender, likely).grade(likely, delivered)
    };
    let ratio = stats::ratio(duplicated, delivered);
    let sentence = format!(
        "{} a second time {} though sent once: {:.2} % of {delivered}, {}.",
        wording::count(duplicated, "segment arrived", "segments arrived"),
        place.way(),
        ratio * 100.0,
        place.share(&totals.duplicating),
    );
    Some(place.finding(Draft {
        code: Code::Duplication,
        severity: Severity::Info,
        confidence,
        location: path_of(place.direction),
        cases: &totals.duplicating,
        count: duplicated,
        sentence,
        details: Details::Duplication { delivered, duplicated, ratio },
        absent: None,
        alternatives: vec![
            "the receiving host shows some frames twice: a mirrored port, a bond or a bridge".to_owned(),
        ],
    }))
}

/// Segments that were sent again though they had arrived.
pub(super) fn spurious(place: &Place<'_>) -> Option<Finding> {
    let totals = place.totals;
    // What had arrived at the host and was lost inside it was not sent again in vain.
    let stopped = inside::on_arrival(place).map_or(0, |stopped| stopped.wire);
    let spurious = totals.spurious.saturating_sub(stopped);
    if spurious == 0 {
        return None;
    }
    let causes = if stopped == 0 { totals.causes } else { Causes::default() };
    let unknown = spurious.saturating_sub(causes.sum());
    let why = [
        (causes.reordering, "an earlier copy had been overtaken"),
        (causes.ack_loss, "the ACKs were lost or late on the way back"),
        (causes.tail_probe, "the sender probed for the end of its data before the ACK could come"),
        (causes.delay, "the earlier copy or its ACK was delayed"),
        (unknown, "of something that is not known"),
    ];
    let why: Vec<String> = why
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} because {why}"))
        .collect();
    let sentence = format!(
        "{} again {} though everything in it had arrived: {}, {}.",
        wording::count(spurious, "segment was sent", "segments were sent"),
        place.way(),
        why.join(", "),
        place.share(&totals.repeating),
    );
    Some(place.finding(Draft {
        code: Code::SpuriousRetransmission,
        severity: Severity::Info,
        confidence: Confidence::Proven,
        location: Location::Unknown,
        cases: &totals.repeating,
        count: spurious,
        sentence,
        details: Details::Spurious {
            spurious,
            reordering: causes.reordering,
            ack_loss: causes.ack_loss,
            tail_probe: causes.tail_probe,
            delay: causes.delay,
            unknown,
        },
        absent: None,
        alternatives: Vec::new(),
    }))
}
