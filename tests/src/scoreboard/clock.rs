//! The clocks, against the clocks that the taps had.

use super::recording::Recording;
use super::score::ClockScore;
use super::sightings::{Sightings, true_time};
use crate::files::ClockSecond;

/// A second in which the bound does not hold the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongSecond {
    /// What was known.
    pub known: ClockSecond,
    /// The true offset, in ns.
    pub truth_ns: i64,
}

/// So long after a step it need not be known yet, in ns: what is told meanwhile, before the end, is of the old clock.
const UNTIL_KNOWN_NS: i64 = 8_000_000_000;

/// Holds every second against the truth.
pub fn compare(
    recording: &Recording,
    sightings: &Sightings,
    seconds: &[ClockSecond],
) -> (ClockScore, Vec<WrongSecond>) {
    let (mut score, mut wrong) = (ClockScore::default(), Vec::new());
    for second in seconds.iter().filter(|second| !(second.live && is_after_step(recording, second))) {
        let truth_ns = truth(recording, second);
        let known = second.known;
        let holds = known.lo.is_none_or(|lo| lo.as_ns() <= truth_ns)
            && known.hi.is_none_or(|hi| hi.as_ns() >= truth_ns);
        score.seconds += 1;
        score.held += u64::from(holds);
        if let (Some(estimate), Some(lo), Some(hi)) = (known.estimate, known.lo, known.hi) {
            // Half of what one way is longer than the other no two captures can show.
            let [there, back] = sightings.shortest_ns[second.downstream - 1];
            let hidden_ns = there.abs_diff(back) / 2;
            score.errors_ns.push(estimate.as_ns().abs_diff(truth_ns).saturating_sub(hidden_ns));
            score.uncertainty_ns += hi.as_ns().abs_diff(lo.as_ns()) / 2;
        }
        if !holds {
            wrong.push(WrongSecond { known: *second, truth_ns });
        }
    }
    (score, wrong)
}

/// Whether one of the clocks has stepped just before.
fn is_after_step(recording: &Recording, second: &ClockSecond) -> bool {
    let taps: Vec<_> = recording.plans().map(|plan| plan.clock).zip(&recording.outcome.taps).collect();
    let (clock, tap) = &taps[0];
    let at_ns = true_time(*clock, tap.clock_origin_ns, second.at.as_ns());
    [&taps[0], &taps[second.downstream]].into_iter().any(|(clock, tap)| {
        let since = |ms: u64| at_ns - tap.clock_origin_ns - i64::try_from(ms).unwrap_or(i64::MAX) * 1_000_000;
        clock.steps.iter().any(|step| (0..UNTIL_KNOWN_NS).contains(&since(step.at_ms)))
    })
}

/// The clock of a server's tap less that of the client's, in ns, when the client's shows the second's instant.
fn truth(recording: &Recording, second: &ClockSecond) -> i64 {
    let clocks: Vec<_> = recording.plans().map(|plan| plan.clock).collect();
    let origins: Vec<i64> = recording.outcome.taps.iter().map(|tap| tap.clock_origin_ns).collect();
    let at_ns = true_time(clocks[0], origins[0], second.at.as_ns());
    clocks[second.downstream].shows(at_ns, origins[second.downstream]) - second.at.as_ns()
}
