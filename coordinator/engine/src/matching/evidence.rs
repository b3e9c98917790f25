//! What waiting pieces tell of how the two ends number octets, before anything can be matched.

use super::{Kind, Piece, Side};
use std::collections::BTreeMap;

/// How many pieces of the ends are compared. More would tell the same and cost their product; of those sent more,
/// as many are still on their way.
const COMPARED: usize = 128;
const COMPARED_SENT: usize = 1024;

/// So many more pieces must agree on a shift that nothing else suggests than on any other.
const LEAST_AGREED: u32 = 3;

/// How many waiting pieces fit each other under a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Fit {
    /// With octets.
    pub(crate) data: u32,
    /// Acknowledgements with one IP ID or timestamp.
    pub(crate) acks: u32,
}

/// How many pieces of two ends are alike if `shift` is added to the offsets of `moved`. Handshake packets and resets
/// do not count.
pub(crate) fn fit(moved: &Side, fixed: &Side, shift: i64) -> Fit {
    let mut fit = Fit::default();
    let counted = moved.iter().filter(|piece| matches!(piece.kind, Kind::Data | Kind::Ack));
    for piece in counted.take(COMPARED) {
        let like = |other: &Piece| {
            other.kind == piece.kind
                && (other.start, other.len) == (piece.start + shift, piece.len)
                && sums_agree(piece, other)
                && (piece.len > 0 || shares_mark(piece, other))
        };
        if fixed.iter().take(COMPARED).any(like) {
            let kind = if piece.len > 0 { &mut fit.data } else { &mut fit.acks };
            *kind += 1;
        }
    }
    fit
}

/// The one shift of the offsets of `received` under which pieces of the two ends are alike in length and in marks
/// that no other connection shares; `None` if there is none, or more than one: segments of one burst share a
/// timestamp, and only their bursts together tell by how many segments two ends differ.
pub(crate) fn likely_shift(sent: &Side, received: &Side) -> Option<i64> {
    let counted = |piece: &&Piece| matches!(piece.kind, Kind::Data | Kind::Ack) && !piece.repeats;
    let mut votes: BTreeMap<i64, u32> = BTreeMap::new();
    for piece in received.newest().filter(counted).take(COMPARED) {
        for other in sent.newest().filter(counted).take(COMPARED_SENT) {
            let alike = (piece.kind, piece.len, piece.ack, piece.mark)
                == (other.kind, other.len, other.ack, other.mark);
            if alike && sums_agree(piece, other) && shares_mark(piece, other) {
                *votes.entry(other.start - piece.start).or_default() += 1;
            }
        }
    }
    let (&shift, &most) = votes.iter().max_by_key(|&(_, &count)| count)?;
    let next = votes.iter().filter(|&(&other, _)| other != shift).map(|(_, &count)| count).max();
    (most >= next.unwrap_or(0) + LEAST_AGREED).then_some(shift)
}

fn sums_agree(a: &Piece, b: &Piece) -> bool {
    a.sum.is_none() || b.sum.is_none() || a.sum == b.sum
}

/// Whether two pieces share an IP ID, or a timestamp. Where both have an IP ID and it differs, the payload must be the
/// same besides. Payload alone shows nothing: a proxy sends the same in packets of its own.
fn shares_mark(a: &Piece, b: &Piece) -> bool {
    let ids = a.ip_id.zip(b.ip_id).filter(|&(a, b)| a != 0 && b != 0);
    let same_id = ids.is_some_and(|(a, b)| a == b);
    let same_stamp = a.tsval.is_some() && a.tsval == b.tsval;
    let same_sum = a.len > 0 && a.sum.is_some() && a.sum == b.sum;
    same_id || (same_stamp && (ids.is_none() || same_sum))
}
