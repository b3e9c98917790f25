//! What a row is predicted from: the row before of the same half-flow.
//!
//! Sender and receiver run the same predictions, so only what differs from them travels. In bulk traffic nearly
//! every difference is zero.

use crate::segment::Segment;

/// State of one direction of a flow within one batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Half {
    /// Sequence number expected next.
    pub(super) seq: u32,
    /// Acknowledgement number before.
    pub(super) ack: u32,
    /// Window before.
    pub(super) window: u16,
    /// Payload length of the row before that had any.
    pub(super) payload_len: u32,
    /// IPv4 identification expected next.
    pub(super) ip_id: u16,
    /// Timestamps option before.
    pub(super) timestamps: (u32, u32),
}

impl Half {
    /// Moves on past a row.
    pub(super) fn follow(&mut self, segment: &Segment) {
        // Not `Segment::seq_len`, which may overflow on a hostile length.
        let control = u32::from(segment.flags.0 & 1) + u32::from(segment.flags.0 >> 1 & 1);
        self.seq = segment.seq.0.wrapping_add(segment.payload_len).wrapping_add(control);
        self.ack = segment.ack.0;
        self.window = segment.window;
        if segment.payload_len != 0 {
            self.payload_len = segment.payload_len;
        }
        if let Some(id) = segment.ip.id {
            self.ip_id = id.wrapping_add(1);
        }
        if let Some(timestamps) = segment.options.timestamps {
            self.timestamps = timestamps;
        }
    }
}

/// The difference `value - expected` of numbers modulo 2³², signed.
pub(super) fn difference(value: u32, expected: u32) -> i32 {
    value.wrapping_sub(expected).cast_signed()
}

/// The inverse of [`difference`].
pub(super) fn apply(expected: u32, difference: i32) -> u32 {
    expected.wrapping_add(difference.cast_unsigned())
}

/// The difference `value - expected` of numbers modulo 2¹⁶, signed.
pub(super) fn difference16(value: u16, expected: u16) -> i32 {
    i32::from(value.wrapping_sub(expected).cast_signed())
}

/// The inverse of [`difference16`]; `None` if the difference is no 16-bit one.
pub(super) fn apply16(expected: u16, difference: i32) -> Option<u16> {
    Some(expected.wrapping_add(i16::try_from(difference).ok()?.cast_unsigned()))
}
