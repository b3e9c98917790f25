//! Pieces that are due for their verdict, and the copies among them.

use crate::matching::{Kind, Piece, Side};

/// Pieces of one side whose time has come, in the order of that side.
pub(super) struct Due {
    pieces: Vec<Piece>,
    /// Places of data pieces, by their first octet.
    by_start: Vec<(i64, usize)>,
    longest: i64,
}

impl Due {
    /// Takes the pieces that were captured at `until` or before out of `side`.
    pub(super) fn of(side: &mut Side, until: i64) -> Self {
        let pieces = side.take_due(until);
        let data = pieces.iter().enumerate().filter(|(_, piece)| piece.kind == Kind::Data);
        let mut by_start: Vec<(i64, usize)> = data.map(|(place, piece)| (piece.start, place)).collect();
        by_start.sort_unstable();
        let longest = pieces.iter().map(|piece| i64::from(piece.len)).max().unwrap_or(0);
        Self { pieces, by_start, longest }
    }

    /// The pieces with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Piece)> {
        self.pieces.iter().enumerate()
    }

    /// Whether a data piece behind that at `place`, captured at `until` or before, covers some of its octets; here or
    /// among those of `side`, which are not due yet.
    pub(super) fn has_later_copy(&self, place: usize, until: i64, side: &Side) -> bool {
        let piece = &self.pieces[place];
        let first = self.by_start.partition_point(|&(start, _)| start < piece.start - self.longest);
        let near = self.by_start[first..].iter().take_while(|&&(start, _)| start < piece.end());
        let later = |&(_, other): &(i64, usize)| {
            other > place && self.pieces[other].at <= until && piece.start < self.pieces[other].end()
        };
        near.into_iter().any(later) || side.has_later_copy(piece, until)
    }

    /// Whether the next piece has the same timestamp: then an echo of it may mean either.
    pub(super) fn shares_stamp_with_next(&self, place: usize) -> bool {
        self.pieces.get(place + 1).is_some_and(|next| next.tsval == self.pieces[place].tsval)
    }
}
