//! The payload of simulated connections: an octet for each sequence number.

use correlate_proto::SeqNum;

fn octet(at: u32) -> u64 {
    u64::from(at.wrapping_mul(0x9E37_79B9) >> 24)
}

/// The one's-complement sum of `len` octets from `seq` on, as a checksum covers them.
pub(super) fn sum(seq: SeqNum, len: u32) -> u16 {
    let words = (0..len).map(|k| octet(seq.0.wrapping_add(k)) << if k % 2 == 0 { 8 } else { 0 });
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}
