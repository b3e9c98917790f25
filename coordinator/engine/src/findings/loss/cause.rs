//! Why a direction loses packets, as far as what passed around the losses shows it (ALGORITHMS §4.7).

use crate::course::{Gone, Passed};
use crate::stats::ratio;

/// Flach et al., "An Internet-Wide Analysis of Traffic Policing" (SIGCOMM 2016), replay a token bucket over what was sent:
/// so many packets lost, and passed, tell;
const POLICER_LEAST: usize = 15;
/// in so many round trips something is lost;
const POLICER_ROUNDS: usize = 3;
/// of the losses at most a tenth find the bucket filled;
const POLICER_STRAYS: f64 = 0.10;
/// of what passes at most this share finds it overdrawn;
const POLICER_UNPAID: f64 = 0.03;
/// and at most a fifth of the losses come when packets queue.
const POLICER_QUEUED: f64 = 0.20;
/// Theirs takes the goodput for the rate. Whenever a sender rests the bucket runs over, so that the rate is higher; here it
/// is looked for up to half as much again, in steps of half a per cent and around the best of them in tenths of that.
const RATE_STEPS: u32 = 100;
const RATE_STEP: f64 = 0.005;
const FINER: u32 = 10;
/// A bucket counts as empty up to so many octets, or this share of what it holds: sent is not yet at the policer.
const EMPTY_OCTETS: f64 = 4_500.0;
const EMPTY_SHARE: f64 = 0.05;

/// Packets queue where they take longer than this against the tenth of the fastest, and so much altogether.
const INFLATED: f64 = 1.3;
const INFLATED_NS: i64 = 20_000_000;

/// Packets that passed just before a loss: how they queued tells how full the queue was.
const NEIGHBOURS: usize = 5;
/// A queue that runs over is as full as it mostly gets, beyond the jitter,
const FULL: f64 = 0.7;
const BEYOND_JITTER: i64 = 3;
const LEAST_JITTER_NS: i64 = 50_000;
/// at so many of so many losses at least, and much less often when packets pass.
const TAIL_LEAST: usize = 10;
const TAIL_AT: f64 = 0.7;
const TAIL_RARER: f64 = 1.5;

/// A cause that shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    /// What exceeds this rate, in octets per second, is dropped at once.
    Policer(f64),
    /// A queue of a bounded length runs over; it holds packets back for so long, in nanoseconds.
    TailDrop(i64),
}

/// A packet that passed and how long it queued, in nanoseconds.
pub(super) type Queued = (Passed, i64);

/// What `lost` among `passed`, each in the order of sending, looks like; `round_trip` is the shortest one.
pub(super) fn shape(passed: &[Queued], lost: &[Gone], round_trip: i64) -> Option<Shape> {
    policed(passed, lost, round_trip)
        .map(Shape::Policer)
        .or_else(|| run_over(passed, lost).map(Shape::TailDrop))
}

/// The rate of a policer, in octets per second: a token bucket of that rate, replayed over all that was sent, is empty
/// whenever something is lost and pays for what passes.
fn policed(passed: &[Queued], lost: &[Gone], round_trip: i64) -> Option<f64> {
    let (from, to) = (lost.first()?.sent, lost.last()?.sent);
    let between: Vec<&Passed> =
        passed.iter().map(|(one, _)| one).filter(|one| (from..to).contains(&one.sent)).collect();
    let enough = lost.len() >= POLICER_LEAST && between.len() >= POLICER_LEAST;
    if !enough || rounds(lost, round_trip) < POLICER_ROUNDS {
        return None;
    }
    if share_queued(passed, lost, round_trip) > POLICER_QUEUED {
        return None;
    }
    let octets: u64 = between.iter().map(|one| u64::from(one.octets)).sum();
    let goodput = ratio(octets, u64::try_from(to - from).ok()?);
    let coarse = (0..=RATE_STEPS).map(|step| goodput * (1.0 + RATE_STEP * f64::from(step)));
    let (_, near) = best(&between, lost, coarse)?;
    let fine =
        (0..=4 * FINER).map(|step| near * (1.0 + RATE_STEP * (f64::from(step) / f64::from(FINER) - 2.0)));
    let (found, rate) = best(&between, lost, fine)?;
    let fits = found.unpaid <= POLICER_UNPAID && found.strays <= POLICER_STRAYS;
    fits.then_some(rate * 1e9)
}

/// The rate that explains most.
fn best(passed: &[&Passed], lost: &[Gone], rates: impl Iterator<Item = f64>) -> Option<(Replay, f64)> {
    let tried = rates.map(|rate| (replay(passed, lost, rate), rate));
    tried.min_by(|(a, _), (b, _)| (a.strays + a.unpaid).total_cmp(&(b.strays + b.unpaid)))
}

/// How badly a token bucket explains what was lost and what passed.
#[derive(Debug, Clone, Copy)]
struct Replay {
    /// Share of the losses that found the bucket filled.
    strays: f64,
    /// Share of what passed that found it overdrawn.
    unpaid: f64,
}

/// Replays a bucket that gains `rate` octets each nanosecond and is empty at the first loss.
fn replay(passed: &[&Passed], lost: &[Gone], rate: f64) -> Replay {
    let holds = burst(passed, rate);
    let empty = EMPTY_OCTETS.max(EMPTY_SHARE * holds);
    let (mut strays, mut unpaid, mut tokens) = (0, 0, 0.0);
    let mut filled = lost.first().map_or(0, |first| first.sent);
    let mut next = passed.iter().peekable();
    for loss in lost {
        while let Some(pass) = next.next_if(|pass| pass.sent < loss.sent) {
            tokens = holds.min(tokens + rate * real(pass.sent - filled));
            filled = pass.sent;
            unpaid += usize::from(tokens < -empty);
            tokens -= f64::from(pass.octets);
        }
        tokens = holds.min(tokens + rate * real(loss.sent - filled));
        filled = loss.sent;
        strays += usize::from(tokens > empty);
    }
    Replay {
        strays: ratio(count(strays), count(lost.len())),
        unpaid: ratio(count(unpaid), count(passed.len())),
    }
}

/// The least that a bucket of that rate must hold to let all of `passed` through.
fn burst(passed: &[&Passed], rate: f64) -> f64 {
    let (mut owed, mut most) = (0.0, 0.0);
    let mut since = passed.first().map_or(0, |first| first.sent);
    for pass in passed {
        owed = f64::max(0.0, owed - rate * real(pass.sent - since)) + f64::from(pass.octets);
        since = pass.sent;
        most = f64::max(most, owed);
    }
    most
}

/// In how many round trips something was lost.
fn rounds(lost: &[Gone], round_trip: i64) -> usize {
    let mut rounds: Vec<i64> = lost.iter().map(|one| one.sent.div_euclid(round_trip.max(1))).collect();
    rounds.dedup();
    rounds.len()
}

/// How many of the losses came when packets queued.
fn share_queued(passed: &[Queued], lost: &[Gone], round_trip: i64) -> f64 {
    let mut times: Vec<i64> = passed.iter().map(|(_, queued)| queued + round_trip).collect();
    times.sort_unstable();
    let (Some(&fast), Some(&usual)) = (times.get(times.len() / 10), times.get(times.len() / 2)) else {
        return 0.0;
    };
    let is_queued = |loss: &Gone| {
        let behind = passed.partition_point(|(one, _)| one.sent < loss.sent);
        behind.checked_sub(1).is_some_and(|before| {
            let time = passed[before].1 + round_trip;
            real(time) > INFLATED * real(fast) && time >= usual && time >= INFLATED_NS
        })
    };
    let queued = lost.iter().filter(|loss| is_queued(loss)).count();
    ratio(count(queued), count(lost.len()))
}

/// How long a queue that runs over holds packets back.
fn run_over(passed: &[Queued], lost: &[Gone]) -> Option<i64> {
    if lost.len() < TAIL_LEAST || passed.len() < NEIGHBOURS {
        return None;
    }
    let mut sorted: Vec<i64> = passed.iter().map(|(_, queued)| *queued).collect();
    sorted.sort_unstable();
    let most = *sorted.get(sorted.len() * 95 / 100)?;
    let mut steps: Vec<i64> = passed.windows(2).map(|pair| (pair[1].1 - pair[0].1).abs()).collect();
    steps.sort_unstable();
    let jitter = steps.get(steps.len() / 2).copied()?.max(LEAST_JITTER_NS);
    let is_full = |queued: i64| real(queued) >= FULL * real(most) && queued > BEYOND_JITTER * jitter;
    let before = |loss: &&Gone| {
        let behind = passed.partition_point(|(one, _)| one.sent < loss.sent);
        let near = &passed[behind.saturating_sub(NEIGHBOURS)..behind];
        near.iter().map(|(_, queued)| *queued).max().is_some_and(is_full)
    };
    let at_losses = ratio(count(lost.iter().filter(before).count()), count(lost.len()));
    let always = ratio(count(sorted.iter().filter(|queued| is_full(**queued)).count()), count(sorted.len()));
    (at_losses >= TAIL_AT && at_losses >= (TAIL_RARER * always).min(TAIL_AT.midpoint(1.0))).then_some(most)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a hundred days stay below 2^53")]
const fn real(ns: i64) -> f64 {
    ns as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const RTT: i64 = 10 * MS;

    fn pass(sent: i64, queued: i64) -> Queued {
        (Passed { sent, received: sent + RTT / 2 + queued, octets: 1500 }, queued)
    }

    fn gone(sent: i64) -> Gone {
        Gone { sent, octets: 1500 }
    }

    /// Bursts of 60 packets every 50 ms, of which `keep` says what becomes, given octets sent so far and the time.
    fn bursts(mut keep: impl FnMut(i64) -> Option<i64>) -> (Vec<Queued>, Vec<Gone>) {
        let (mut passed, mut lost) = (Vec::new(), Vec::new());
        for burst in 0..40 {
            for n in 0..60 {
                let at = burst * 50 * MS + n * 10_000;
                match keep(at) {
                    Some(queued) => passed.push(pass(at, queued)),
                    None => lost.push(gone(at)),
                }
            }
        }
        (passed, lost)
    }

    #[test]
    fn a_token_bucket_is_a_policer_of_its_rate() {
        let (mut tokens, mut filled) = (60_000.0, 0);
        let (passed, lost) = bursts(|at| {
            tokens = f64::min(60_000.0, tokens + real(at - filled) * 1e-3);
            filled = at;
            let passes = tokens >= 1500.0;
            tokens -= if passes { 1500.0 } else { 0.0 };
            passes.then_some((at % 7) * 1000)
        });
        let Some(Shape::Policer(rate)) = shape(&passed, &lost, RTT) else { panic!("{}", lost.len()) };
        assert!((rate - 1e6).abs() < 5e4, "{rate}");
    }

    #[test]
    fn a_queue_that_runs_over_is_no_policer() {
        let (mut free_at, limit) = (0, 20 * MS);
        let (passed, lost) = bursts(|at| {
            let waits = (free_at - at).max(0);
            if waits > limit {
                return None;
            }
            free_at = at + waits + MS;
            Some(waits)
        });
        let Some(Shape::TailDrop(held)) = shape(&passed, &lost, RTT) else { panic!("{}", lost.len()) };
        assert!((15 * MS..=21 * MS).contains(&held), "{held}");
    }

    #[test]
    fn losses_that_load_does_not_explain_have_neither_shape() {
        let mut seed = 7u64;
        let mut dice = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        for every in [10, 30, 100] {
            let (passed, lost) = bursts(|_| {
                let queued = i64::try_from(dice() % 400_000).unwrap();
                (!dice().is_multiple_of(every)).then_some(queued)
            });
            assert!(lost.len() >= POLICER_LEAST);
            assert_eq!(shape(&passed, &lost, RTT), None, "one in {every}");
        }
    }

    #[test]
    fn few_losses_have_no_shape() {
        let (passed, _) = bursts(|_| Some(0));
        assert_eq!(shape(&passed, &[gone(5 * MS)], RTT), None);
        assert_eq!(shape(&[], &[], RTT), None);
    }
}
