//! Rates: a policer, and a link with a queue before it.

/// Nanoseconds in a ms: tokens and rates are counted in octets·ns per ms, so that nothing is rounded.
const NS_PER_MS: i64 = 1_000_000;

/// A token bucket of one direction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    /// Tokens in millionths of an octet, and when they were counted; full before the first packet.
    state: Option<(i64, i64)>,
}

impl Bucket {
    /// Whether a packet finds enough tokens, which it then takes.
    pub(super) fn passes(&mut self, octets: usize, at_ns: i64, octets_per_ms: u32, burst: u32) -> bool {
        let full = i64::from(burst) * NS_PER_MS;
        let (tokens, since_ns) = self.state.unwrap_or((full, at_ns));
        let gained = (at_ns - since_ns).max(0).saturating_mul(octets_per_ms.into());
        let tokens = tokens.saturating_add(gained).min(full);
        let price = signed(octets) * NS_PER_MS;
        let passes = price <= tokens;
        self.state = Some((if passes { tokens - price } else { tokens }, at_ns.max(since_ns)));
        passes
    }
}

/// A link of one direction that sends one packet after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Link {
    free_ns: i64,
}

impl Link {
    /// How long a packet waits and is sent, in ns; `None` if it would make more than `limit` octets wait. The one
    /// that is being sent counts with what is left of it.
    pub(super) fn takes(&mut self, octets: usize, at_ns: i64, octets_per_ms: u32, limit: u32) -> Option<u64> {
        let rate = i64::from(octets_per_ms.max(1));
        let waits_ns = (self.free_ns - at_ns).max(0);
        let backlog = waits_ns.saturating_mul(rate);
        if backlog.saturating_add(signed(octets) * NS_PER_MS) > i64::from(limit) * NS_PER_MS {
            return None;
        }
        let delay_ns = waits_ns + signed(octets) * NS_PER_MS / rate;
        self.free_ns = at_ns + delay_ns;
        u64::try_from(delay_ns).ok()
    }
}

/// Octets of a packet: never many.
fn signed(octets: usize) -> i64 {
    i64::try_from(octets).unwrap_or(i64::MAX / NS_PER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_passes_its_burst_at_once_and_its_rate_in_the_long_run() {
        let mut bucket = Bucket::default();
        let passed = |bucket: &mut Bucket, from_ns: i64, gap_ns: i64, count: i64| {
            (0..count).filter(|number| bucket.passes(1_000, from_ns + number * gap_ns, 500, 10_000)).count()
        };
        assert_eq!(passed(&mut bucket, 0, 0, 50), 10);
        // 1000 octets each ms, of which 500 have tokens.
        assert_eq!(passed(&mut bucket, 0, NS_PER_MS, 1_000), 499);
    }

    #[test]
    fn a_link_delays_by_what_waits_before_and_drops_when_too_much_does() {
        let mut link = Link::default();
        let delays: Vec<_> = (0..4).map(|_| link.takes(1_000, 0, 1_000, 3_500)).collect();
        assert_eq!(delays, [Some(1_000_000), Some(2_000_000), Some(3_000_000), None]);
        assert_eq!(link.takes(1_000, 2_500_000, 1_000, 3_500), Some(1_500_000));
        assert_eq!(link.takes(1_000, 9_000_000, 1_000, 3_500), Some(1_000_000));
    }
}
