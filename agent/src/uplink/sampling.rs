//! Which of the clock readings of a capture travel.

use super::opener::HostProbe;
use super::pending::Pending;
use core::time::Duration;
use correlate_proto::ClockSample;

/// Between two samples of a quiet capture: a change of rate by 10 ppm half way is off by 0.6 µs then.
const EVERY: Duration = Duration::from_millis(250);

/// The clock readings of a capture.
#[derive(Debug, Default)]
pub(super) struct Sampling {
    latest: Option<ClockSample>,
    /// `latest` does not travel yet.
    kept_back: bool,
    due: Duration,
}

impl Sampling {
    /// Reads the clocks. The sample travels if it is time for one, if `needed`, or if the clock was set; then the one
    /// before travels too, so that the two stand as close around the step as the readings did.
    pub(super) fn look(
        &mut self,
        probe: &mut dyn HostProbe,
        now: Duration,
        needed: bool,
        pending: &mut Pending,
    ) -> Option<ClockSample> {
        let sample = probe.clock()?;
        if sample.stepped
            && let Some(before) = self.latest.filter(|_| self.kept_back)
        {
            pending.add_clock(before, now);
        }
        let travels = needed || sample.stepped || now >= self.due;
        if travels {
            pending.add_clock(sample, now);
            self.due = now + EVERY;
        }
        (self.latest, self.kept_back) = (Some(sample), !travels);
        Some(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use correlate_proto::{HostCounters, Timestamp};

    struct Clocks(i64);

    impl HostProbe for Clocks {
        fn clock(&mut self) -> Option<ClockSample> {
            self.0 += 1;
            let stepped = self.0 == 7;
            Some(ClockSample { raw_ns: self.0, realtime: Timestamp::from_ns(self.0), width_ns: 1, stepped })
        }

        fn counters(&mut self) -> Option<HostCounters> {
            None
        }
    }

    #[test]
    fn samples_travel_when_due_when_needed_and_on_both_sides_of_a_step() {
        let (mut sampling, mut clocks, mut pending) = (Sampling::default(), Clocks(0), Pending::default());
        for (ms, needed) in
            [(0, false), (100, false), (200, true), (300, false), (451, false), (500, false), (510, false)]
        {
            sampling.look(&mut clocks, Duration::from_millis(ms), needed, &mut pending);
        }
        let sent: Vec<i64> =
            pending.take(None, None).clock_samples.iter().map(|sample| sample.raw_ns).collect();
        assert_eq!(
            sent,
            [1, 3, 5, 6, 7],
            "at 0, needed at 200, due at 451, before and behind the step at 510"
        );
    }
}
