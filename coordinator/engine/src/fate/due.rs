//! Pieces that are due for their verdict, and the copies among them.

use crate::matching::{Piece, Side};

/// Pieces of one side whose time has come, in the order of that side.
pub(super) struct Due {
    pieces: Vec<Piece>,
    /// Places of those that carry octets, by the first.
    by_start: Vec<(i64, usize)>,
    longest: i64,
}

impl Due {
    /// Takes the pieces that were captured at `until` or before out of `side`.
    pub(super) fn of(side: &mut Side, until: i64) -> Self {
        let pieces = side.take_due(until);
        let carrying = pieces.iter().enumerate().filter(|(_, piece)| piece.len > 0);
        let mut by_start: Vec<(i64, usize)> = carrying.map(|(place, piece)| (piece.start, place)).collect();
        by_start.sort_unstable();
        let longest = pieces.iter().map(|piece| i64::from(piece.len)).max().unwrap_or(0);
        Self { pieces, by_start, longest }
    }

    /// The pieces with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Piece)> {
        self.pieces.iter().enumerate()
    }

    /// Whether a piece of the same kind behind that at `place`, captured at `until` or before, covers some of its
    /// octets; here or among those of `side`, which are not due yet.
    pub(super) fn has_later_copy(&self, place: usize, until: i64, side: &Side) -> bool {
        let piece = &self.pieces[place];
        let first = self.by_start.partition_point(|&(start, _)| start < piece.start - self.longest);
        let near = self.by_start[first..].iter().take_while(|&&(start, _)| start < piece.end());
        let later = |&(_, place_of_other): &(i64, usize)| {
            let other = &self.pieces[place_of_other];
            place_of_other > place
                && other.kind == piece.kind
                && other.at <= until
                && piece.start < other.end()
        };
        near.into_iter().any(later) || side.has_later_copy(piece, until)
    }

    /// Whether a piece beside that at `place` has the same timestamp: then an echo of it may mean either.
    pub(super) fn shares_stamp(&self, place: usize) -> bool {
        let stamp = |place: usize| self.pieces.get(place).map(|piece| piece.tsval);
        let own = stamp(place);
        stamp(place + 1) == own || place.checked_sub(1).is_some_and(|before| stamp(before) == own)
    }
}
