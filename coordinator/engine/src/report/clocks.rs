//! How the hosts' clocks relate, as the hosts showed them.

use crate::clock::PairClock;
use crate::point::Point;
use crate::session::Session;
use correlate_proto::report::{ClockReport, ClockStep, ReportTime};
use correlate_proto::{Span, Timestamp};

/// Jumps that are listed of a pair.
const MAX_STEPS: usize = 64;

/// One entry for each pair of points that had packets in common.
pub(super) fn clocks(session: &Session) -> Vec<ClockReport> {
    let pairs = session.clocks.iter();
    pairs.map(|(&(up, down), clock)| describe(&session.points[up], &session.points[down], clock)).collect()
}

fn describe(up: &Point, down: &Point, clock: &PairClock) -> ClockReport {
    let summary = clock.summary();
    // Both clocks drift apart, so the figures are those of one instant: the last packet at the upstream point.
    let end = up.span.map_or_else(|| summary.at.map_or(0, Timestamp::as_ns), |(_, last)| last);
    let there = clock.offset_at(Timestamp::from_ns(end));
    // What the two hosts showed then, one less the other.
    let shown = |offset: Span| down.own_time(end.saturating_add(offset.0)).saturating_sub(up.own_time(end));
    let bound = there.lo.zip(there.hi).map(|(low, high)| [shown(low), shown(high)]);
    ClockReport {
        from: up.label.clone(),
        to: down.label.clone(),
        offset_ns: there.estimate.map(shown),
        uncertainty_ns: bound.map(|[low, high]| high.saturating_sub(low) / 2),
        bound_ns: bound,
        skew_ppb: summary.skew_ppb,
        samples: summary.samples.0 + summary.samples.1,
        method: summary.method.name().to_owned(),
        steps: steps(up, down, clock),
    }
}

/// Jumps of the one clock against the other: those that their hosts noted, and those that the packets show. Of a
/// host that has slewed or set its clock the rate (`skew_ppb`) is that of its oscillator.
fn steps(up: &Point, down: &Point, clock: &PairClock) -> Vec<ClockStep> {
    let offset = |at: i64| clock.offset_at(Timestamp::from_ns(at)).estimate.map_or(0, Span::as_ns);
    let seen = clock.steps().iter().map(|step| (step.at.as_ns(), step.by.as_ns()));
    let of_up = up.steps().iter().map(|step| (step.at, step.by.saturating_neg()));
    // The offset is asked for by the upstream clock, which the rough offsets give well enough.
    let nearly = |at: i64| at.saturating_add(down.rough_offset).saturating_sub(up.rough_offset);
    let of_down = down.steps().iter().map(|step| (step.at.saturating_sub(offset(nearly(step.at))), step.by));
    let mut steps: Vec<(i64, i64)> = seen.chain(of_up).chain(of_down).collect();
    steps.sort_unstable();
    steps.truncate(MAX_STEPS);
    steps.into_iter().map(|(at, step_ns)| ClockStep { at: ReportTime(up.own_time(at)), step_ns }).collect()
}
