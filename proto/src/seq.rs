//! TCP sequence numbers (RFC 9293 §3.4): modulo 2³², so without an order.

/// A TCP sequence or acknowledgement number as it stands in the header.
///
/// It has no `Ord`: on a cycle "less than" is not transitive. [`SeqNum::since`] gives the signed distance
/// between two numbers that are known to be near each other; [`Unwrapper`] turns a stream of them into
/// 64-bit offsets, which do have an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNum(pub u32);

impl SeqNum {
    /// This number moved on by `octets`, wrapping at 2³².
    #[must_use]
    pub const fn add(self, octets: u32) -> Self {
        Self(self.0.wrapping_add(octets))
    }

    /// Signed distance from `earlier` to this number; right while the two are less than 2³¹ apart.
    #[must_use]
    #[expect(clippy::cast_possible_wrap, reason = "the wrap is the meaning: distance on a cycle of 2^32")]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }
}

/// Turns sequence numbers of one direction into 64-bit offsets from an origin (the ISN where it was seen).
///
/// The SYN stands at offset 0 and the first octet of data at 1. Numbers that lie before the origin have
/// negative offsets. Each number is taken to lie within 2³¹ of the newest one given before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwrapper {
    newest: SeqNum,
    newest_offset: i64,
}

impl Unwrapper {
    /// An unwrapper whose offset 0 is `origin`.
    #[must_use]
    pub const fn new(origin: SeqNum) -> Self {
        Self { newest: origin, newest_offset: 0 }
    }

    /// The offset of `seq`; moves the reference on if `seq` is the newest number so far.
    pub fn unwrap(&mut self, seq: SeqNum) -> i64 {
        let offset = self.peek(seq);
        if offset > self.newest_offset {
            self.newest = seq;
            self.newest_offset = offset;
        }
        offset
    }

    /// The offset of `seq` without moving the reference.
    #[must_use]
    pub fn peek(&self, seq: SeqNum) -> i64 {
        self.newest_offset + i64::from(seq.since(self.newest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn distance_across_the_wrap_counts_every_number() {
        assert_eq!(SeqNum(0).since(SeqNum(u32::MAX)), 1);
        assert_eq!(SeqNum(u32::MAX).since(SeqNum(0)), -1);
    }

    proptest! {
        #[test]
        fn a_stream_longer_than_the_number_space_unwraps(isn: u32, steps in prop::collection::vec(0u32..1 << 30, 1..40)) {
            let mut unwrapper = Unwrapper::new(SeqNum(isn));
            let (mut seq, mut truth) = (SeqNum(isn), 0i64);
            for step in steps {
                seq = seq.add(step);
                truth += i64::from(step);
                prop_assert_eq!(unwrapper.unwrap(seq), truth);
            }
        }

        #[test]
        fn an_older_number_unwraps_behind_the_newest(isn: u32, ahead in 0u32..1 << 30, back in 0u32..1 << 30) {
            let mut unwrapper = Unwrapper::new(SeqNum(isn));
            let newest = unwrapper.unwrap(SeqNum(isn).add(ahead));
            prop_assert_eq!(unwrapper.unwrap(SeqNum(isn).add(ahead).add(0u32.wrapping_sub(back))), newest - i64::from(back));
        }
    }
}
