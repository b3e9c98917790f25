//! Sums of payload: what the TCP checksum says of the octets without showing them.
//!
//! One's-complement sums (RFC 1071) add up over neighbouring ranges; behind an odd number of octets the two halves
//! of each word change places.

/// The one's-complement sum of some octets. Equal octets have equal sums; other octets have the same one time in
/// 65,535.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PayloadSum(u16);

impl PayloadSum {
    /// The sum as a checksum gives it. One's complement knows two zeros: they are taken as one.
    pub(crate) const fn new(sum: u16) -> Self {
        Self(if sum == u16::MAX { 0 } else { sum })
    }

    /// What is left of this sum of a range when its first `len` octets, with the sum `front`, are taken off.
    pub(crate) const fn without_front(self, front: Self, len: u32) -> Self {
        self.less(front).turned(len)
    }

    /// What is left of this sum of a range when the octets from the `len`-th on, with the sum `back`, are taken off.
    pub(crate) const fn without_back(self, back: Self, len: u32) -> Self {
        self.less(back.turned(len))
    }

    const fn less(self, part: Self) -> Self {
        let (difference, borrowed) = self.0.overflowing_sub(part.0);
        Self::new(if borrowed { difference.wrapping_sub(1) } else { difference })
    }

    /// The sum as it counts behind `len` octets.
    const fn turned(self, len: u32) -> Self {
        if len.is_multiple_of(2) { self } else { Self(self.0.swap_bytes()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(octets: &[u8]) -> PayloadSum {
        let words =
            octets.chunks(2).map(|word| u64::from(word[0]) << 8 | u64::from(*word.get(1).unwrap_or(&0)));
        let mut folded: u64 = words.sum();
        while folded > 0xffff {
            folded = (folded & 0xffff) + (folded >> 16);
        }
        PayloadSum::new(u16::try_from(folded).unwrap())
    }

    #[test]
    fn both_zeros_are_one() {
        assert_eq!(PayloadSum::new(0), PayloadSum::new(0xffff));
        assert_eq!(sum(&[0xff, 0xff, 0, 0]), sum(&[0; 4]));
    }

    proptest! {
        #[test]
        fn the_sums_of_two_parts_make_that_of_the_whole(
            octets in prop::collection::vec(any::<u8>(), 0..40), at in 0usize..40,
        ) {
            let at = at.min(octets.len());
            let (front, back) = octets.split_at(at);
            let (whole, len) = (sum(&octets), u32::try_from(at).unwrap());
            prop_assert_eq!(whole.without_front(sum(front), len), sum(back));
            prop_assert_eq!(whole.without_back(sum(back), len), sum(front));
        }
    }
}
