//! The clocks, against the clocks that the taps had.

use super::recording::Recording;
use super::score::ClockScore;
use super::sightings::true_time;
use crate::files::ClockSecond;

/// A second in which the bound does not hold the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongSecond {
    /// What was known.
    pub known: ClockSecond,
    /// The true offset, in ns.
    pub truth_ns: i64,
}

/// Holds every second against the truth.
pub fn compare(recording: &Recording, seconds: &[ClockSecond]) -> (ClockScore, Vec<WrongSecond>) {
    let (mut score, mut wrong) = (ClockScore::default(), Vec::new());
    for second in seconds {
        let truth_ns = truth(recording, second);
        let known = second.known;
        let holds = known.lo.is_none_or(|lo| lo.as_ns() <= truth_ns)
            && known.hi.is_none_or(|hi| hi.as_ns() >= truth_ns);
        score.seconds += 1;
        score.held += u64::from(holds);
        if let (Some(estimate), Some(lo), Some(hi)) = (known.estimate, known.lo, known.hi) {
            let error_ns = estimate.as_ns().abs_diff(truth_ns);
            score.estimated += 1;
            score.worst_error_ns = score.worst_error_ns.max(error_ns);
            score.error_ns += error_ns;
            score.uncertainty_ns += hi.as_ns().abs_diff(lo.as_ns()) / 2;
        }
        if !holds {
            wrong.push(WrongSecond { known: *second, truth_ns });
        }
    }
    (score, wrong)
}

/// The clock of a server's tap less that of the client's, in ns, when the client's shows the second's instant.
fn truth(recording: &Recording, second: &ClockSecond) -> i64 {
    let clocks: Vec<_> = recording.plans().map(|plan| plan.clock).collect();
    let origins: Vec<i64> = recording.outcome.taps.iter().map(|tap| tap.clock_origin_ns).collect();
    let at_ns = true_time(clocks[0], origins[0], second.at.as_ns());
    clocks[second.downstream].shows(at_ns, origins[second.downstream]) - second.at.as_ns()
}
