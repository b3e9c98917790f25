//! Seeded randomness, so that a failing run is repeated by its seed.

/// Xorshift64* (Vigna, 2014).
#[derive(Debug, Clone, Copy)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        // Zero is the one state that xorshift never leaves.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 1
    }

    /// A number in `0..below`; `below` must not be 0.
    pub(super) fn below(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    /// A number in `0..below`; `below` must not be 0.
    pub(super) fn upto(&mut self, below: i64) -> i64 {
        i64::try_from(self.below(below.unsigned_abs())).unwrap()
    }

    pub(super) fn bits32(&mut self) -> u32 {
        u32::try_from(self.next() & 0xffff_ffff).unwrap()
    }

    pub(super) fn bits16(&mut self) -> u16 {
        u16::try_from(self.next() & 0xffff).unwrap()
    }

    /// True `per_thousand` times in a thousand.
    pub(super) fn chance(&mut self, per_thousand: u64) -> bool {
        self.below(1000) < per_thousand
    }
}
