//! How much speaks for two opening packets being one packet whose sequence number was rewritten (ALGORITHMS §2.5).

use crate::connection::Offer;

/// Odds in nats (natural logarithms) in favour of two packets being one.
pub(crate) type Nats = i32;

const OTHER_STAMP: Nats = -30;
/// An IP ID agrees by chance one time in 2¹⁶; devices that rewrite sequence numbers may rewrite it too.
const SAME_ID: Nats = 11;
const OTHER_ID: Nats = -8;
/// Windows and scales are chosen by the stack and its settings: many hosts share them, and no device has a reason to
/// change them.
const SAME_WINDOW: Nats = 2;
const OTHER_WINDOW: Nats = -8;
const SAME_SCALE: Nats = 2;
const OTHER_SCALE: Nats = -8;
/// The segment size and the layout of options are common, and may be edited.
const SAME_MSS: Nats = 1;
const SAME_LAYOUT: Nats = 2;

/// What speaks for `a` and `b`, captured at two points, being one packet, whatever their sequence numbers. A SYN
/// and a SYN-ACK are told to be of one handshake by the timestamp that the SYN-ACK echoes.
pub(crate) fn likeness(a: &Offer, b: &Offer) -> Nats {
    if a.answers != b.answers {
        let (syn, answer) = if a.answers { (b, a) } else { (a, b) };
        return match (syn.stamps, answer.stamps) {
            (Some((value, _)), Some((_, echo))) if value == echo => same_stamp(value),
            _ => OTHER_STAMP,
        };
    }
    let mut odds = match (a.stamps, b.stamps) {
        (Some((one, _)), Some((other, _))) if one == other => same_stamp(one),
        (Some(_), Some(_)) => OTHER_STAMP,
        _ => 0,
    };
    odds += match (a.ip_id, b.ip_id) {
        (Some(0), Some(0)) | (None, _) | (_, None) => 0,
        (one, other) if one == other => SAME_ID,
        _ => OTHER_ID,
    };
    odds += if a.window == b.window { SAME_WINDOW } else { OTHER_WINDOW };
    odds += if a.layout != 0 && a.layout == b.layout { SAME_LAYOUT } else { 0 };
    if let (Some(one), Some(other)) = (a.terms, b.terms) {
        odds += match (one.window_scale, other.window_scale) {
            (one, other) if one == other => SAME_SCALE,
            (Some(_), Some(_)) => OTHER_SCALE,
            _ => 0,
        };
        odds += if one.mss == other.mss { SAME_MSS } else { 0 };
    }
    odds
}

/// What an equal timestamp is worth. Stacks draw its base at random for each connection, so that it agrees by chance one
/// time in 2³²; a small one is of a stack that counts from its start, and others may have started as long ago.
fn same_stamp(value: u32) -> Nats {
    let bits = value.checked_ilog2().map_or(0, |bits| bits + 1);
    Nats::try_from(bits * 7 / 10).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_timestamps_tell_little() {
        assert_eq!([0, 1, 1000, u32::MAX].map(same_stamp), [0, 0, 7, 22]);
    }
}
