//! What waits to travel beside the next batch: losses, clock samples, counters. Bounded.

use core::time::Duration;
use correlate_proto::convert::{Loss, Sidecar};
use correlate_proto::{ClockSample, Coverage, HostCounters, Local, PointStats, Timestamp};

/// Clock samples that wait at most: four minutes' worth, 22 KiB. Beyond it the older half is thinned to every
/// second one, which keeps the whole time covered.
const MAX_SAMPLES: usize = 1024;
/// Counter readings that wait at most, so that a batch with them stays within what a coordinator takes; beyond it
/// the newest two are added up, and tell of the time of both.
const MAX_COUNTERS: usize = 4;
/// Intervals of drops that are told apart; beyond it the last one is stretched.
const MAX_WINDOWS: usize = 1024;

/// The next batch's sidecar, and the drops of this agent over the whole capture.
#[derive(Debug, Default)]
pub(super) struct Pending {
    sidecar: Sidecar,
    waiting_since: Option<Duration>,
    dropped: u64,
    windows: Vec<Coverage>,
}

impl Pending {
    /// Since when something waits.
    pub(super) fn waiting_since(&self) -> Option<Duration> {
        self.waiting_since
    }

    pub(super) fn add_clock(&mut self, sample: ClockSample, now: Duration) {
        self.waiting_since.get_or_insert(now);
        let samples = &mut self.sidecar.clock_samples;
        samples.push(sample);
        if samples.len() > MAX_SAMPLES {
            thin(samples);
        }
    }

    pub(super) fn add_counters(&mut self, counters: HostCounters, now: Duration) {
        self.waiting_since.get_or_insert(now);
        let readings = &mut self.sidecar.host_counters;
        if readings.len() < MAX_COUNTERS {
            readings.push(counters);
        } else if let Some(last) = readings.last_mut() {
            last.at_ns = counters.at_ns;
            for (name, delta) in counters.deltas {
                *last.deltas.entry(name).or_default() += delta;
            }
        }
    }

    pub(super) fn add_loss(&mut self, loss: Loss, now: Duration) {
        self.waiting_since.get_or_insert(now);
        let same = self.sidecar.losses.iter_mut().find(|known| known.source == loss.source);
        match same {
            Some(known) => {
                known.count += loss.count;
                known.first_at = known.first_at.min(loss.first_at);
                known.last_at = known.last_at.max(loss.last_at);
            }
            None => self.sidecar.losses.push(loss),
        }
    }

    /// This agent dropped a batch of packets.
    pub(super) fn add_own_drop(&mut self, loss: Loss, now: Duration) {
        self.dropped += loss.count;
        let window = Coverage { from: loss.first_at, to: loss.last_at };
        if self.windows.len() < MAX_WINDOWS {
            self.windows.push(window);
        } else if let Some(last) = self.windows.last_mut() {
            last.to = last.to.max(window.to);
        }
        self.add_loss(loss, now);
    }

    /// The sidecar for the batch that is being sealed; nothing waits after.
    pub(super) fn take(
        &mut self,
        watermark: Option<Timestamp<Local>>,
        watermark_raw_ns: Option<i64>,
    ) -> Sidecar {
        self.waiting_since = None;
        Sidecar { watermark, watermark_raw_ns, ..core::mem::take(&mut self.sidecar) }
    }

    /// Adds this agent's own drops to the source's counters.
    pub(super) fn add_to(&self, stats: &mut PointStats) {
        stats.dropped_by_agent += self.dropped;
        stats.drop_windows.extend_from_slice(&self.windows);
        stats.drop_windows.sort_unstable_by_key(|window| (window.from, window.to));
    }
}

/// Drops every second sample of the older half. A step that was noted in a dropped one is noted in the next.
fn thin(samples: &mut Vec<ClockSample>) {
    let half = samples.len() / 2;
    let mut stepped = false;
    let mut place = 0;
    samples.retain_mut(|sample| {
        place += 1;
        sample.stepped |= core::mem::take(&mut stepped);
        let keep = place > half || place % 2 == 1;
        if !keep {
            stepped = sample.stepped;
        }
        keep
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use correlate_proto::convert::LossSource;

    fn sample(raw_ns: i64) -> ClockSample {
        ClockSample { raw_ns, realtime: Timestamp::from_ns(raw_ns), width_ns: 1, stepped: raw_ns == 3 }
    }

    #[test]
    fn waiting_samples_are_thinned_and_a_step_survives() {
        let mut pending = Pending::default();
        let total = i64::try_from(MAX_SAMPLES).unwrap() * 4;
        for raw_ns in 0..total {
            pending.add_clock(sample(raw_ns), Duration::ZERO);
        }
        let samples = pending.take(None, None).clock_samples;
        assert!(samples.len() <= MAX_SAMPLES);
        assert_eq!((samples[0].raw_ns, samples[samples.len() - 1].raw_ns), (0, total - 1));
        assert_eq!(samples.iter().filter(|sample| sample.stepped).count(), 1);
        assert!(samples.windows(2).all(|pair| pair[0].raw_ns < pair[1].raw_ns));
    }

    #[test]
    fn waiting_counters_are_added_up_beyond_the_bound() {
        let mut pending = Pending::default();
        for at_ns in 0..200 {
            let deltas = [("TcpExtListenDrops".to_owned(), 2)].into();
            pending.add_counters(HostCounters { at_ns, deltas }, Duration::ZERO);
        }
        let readings = pending.take(None, None).host_counters;
        assert_eq!(readings.len(), MAX_COUNTERS);
        assert_eq!(readings.iter().map(|reading| reading.deltas["TcpExtListenDrops"]).sum::<u64>(), 400);
        assert_eq!(readings[MAX_COUNTERS - 1].at_ns, 199);
    }

    #[test]
    fn own_drops_reach_the_counters_and_the_next_sidecar() {
        let mut pending = Pending::default();
        let drop_at = |ns| Loss {
            source: LossSource::Agent,
            count: 7,
            first_at: Timestamp::from_ns(ns),
            last_at: Timestamp::from_ns(ns + 5),
        };
        for ns in 0..2000 {
            pending.add_own_drop(drop_at(ns * 10), Duration::ZERO);
        }
        let mut stats = PointStats::default();
        pending.add_to(&mut stats);
        assert_eq!((stats.dropped_by_agent, stats.drop_windows.len()), (14_000, MAX_WINDOWS));
        assert_eq!(stats.drop_windows[MAX_WINDOWS - 1].to, Timestamp::from_ns(19_995));
        let losses = pending.take(None, None).losses;
        assert_eq!(losses.len(), 1);
        assert_eq!((losses[0].count, losses[0].last_at), (14_000, Timestamp::from_ns(19_995)));
        assert_eq!(pending.waiting_since(), None);
    }
}
