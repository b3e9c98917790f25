//! Seeded randomness: the same seed makes the same decisions.

/// `SplitMix64` (Steele, Lea, Flood 2014): small, and good enough to toss coins with.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// A generator for `seed`; `stream` keeps generators of one seed apart.
    pub(crate) const fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ stream.wrapping_mul(0xA076_1D64_78BD_642F))
    }

    /// The next 64 bits.
    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        let top = u32::try_from(self.next_u64() >> 32).unwrap_or(0);
        f64::from(top) < probability * f64::from(u32::MAX)
    }

    /// A number in `0..below`; 0 where `below` is 0. The bias is below 2⁻³² for the small bounds used here.
    pub(crate) const fn below(&mut self, below: u64) -> u64 {
        if below == 0 { 0 } else { self.next_u64() % below }
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn chances_come_out_as_often_as_asked() {
        let mut rng = Rng::new(7, 1);
        let hits = (0..100_000).filter(|_| rng.chance(0.01)).count();
        assert!((900..1100).contains(&hits), "{hits} of 100000 at 1 %");
        assert!(!rng.chance(0.0));
    }

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let draw = |stream| Rng::new(7, stream).next_u64();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
