//! Waits between attempts.

use super::options::Reconnect;
use core::hash::{BuildHasher as _, Hasher as _};
use core::time::Duration;

/// How long to wait before each attempt to dial.
#[derive(Debug)]
pub(super) struct Backoff {
    policy: Reconnect,
    next: Duration,
    waited: Duration,
}

impl Backoff {
    pub(super) fn new(policy: Reconnect) -> Self {
        let next = match policy {
            Reconnect::Never => Duration::ZERO,
            Reconnect::Backoff { first, .. } => first,
        };
        Self { policy, next, waited: Duration::ZERO }
    }

    /// A connection was made: the next wait is the first again.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.policy);
    }

    /// The wait before the next attempt; `None`: give up.
    pub(super) fn next_wait(&mut self) -> Option<Duration> {
        let Reconnect::Backoff { longest, give_up_after, .. } = self.policy else { return None };
        if give_up_after.is_some_and(|limit| self.waited >= limit) {
            return None;
        }
        let wait = self.next.min(longest);
        self.next = wait.saturating_mul(2);
        self.waited += wait;
        Some(wait)
    }
}

/// Between half of the wait and the whole of it, as `random` has it.
pub(super) fn jittered(wait: Duration, random: u64) -> Duration {
    let half = wait / 2;
    let steps = u32::try_from(random % 1024).unwrap_or(0);
    half + half * steps / 1023
}

/// A number that differs from agent to agent and from call to call.
pub(super) fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_until_the_time_is_over() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(Reconnect::Backoff {
            first: ms(100),
            longest: ms(500),
            give_up_after: Some(ms(1500)),
        });
        let waits: Vec<_> = core::iter::from_fn(|| backoff.next_wait()).collect();
        assert_eq!(waits, [ms(100), ms(200), ms(400), ms(500), ms(500)]);
        backoff.reset();
        assert_eq!(backoff.next_wait(), Some(ms(100)));
        assert_eq!(Backoff::new(Reconnect::Never).next_wait(), None);
    }

    #[test]
    fn jitter_takes_at_most_half_of_a_wait() {
        let wait = Duration::from_secs(5);
        assert_eq!(jittered(wait, 0), wait / 2);
        assert_eq!(jittered(wait, 1023), wait);
        assert_eq!(jittered(wait, 1024), wait / 2);
        let some = jittered(wait, random());
        assert!(some >= wait / 2 && some <= wait, "{some:?}");
    }
}
