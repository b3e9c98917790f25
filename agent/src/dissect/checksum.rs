//! One's-complement arithmetic on checksums (RFC 1071, RFC 1624).

/// Sum of the 16-bit big-endian words of `bytes`; an odd last octet is the high half of a word.
///
/// Words are added four octets at a time: 2^16 is 1 modulo 2^16 - 1, so the fold comes out the same.
#[inline]
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut total: u64 = words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum();
    let mut last = [0; 4];
    for (slot, octet) in last.iter_mut().zip(rest) {
        *slot = *octet;
    }
    total += u64::from(u32::from_be_bytes(last));
    total
}

/// Folds a sum to 16 bits, with the carries added back in.
#[inline]
pub(super) fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
    let sum = (sum & 0xFFFF) + ((sum >> 16) & 0xFFFF) + (sum >> 32);
    let sum = (sum & 0xFFFF) + (sum >> 16);
    let sum = (sum & 0xFFFF) + (sum >> 16);
    u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Sum of the payload that makes a segment's checksum come out right, given the sum of its pseudo-header and
/// of its header with the checksum in it.
///
/// Zero has two forms in one's complement; here it is always 0, and the sum is never 0xFFFF.
#[inline]
pub(super) fn residual(headers: u64) -> u16 {
    match !fold(headers) {
        0xFFFF => 0,
        sum => sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by_the_book(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
        while sum > 0xFFFF {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        u16::try_from(sum).unwrap()
    }

    proptest! {
        #[test]
        fn sums_agree_with_rfc_1071(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(fold(sum(&bytes)), by_the_book(&bytes));
        }

        #[test]
        fn folding_any_sum_is_its_remainder(total: u64) {
            prop_assert_eq!(u64::from(fold(total)) % 0xFFFF, total % 0xFFFF);
        }
    }
}
