//! `ack-loss`: pure ACKs that were lost and are no part of a `packet-loss`.

use super::draft::{Draft, Place};
use super::inside;
use super::packets::are_apart;
use super::totals::{Completeness, Counts};
use crate::findings::Odds;
use crate::findings::view::path_of;
use crate::stats;
use correlate_proto::report::{Code, Confidence, Details, Finding, Severity};

/// Where the receiver's capture lacks packets, so many standard errors more must be missing from it than it lacks.
const BEYOND: f64 = 5.0;

/// Pure ACKs lost in one direction.
pub(super) fn ack_loss(place: &Place<'_>, completeness: &Completeness) -> Option<Finding> {
    let suspect = place.receiver_is_suspect();
    let receiver = place.ends().1;
    let acks = if suspect {
        let unseen = place.totals.unseen_acks();
        let (beyond, error) = completeness.at(receiver).beyond(unseen);
        let lost = if beyond > BEYOND * error { stats::whole(beyond) } else { 0 };
        Counts { sent: unseen.sent, lost }
    } else {
        place.totals.countable_acks(false)
    };
    let others = place.totals.countable_others(suspect);
    let is_packet_loss = others.lost > 0 && !are_apart(others, acks);
    if acks.lost == 0 || is_packet_loss {
        return None;
    }
    let (low, high) = stats::wilson95(acks.lost, acks.sent);
    let confidence = if suspect {
        Confidence::Likely
    } else {
        Odds::of_absence(&place.session.points[receiver], acks.lost).grade(acks.lost, acks.sent)
    };
    let about = if suspect { "About " } else { "" };
    let sentence = format!(
        "{about}{} of {} pure ACKs were lost {}: {:.2} % (95 % interval {:.2} to {:.2} %), {}.",
        acks.lost,
        acks.sent,
        place.way(),
        acks.ratio() * 100.0,
        low * 100.0,
        high * 100.0,
        place.share(&place.totals.losing_acks),
    );
    let Counts { sent, lost } = acks;
    let finding = place.finding(Draft {
        code: Code::AckLoss,
        severity: Severity::Info,
        confidence,
        location: path_of(place.direction),
        cases: &place.totals.losing_acks,
        count: lost,
        sentence,
        details: Details::AckLoss { sent, lost, ratio: acks.ratio(), ci95: [low, high] },
        absent: Some("none of them"),
        alternatives: vec![place.host_edge(&place.totals.losing_acks)],
    });
    Some(match inside::on_sending(place, &place.totals.losing_acks) {
        Some(stopped) => stopped.tell(finding),
        None => finding,
    })
}
