//! Readings of the host's clocks: what maps the kernel's packet stamps to a clock that nobody slews.

use super::sys::{self, KernelClock, now_ns};
use correlate_proto::{ClockSample, Timestamp};
use std::io;
use std::os::fd::OwnedFd;

/// Readings of which the narrowest is kept: one that was not interrupted is nearly always among five.
const TRIES: usize = 5;

/// A host was suspended if the clocks that tell of it moved apart by more; less is the time between two readings.
const LEAST_SUSPENSION_NS: i64 = 10_000_000;

/// Takes clock samples. One per capture point, asked every 100 to 250 ms.
#[derive(Debug)]
pub struct ClockSampler {
    timer: OwnedFd,
    /// How long the host has been suspended since it was started.
    suspended_ns: i64,
}

impl ClockSampler {
    /// A sampler that notices from now on when the wall clock is set.
    pub fn new() -> io::Result<Self> {
        Ok(Self { timer: sys::clock_set_timer()?, suspended_ns: suspended_ns() })
    }

    /// One sample: raw, wall, raw again, five times, the narrowest kept. Takes about a microsecond. The time that the
    /// host is suspended, which the raw clock leaves out and packets of others do not, is added to it.
    pub fn sample(&mut self) -> ClockSample {
        let stepped = sys::clock_was_set(&self.timer);
        let suspended_ns = suspended_ns();
        if suspended_ns - self.suspended_ns > LEAST_SUSPENSION_NS {
            self.suspended_ns = suspended_ns;
        }
        let mut narrowest = read_once();
        for _ in 1..TRIES {
            let next = read_once();
            if next.width_ns < narrowest.width_ns {
                narrowest = next;
            }
        }
        // A step between the question and the readings belongs to this sample.
        ClockSample {
            raw_ns: narrowest.raw_ns.saturating_add(self.suspended_ns),
            stepped: stepped || sys::clock_was_set(&self.timer),
            ..narrowest
        }
    }
}

fn suspended_ns() -> i64 {
    // The two differ by nothing else (`clock_gettime(2)`); what passes between the readings makes it too long.
    let tries = (0..TRIES).map(|_| {
        let monotonic = now_ns(KernelClock::Monotonic);
        now_ns(KernelClock::Boottime) - monotonic
    });
    tries.min().unwrap_or(0)
}

fn read_once() -> ClockSample {
    let before = now_ns(KernelClock::MonotonicRaw);
    let realtime = now_ns(KernelClock::Realtime);
    let after = now_ns(KernelClock::MonotonicRaw);
    ClockSample {
        raw_ns: before + (after - before) / 2,
        realtime: Timestamp::from_ns(realtime),
        width_ns: u32::try_from(after - before).unwrap_or(u32::MAX),
        stepped: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_advance_and_are_narrow() {
        let mut sampler = ClockSampler::new().expect("a timer");
        let taken: Vec<ClockSample> = (0..100).map(|_| sampler.sample()).collect();
        assert!(taken.windows(2).all(|pair| pair[0].raw_ns < pair[1].raw_ns));
        let narrowest = taken.iter().map(|sample| sample.width_ns).min();
        assert!(narrowest.is_some_and(|width| width < 100_000), "{narrowest:?}");
        let system = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let last = taken[99].realtime.as_ns();
        let away = i64::try_from(system.as_nanos()).expect("before 2262") - last;
        assert!(taken.iter().any(|sample| sample.stepped) || away.abs() < 60_000_000_000, "{away} ns");
    }
}
