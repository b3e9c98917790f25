//! What is done to a session, and when.

use core::fmt;
use core::time::Duration;

/// How long a round's traffic runs.
pub(super) const TRAFFIC_MS: u64 = 1_800;

/// Who is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The agent of that host is killed, and started again or not.
    KillAgent { host: usize, again: bool },
    /// The coordinator is killed and started again.
    KillCoordinator,
    /// Frames between that host and the coordinator vanish for a while.
    Cut { host: u8 },
}

/// A fault: when it comes, and how long it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) at: Duration,
    pub(super) lasts: Duration,
    pub(super) fault: Fault,
}

/// What is done in one round, in order; one is over before the next comes.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) hits: Vec<Hit>,
    /// The session is stopped without waiting for who is away.
    pub(super) stops_at_once: bool,
}

impl Plan {
    /// The plan that follows from `seed`.
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let count = 1 + dice.below(3);
        let mut hits = Vec::new();
        let mut begins_ms = 0;
        for left in (0..count).rev() {
            let at_ms = begins_ms + dice.below((TRAFFIC_MS - begins_ms.min(TRAFFIC_MS - 1)) / (left + 1) + 1);
            let lasts_ms = 20 + dice.below(380);
            let host = usize::from(dice.below(2) == 1);
            let fault = match dice.below(5) {
                0 | 1 => Fault::KillAgent { host, again: dice.below(8) > 0 },
                2 | 3 => Fault::KillCoordinator,
                _ => Fault::Cut { host: u8::from(host == 1) },
            };
            hits.push(Hit {
                at: Duration::from_millis(at_ms),
                lasts: Duration::from_millis(lasts_ms),
                fault,
            });
            begins_ms = at_ms + lasts_ms;
        }
        Self { hits, stops_at_once: dice.below(6) == 0 }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Hit { at, lasts, fault } in &self.hits {
            let what = match fault {
                Fault::KillAgent { host, again: true } => format!("kill agent {host}"),
                Fault::KillAgent { host, again: false } => format!("kill agent {host} for good"),
                Fault::KillCoordinator => "kill coordinator".to_owned(),
                Fault::Cut { host } => format!("cut off agent {host}"),
            };
            write!(f, "{} ms: {what} for {} ms; ", at.as_millis(), lasts.as_millis())?;
        }
        f.write_str(if self.stops_at_once { "stop at once" } else { "stop when all are back" })
    }
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_plan_and_faults_do_not_overlap() {
        for seed in 0..500 {
            let plan = Plan::of(seed);
            assert_eq!(plan.hits, Plan::of(seed).hits);
            assert!((1..=3).contains(&plan.hits.len()), "{plan}");
            assert!(plan.hits.windows(2).all(|two| two[0].at + two[0].lasts <= two[1].at), "{plan}");
        }
        let any = |fits: fn(Fault) -> bool| {
            (0..100).any(|seed| Plan::of(seed).hits.iter().any(|hit| fits(hit.fault)))
        };
        assert!(any(|fault| fault == Fault::KillCoordinator));
        assert!(any(|fault| matches!(fault, Fault::KillAgent { again: false, .. })));
        assert!(any(|fault| matches!(fault, Fault::Cut { host: 1 })));
    }
}
