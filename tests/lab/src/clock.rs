//! Clocks that are wrong by plan.

/// By how much a tap's stamps are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClockError {
    /// Added to every stamp, in ns.
    pub offset_ns: i64,
    /// How much faster than true the clock runs, in parts per billion, until the first slew.
    pub skew_ppb: i64,
    /// Changes of its rate, in order of time.
    pub slews: &'static [Slew],
    /// Jumps.
    pub steps: &'static [Step],
}

/// A clock's rate changes, as when it is disciplined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slew {
    /// When, in ms of true time after the origin.
    pub at_ms: u64,
    /// How much faster than true it runs from then on, in parts per billion.
    pub ppb: i64,
}

/// A clock jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When, in ms of true time after the origin.
    pub at_ms: u64,
    /// How far, in ns; back if negative.
    pub by_ns: i64,
}

impl ClockError {
    /// What this clock shows at the true instant `at_ns`, if it had only its offset at `origin_ns`.
    pub fn shows(self, at_ns: i64, origin_ns: i64) -> i64 {
        let elapsed_ns = at_ns - origin_ns;
        let gained =
            |since_ns: i64, ppb: i64| i128::from(elapsed_ns - since_ns) * i128::from(ppb) / 1_000_000_000;
        let mut error_ns = i128::from(self.offset_ns) + gained(0, self.skew_ppb);
        let mut before_ppb = self.skew_ppb;
        for slew in self.slews.iter().take_while(|slew| elapsed_ns >= ns(slew.at_ms)) {
            error_ns += gained(ns(slew.at_ms), slew.ppb - before_ppb);
            before_ppb = slew.ppb;
        }
        let stepped = self.steps.iter().filter(|step| elapsed_ns >= ns(step.at_ms));
        error_ns += stepped.map(|step| i128::from(step.by_ns)).sum::<i128>();
        at_ns.saturating_add(i64::try_from(error_ns).unwrap_or(i64::MAX))
    }
}

/// Nanoseconds of a time after the origin.
fn ns(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn an_error_is_its_offset_at_the_origin_and_grows_with_the_skew() {
        let clock = ClockError { offset_ns: 37 * SECOND, skew_ppb: 50_000, ..ClockError::default() };
        assert_eq!(clock.shows(1_000, 1_000), 37 * SECOND + 1_000);
        assert_eq!(clock.shows(10 * SECOND + 1_000, 1_000), 47 * SECOND + 1_000 + 500_000);
    }

    #[test]
    fn a_slew_changes_the_rate_and_a_step_the_time_from_then_on() {
        let slews = &[Slew { at_ms: 2_000, ppb: -10_000 }, Slew { at_ms: 4_000, ppb: 0 }];
        let steps = &[Step { at_ms: 5_000, by_ns: -40_000_000 }];
        let clock = ClockError { skew_ppb: 20_000, slews, steps, ..ClockError::default() };
        let error = |seconds: i64| clock.shows(7 + seconds * SECOND, 7) - seconds * SECOND - 7;
        assert_eq!([0, 1, 2, 3, 4].map(error), [0, 20_000, 40_000, 30_000, 20_000]);
        let before = 7 + 4_999 * SECOND / 1_000;
        assert_eq!(clock.shows(before, 7), before + 20_000);
        assert_eq!([5, 9].map(error), [20_000 - 40_000_000; 2]);
    }
}
