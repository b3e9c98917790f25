//! `packet-loss` and `asymmetric-loss`, and the path's own counts.

use super::cause::{self, Shape};
use super::draft::{Draft, Place};
use super::inside;
use super::totals::{Cases, Completeness, Counts};
use crate::delay::queueing_of;
use crate::findings::Odds;
use crate::findings::view::path_of;
use crate::stats;
use correlate_proto::report::{Code, Confidence, Details, Finding, LossCause, PathReport, Severity};

/// Fewer lost segments than this are worth no more than a note.
const LEAST_LOST: u64 = 3;

/// Loss ratios from which it is a warning, and an error.
const WARNING_FROM: f64 = 0.001;
const ERROR_FROM: f64 = 0.01;

/// Two directions differ if chance explains the difference less often than once in a thousand, and if it is at
/// least this.
const LEAST_DIFFERENCE: f64 = 0.005;

/// The path in the report.
pub(super) fn path_report(place: &Place<'_>) -> PathReport {
    let (from, to) = place.ends();
    let suspect = place.receiver_is_suspect();
    let Counts { sent, lost } = place.totals.others(suspect).and(place.totals.acks(suspect));
    let (low, high) = stats::wilson95(lost, sent);
    PathReport {
        from: place.session.points[from].label.clone(),
        to: place.session.points[to].label.clone(),
        direction: place.direction,
        segments_sent: sent,
        segments_lost: lost,
        loss_ratio: (sent > 0).then(|| stats::ratio(lost, sent)),
        loss_ci95: (sent > 0).then_some([low, high]),
        min_rtt_ns: place
            .session
            .clock(place.up, place.down)
            .and_then(crate::clock::PairClock::min_rtt)
            .map(correlate_proto::Span::as_ns),
    }
}

/// Which losses of a direction are `packet-loss`, and of which connections; none if no other segment than pure ACKs
/// was lost.
fn share<'a>(place: &Place<'a>) -> Option<(Counts, &'a Cases)> {
    let suspect = place.receiver_is_suspect();
    let (others, acks) = (place.totals.countable_others(suspect), place.totals.countable_acks(suspect));
    if others.lost == 0 {
        None
    } else if are_apart(others, acks) || !would_show(place, acks) {
        Some((others, &place.totals.losing_others))
    } else {
        Some((others.and(acks), &place.totals.losing))
    }
}

/// Whether the receiver's capture would show so many pure ACKs had they arrived: no later copy of one tells.
fn would_show(place: &Place<'_>, acks: Counts) -> bool {
    let receiver = &place.session.points[place.ends().1];
    acks.lost == 0 || Odds::of_absence(receiver, acks.lost).grade(acks.lost, acks.sent) == Confidence::Proven
}

/// Whether ACKs are lost more often than other segments, beyond chance.
pub(super) fn are_apart(others: Counts, acks: Counts) -> bool {
    acks.ratio() > others.ratio() && stats::differ(acks.lost, acks.sent, others.lost, others.sent)
}

fn details(place: &Place<'_>, counts: Counts, shape: Option<Shape>) -> Details {
    let Counts { sent, lost } = counts;
    let (low, high) = stats::wilson95(lost, sent);
    let (delivered, all_lost) = place.totals.delivered_and_lost();
    let bursts = place.totals.bursts;
    let mean_burst = if bursts > 0 { stats::ratio(all_lost, bursts) } else { 1.0 };
    let cause = match (shape, stats::Gilbert::of_runs(delivered, all_lost, bursts).bursty()) {
        (Some(Shape::Policer(_)), _) => LossCause::Policer,
        (Some(Shape::TailDrop(_)), _) => LossCause::TailDrop,
        (None, None) => LossCause::Unknown,
        (None, Some(true)) => LossCause::Bursty,
        (None, Some(false)) => LossCause::Random,
    };
    Details::Loss { sent, lost, ratio: stats::ratio(lost, sent), ci95: [low, high], mean_burst, cause }
}

/// What the losses of a direction look like among what passed. Nothing where a capture lacks packets: what it lacks
/// would look lost.
fn shape(place: &Place<'_>) -> Option<Shape> {
    let clock = place.session.clock(place.up, place.down)?;
    let course = place.session.course(place.up, place.down, place.direction)?;
    if place.receiver_is_suspect() || place.sender_is_suspect() {
        return None;
    }
    let (passed, lost) = course.passages.whole();
    let queued = passed
        .into_iter()
        .filter_map(|one| Some((one, queueing_of(clock, place.direction, (one.sent, one.received))?)));
    cause::shape(&queued.collect::<Vec<_>>(), &lost, clock.min_rtt()?.as_ns())
}

/// The cause in words, behind a sentence; empty if none shows.
fn because(shape: Option<Shape>) -> String {
    match shape {
        Some(Shape::Policer(octets_per_second)) => format!(
            ". What exceeds about {:.1} Mbit/s is dropped at once, as a policer does",
            octets_per_second * 8e-6
        ),
        Some(Shape::TailDrop(queued_ns)) => format!(
            ". They fall on moments when packets queue for up to {} ms: a queue on the way runs over",
            queued_ns / 1_000_000
        ),
        None => String::new(),
    }
}

/// Loss in one direction.
pub(super) fn packet_loss(place: &Place<'_>) -> Option<Finding> {
    let (counts, cases) = share(place)?;
    let Counts { sent, lost } = counts;
    let ratio = counts.ratio();
    let (low, high) = stats::wilson95(lost, sent);
    let shape = shape(place);
    let stopped = inside::on_sending(place, cases);
    let sentence = format!(
        "{lost} of {sent} segments were lost {}: {:.2} % (95 % interval {:.2} to {:.2} %), {}{}.",
        place.way(),
        ratio * 100.0,
        low * 100.0,
        high * 100.0,
        place.share(cases),
        because(shape),
    );
    let finding = place.finding(Draft {
        code: Code::PacketLoss,
        severity: severity(lost, ratio),
        confidence: confidence(place, counts),
        location: path_of(place.direction),
        cases,
        count: lost,
        sentence,
        details: details(place, counts, shape),
        absent: Some("none of them"),
        alternatives: vec![place.host_edge(cases)],
    });
    Some(match stopped {
        Some(stopped) => stopped.tell(finding),
        None => finding,
    })
}

/// What it is worth that `lost` segments, `ratio` of all, were lost.
pub(super) fn severity(lost: u64, ratio: f64) -> Severity {
    match ratio {
        _ if lost < LEAST_LOST || ratio < WARNING_FROM => Severity::Info,
        _ if ratio < ERROR_FROM => Severity::Warning,
        _ => Severity::Error,
    }
}

/// A loss that another copy of the octets confirms needs no silence; else the receiver's silence alone speaks for it.
fn confidence(place: &Place<'_>, counts: Counts) -> Confidence {
    let receiver = &place.session.points[place.ends().1];
    if receiver.is_suspect() {
        Confidence::Likely
    } else if place.totals.all_unconfirmed() {
        Odds::of_absence(receiver, counts.lost).grade(counts.lost, counts.sent).min(Confidence::Strong)
    } else {
        Confidence::Proven
    }
}

/// Loss that is worse one way than the other. What rests on the silence of a capture that lacks packets does not count
/// for it, and counts against it only as far as the capture is more silent than it is incomplete. Where how incomplete
/// it is cannot be told well enough, it stays a suspicion.
pub(super) fn asymmetric_loss(
    place: &Place<'_>,
    back: &Place<'_>,
    completeness: &Completeness,
) -> Option<Finding> {
    let (counts, cases) = share(place).filter(|(counts, _)| counts.lost >= LEAST_LOST)?;
    let (there, error) = at_most(back, completeness);
    let (here, other) = (counts.ratio(), there.ratio());
    if there.sent == 0 || here - other < LEAST_DIFFERENCE {
        return None;
    }
    let beyond_chance = if error > 0.0 {
        let own = here * (1.0 - here) / stats::real(counts.sent.max(1));
        (here - other) / (own + (error / stats::real(there.sent)).powi(2)).sqrt() > stats::Z_SURE
    } else {
        stats::differ(counts.lost, counts.sent, there.lost, there.sent)
    };
    let confidence = match (beyond_chance, place.receiver_is_suspect() || back.receiver_is_suspect()) {
        (true, false) => confidence(place, counts),
        (true, true) => Confidence::Likely,
        (false, _) if error > 0.0 => Confidence::Unconfirmed,
        (false, _) => return None,
    };
    let what_explains_it = match confidence {
        Confidence::Unconfirmed => "what its capture lacks may explain it",
        Confidence::Likely | Confidence::Strong | Confidence::Proven => "more than chance explains",
    };
    let sentence = format!(
        "Loss {} is {:.2} %, {} it is {:.2} %: {what_explains_it}.",
        place.way(),
        here * 100.0,
        back.way(),
        other * 100.0,
    );
    let finding = place.finding(Draft {
        code: Code::AsymmetricLoss,
        severity: Severity::Error,
        confidence,
        location: path_of(place.direction),
        cases,
        count: counts.lost,
        sentence,
        details: details(place, counts, shape(place)),
        absent: Some("none of them"),
        alternatives: vec![place.host_edge(cases)],
    });
    Some(match inside::on_sending(place, cases) {
        Some(stopped) => stopped.locate(finding),
        None => finding,
    })
}

/// The most that can have been lost in a direction, and the standard error of that number; 0 if it is exact.
fn at_most(place: &Place<'_>, completeness: &Completeness) -> (Counts, f64) {
    let others = place.totals.countable_others(false);
    if !place.receiver_is_suspect() {
        return (others.and(place.totals.countable_acks(false)), 0.0);
    }
    let unseen = place.totals.unseen_acks();
    let (beyond, error) = completeness.at(place.ends().1).beyond(unseen);
    (others.and(Counts { sent: unseen.sent, lost: stats::whole(beyond) }), error)
}
