//! `outage`: for a while nothing that any connection sent in a direction arrived (ALGORITHMS §4.7, fourth rule).

use super::draft::{Draft, Place};
use super::totals::{Cases, PathTotals, Shown};
use crate::course::{LEAST_NS, Silence};
use crate::findings::view::path_of;
use crate::findings::{Odds, wording};
use crate::stats;
use correlate_proto::report::{Code, Confidence, Details, Finding, Severity};

/// An outage lasts for so many round trips at least, from its first loss to its last, and for [`LEAST_NS`].
const LEAST_ROUND_TRIPS: i64 = 3;

/// So many segments must be lost in it.
const LEAST_LOST: u64 = 3;

/// The outages of one direction.
pub(super) struct Outages<'a> {
    silences: Vec<&'a Silence>,
    confidence: Confidence,
}

impl<'a> Outages<'a> {
    /// Those that the course of the direction shows; `None` if there are none.
    pub(super) fn of(place: &Place<'a>) -> Option<Self> {
        let course = place.session.course(place.up, place.down, place.direction)?;
        let clock = place.session.clock(place.up, place.down);
        let round_trip = clock.and_then(crate::clock::PairClock::min_rtt);
        let least = round_trip.map_or(0, |span| LEAST_ROUND_TRIPS * span.as_ns()).max(LEAST_NS);
        let graded =
            course.silences.lossy().filter(|silence| silence.last_lost - silence.first_lost >= least);
        let graded = graded.map(|silence| (silence, grade(place, silence)));
        let sure: Vec<_> = graded.filter(|&(_, grade)| grade > Confidence::Unconfirmed).collect();
        let confidence = sure.iter().map(|&(_, grade)| grade).max()?;
        Some(Self { silences: sure.into_iter().map(|(silence, _)| silence).collect(), confidence })
    }

    /// What they explain of the direction's losses: of segments that are no pure ACKs, and of pure ACKs.
    pub(super) fn explain(&self, totals: &mut PathTotals, receiver_is_suspect: bool) {
        for silence in &self.silences {
            let [others, acks] = silence.lost;
            totals.explain([if receiver_is_suspect { silence.confirmed } else { others }, acks]);
        }
    }

    fn longest(&self) -> Option<&'a Silence> {
        self.silences.iter().copied().max_by_key(|silence| silence.last_lost - silence.first_lost)
    }
}

/// How well it is supported that all of the direction was out, and not a few packets lost by chance, one connection
/// broken, or packets too large.
fn grade(place: &Place<'_>, silence: &Silence) -> Confidence {
    let receiver = &place.session.points[place.ends().1];
    let lost = if receiver.is_suspect() { silence.confirmed } else { silence.lost_in_all() };
    let served_again = silence.recovered > 0 && silence.largest_after >= silence.smallest_lost;
    if lost < LEAST_LOST || !served_again {
        return Confidence::Unconfirmed;
    }
    let chance = against_chance(place.totals, silence);
    // Chance is the usual reason of losses, and many rows of them were there to choose from: what may well be chance is
    // told as `packet-loss`.
    if chance.grade(1, 1) < Confidence::Strong {
        return Confidence::Unconfirmed;
    }
    let odds = if silence.confirmed > 0 {
        chance
    } else {
        chance.or(Odds::of_absence(receiver, silence.occasions()))
    };
    // Where only one connection sent anything, what it lost may be due to its own state on the path.
    let at_most = if silence.connections.len() > 1 { Confidence::Proven } else { Confidence::Likely };
    odds.grade(1, 1).min(at_most)
}

/// The odds against that many losses in a row, by how often and how close together the direction loses else. How often it
/// does is known from what it sent only: each loss of the row makes the next one more likely (Laplace's rule of
/// succession), and much more so where little was sent.
fn against_chance(totals: &PathTotals, silence: &Silence) -> Odds {
    let (delivered, lost) = totals.delivered_and_lost();
    let elsewhere = lost.saturating_sub(silence.lost_in_all());
    let runs_here = u64::try_from(silence.connections.len()).unwrap_or(u64::MAX);
    let runs = totals.bursts.saturating_sub(runs_here).min(elsewhere);
    let again = if elsewhere > 0 { 1.0 - stats::ratio(runs, elsewhere) } else { 0.0 };
    let row = (0..silence.occasions().max(1)).map(|before| {
        let ratio = stats::ratio(elsewhere + before + 1, delivered + elsewhere + before + 2);
        let chance = if before > 0 { again.max(ratio).min(0.999) } else { ratio };
        -chance.ln()
    });
    let choices = stats::real(delivered + elsewhere + 1).ln();
    Odds::of(row.sum::<f64>() - choices)
}

/// The finding about the outages of a direction.
pub(super) fn outage(place: &Place<'_>, outages: &Outages<'_>) -> Option<Finding> {
    let longest = outages.longest()?;
    let lost: u64 = outages.silences.iter().map(|silence| silence.lost_in_all()).sum();
    let count = u64::try_from(outages.silences.len()).unwrap_or(u64::MAX);
    let (span, at_most) = (longest.last_lost - longest.first_lost, longest.to - longest.from);
    let both = out_meanwhile(place, longest);
    let connections = wording::count(
        u64::try_from(longest.connections.len()).unwrap_or(u64::MAX),
        "connection",
        "connections",
    );
    let others = match count {
        1 => String::new(),
        2 => ", and once more for a shorter time".to_owned(),
        _ => format!(", and {} more times for shorter", count - 1),
    };
    let back = if both { ", while the other direction was out as well" } else { "" };
    let sentence = format!(
        "For {} nothing that {connections} sent {} arrived{back}{others}: {} were lost; before and after, the \
         direction carried.",
        wording::span(span),
        place.way(),
        wording::count(lost, "segment", "segments"),
    );
    let mut alternatives = vec![wording::HOST_EDGE.to_owned()];
    if longest.connections.len() == 1 {
        alternatives
            .push("what a device knows of that one connection: no other one sent anything then".to_owned());
    }
    Some(place.finding(Draft {
        code: Code::Outage,
        severity: Severity::Error,
        confidence: outages.confidence,
        location: path_of(place.direction),
        cases: &cases(longest),
        count: lost,
        sentence,
        details: Details::Outage {
            lost,
            outages: count,
            longest_ms: span / 1_000_000,
            at_most_ms: at_most / 1_000_000,
            both_directions: both,
        },
        absent: Some("none of them, nor anything else that was sent meanwhile"),
        alternatives,
    }))
}

fn cases(silence: &Silence) -> Cases {
    let shown = silence.shown.iter().map(|&(packet, at, len, ip_len)| Shown {
        sent: Some((packet, at)),
        received: None,
        len,
        ip_len,
    });
    Cases::of(&silence.connections, shown, (silence.first_lost, silence.last_lost))
}

/// Whether something was lost in a silence of the other direction at the same time.
fn out_meanwhile(place: &Place<'_>, silence: &Silence) -> bool {
    let (from, to) = place.ends();
    let start = place.session.translate(silence.first_lost, from, to).0;
    let end = place.session.translate(silence.last_lost, from, to).1;
    let back = place.session.course(place.up, place.down, place.direction.reversed());
    back.is_some_and(|back| {
        let meanwhile = |other: &Silence| {
            other.first_lost < end
                && start < other.last_lost
                && other.last_lost - other.first_lost >= LEAST_NS
        };
        back.silences.lossy().any(meanwhile)
    })
}
