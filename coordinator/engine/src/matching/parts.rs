//! Parts of pieces: what two differently cut packets have in common, and what is left of them.

use super::piece::wire_segments;
use super::{PayloadSum, Piece};

/// The parts of `piece` outside `[from, to)`.
pub(super) fn outside(piece: &Piece, from: i64, to: i64) -> impl Iterator<Item = Piece> {
    let before = (piece.start < from).then(|| part(piece, piece.start, from));
    let behind = (to < piece.end()).then(|| part(piece, to, piece.end()));
    before.into_iter().chain(behind)
}

/// The sum of what is left of `whole` beside `taken`, if that was a whole piece at one of its ends.
pub(super) fn rest_of_sum(whole: &Piece, left: &Piece, taken: &Piece) -> Option<PayloadSum> {
    let (sum, part) = (whole.sum?, taken.sum?);
    let front = |end: i64| u32::try_from(end - whole.start).ok();
    if taken.start == whole.start && taken.end() == left.start && left.end() == whole.end() {
        Some(sum.without_front(part, front(taken.end())?))
    } else if taken.end() == whole.end() && left.end() == taken.start && left.start == whole.start {
        Some(sum.without_back(part, front(taken.start)?))
    } else {
        None
    }
}

/// The part `[from, to)` of `piece`.
pub(super) fn part(piece: &Piece, from: i64, to: i64) -> Piece {
    if (from, to) == (piece.start, piece.end()) {
        return *piece;
    }
    let len = u32::try_from(to - from).unwrap_or(piece.len);
    let wire = wire_segments(len, Some(u32::from(piece.size))).min(piece.wire);
    let ip_len = piece.ip_len - (piece.len - len).min(piece.ip_len);
    Piece {
        start: from,
        len,
        wire,
        // Where the new octets of the whole lay is forgotten.
        stale: if piece.known() { wire } else { 0 },
        ip_len,
        largest_ip_len: piece.largest_ip_len.min(ip_len),
        ip_id: piece.ip_id.filter(|_| from == piece.start),
        sum: None,
        ..*piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::Kind;

    #[test]
    fn a_segment_that_is_missing_from_a_super_packet_is_one() {
        let sent = Piece { len: 38_272, wire: 27, size: 1428, start: 0, ..Piece::sample(Kind::Data, 0) };
        let parts = [(0, 5712), (5712, 7140), (7140, 38_272)].map(|(from, to)| part(&sent, from, to).wire);
        assert_eq!(parts, [4, 1, 22]);
    }
    #[test]
    fn a_last_segment_may_be_as_short_as_it_likes() {
        let sent = Piece { len: 1416, wire: 2, size: 1400, start: 0, ..Piece::sample(Kind::Data, 0) };
        assert_eq!([(0, 1400), (1400, 1416)].map(|(from, to)| part(&sent, from, to).wire), [1, 1]);
    }
}
