//! A bounded sample of how long the packets of one direction were under way.

/// How many packets of a direction are kept: 512 octets. Of more, every second, fourth, … is kept, spread evenly.
const MAX_KEPT: usize = 64;

/// Units in which a sample is kept, as powers of two of nanoseconds. A stamp off by 65 µs moves an offset by less
/// than 50 ns; delays are kept to 64 ns. Stamps beyond 78 hours and delays beyond 137 s from the first saturate.
const STAMP_SHIFT: u32 = 16;
const DELAY_SHIFT: u32 = 6;

/// A packet, relative to the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    sent: u32,
    delay: i32,
}

/// Packets of one direction whose match is certain: which are kept depends on their order alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    /// Stamps of the first packet at sender and receiver.
    first: Option<(i64, i64)>,
    kept: Vec<Sample>,
    fastest: Option<Sample>,
    count: u64,
    /// Number of the packet that is kept next.
    next: u64,
    /// One in `1 << thinned` packets is kept.
    thinned: u32,
}

impl Samples {
    /// Takes in a packet by its stamps at sender and receiver.
    pub(crate) fn take(&mut self, sent: i64, received: i64) {
        let first = *self.first.get_or_insert((sent, received));
        let sample = Sample::of((sent, received), first);
        if self.fastest.is_none_or(|fastest| sample.delay < fastest.delay) {
            self.fastest = Some(sample);
        }
        let number = self.count;
        self.count += 1;
        if number == self.next {
            self.keep(sample, number);
        }
    }

    fn keep(&mut self, sample: Sample, number: u64) {
        self.kept.push(sample);
        if self.kept.len() == MAX_KEPT {
            let mut place = 0u32;
            self.kept.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.thinned = (self.thinned + 1).min(62);
        }
        // One packet of each stretch, at another place in each, so that no pattern of the traffic is met in step.
        let stretch = (number >> self.thinned) + 1;
        let place = mixed(stretch) & ((1 << self.thinned) - 1);
        self.next = (stretch << self.thinned) + place;
    }

    /// Stamps at sender and receiver of the packets that are kept.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (i64, i64)> {
        let first = self.first.unwrap_or_default();
        self.kept.iter().map(move |sample| sample.stamps(first))
    }

    /// Stamps of the packet that was under way for the shortest time, by the two clocks as they are.
    pub(crate) fn fastest(&self) -> Option<(i64, i64)> {
        Some(self.fastest?.stamps(self.first?))
    }
}

impl Sample {
    fn of((sent, received): (i64, i64), (first_sent, first_received): (i64, i64)) -> Self {
        let delay = received.saturating_sub(sent).saturating_sub(first_received.saturating_sub(first_sent));
        let delay = (delay >> DELAY_SHIFT).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        let since = sent.saturating_sub(first_sent).max(0) >> STAMP_SHIFT;
        Self {
            sent: u32::try_from(since).unwrap_or(u32::MAX),
            delay: i32::try_from(delay).unwrap_or(i32::MAX),
        }
    }

    fn stamps(self, (first_sent, first_received): (i64, i64)) -> (i64, i64) {
        let sent = first_sent.saturating_add(i64::from(self.sent) << STAMP_SHIFT);
        let delay =
            first_received.saturating_sub(first_sent).saturating_add(i64::from(self.delay) << DELAY_SHIFT);
        (sent, sent.saturating_add(delay))
    }
}

/// `SplitMix64` of a number (Steele, Lea, Flood 2014): the same for the same number.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_packets_are_all_kept_to_64_ns() {
        let mut samples = Samples::default();
        let stamps: Vec<(i64, i64)> = (0..60).map(|k| (k * 1_000_003, 5_000 + k * 1_000_777)).collect();
        for &(sent, received) in &stamps {
            samples.take(sent, received);
        }
        let kept: Vec<(i64, i64)> = samples.kept().collect();
        assert_eq!(kept.len(), 60);
        for (one, other) in kept.iter().zip(&stamps) {
            assert!(((one.1 - one.0) - (other.1 - other.0)).abs() < 64);
            assert!((one.0 - other.0).abs() < 1 << STAMP_SHIFT);
        }
    }

    #[test]
    fn many_packets_leave_a_sample_spread_over_all_of_them() {
        let mut samples = Samples::default();
        for k in 0..100_000_i64 {
            samples.take(k * 1_000_000, k * 1_000_000 + 7_000 + (k % 1000) * 1000);
        }
        let kept: Vec<(i64, i64)> = samples.kept().collect();
        assert!((MAX_KEPT / 2..MAX_KEPT).contains(&kept.len()), "{}", kept.len());
        for quarter in 0..4 {
            let within = |sent: i64| (sent / 25_000_000_000) == quarter;
            let here = kept.iter().filter(|&&(sent, _)| within(sent)).count();
            assert!((6..=18).contains(&here), "{here}");
        }
        // The delays grow evenly from 7 to 1006 µs.
        let mut delays: Vec<i64> = kept.iter().map(|&(sent, received)| received - sent).collect();
        delays.sort_unstable();
        assert!((300_000..700_000).contains(&delays[delays.len() / 2]), "{delays:?}");
        assert_eq!(samples.fastest().map(|(sent, received)| received - sent), Some(7_000));
    }

    #[test]
    fn absurd_stamps_do_no_harm() {
        let mut samples = Samples::default();
        for stamp in [0, i64::MAX, i64::MIN, -5, 5] {
            samples.take(stamp, stamp.wrapping_neg());
            samples.take(stamp, i64::MAX);
        }
        assert_eq!(samples.kept().count(), 10);
    }
}
