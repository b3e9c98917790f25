//! Arrivals that look exactly like an earlier one: the same packet a second time, or a host that repeats itself.

use crate::matching::{Kind, Piece};

/// How many arrivals at one capture point are remembered, as a power of two. Those that fall on one shelf share its
/// places, and the newest takes that of the oldest, so that at a million packets a second one is remembered for some
/// 16 ms. A duplicate whose original is forgotten is not told.
const PLACES: usize = 1 << 14;

/// Places of a shelf: together they fill half a cache line.
const SHELF: usize = 4;

/// What makes a packet twice does so within a second or so; in units of 2²⁰ ns.
const WITHIN: u16 = 1000;

/// The newest arrivals at one capture point. Empty until the first one comes.
#[derive(Debug, Default)]
pub(crate) struct Twins {
    /// 48 bits that identify an arrival, and 16 of its time.
    places: Vec<u64>,
}

impl Twins {
    /// Whether `piece` of `connection` looks like one that arrived a moment ago; remembers it. `renumbered` is what was
    /// added to its offset and to its acknowledgement, which may have changed since then.
    pub(crate) fn note(&mut self, connection: u32, piece: &Piece, renumbered: (i64, u32)) -> bool {
        if self.places.is_empty() {
            self.places.resize(PLACES, 0);
        }
        let identity = identity(connection, piece, renumbered);
        let now = u16::try_from((piece.at >> 20) & 0xffff).unwrap_or(0);
        let entry = (identity & !0xffff) | u64::from(now);
        let age = |place: u64| now.wrapping_sub(u16::try_from(place & 0xffff).unwrap_or(0));
        let first = usize::try_from(identity >> 50).map_or(0, |place| place - place % SHELF);
        let Some(places) = self.places.get_mut(first..first + SHELF) else { return false };
        if let Some(before) = places.iter_mut().find(|place| **place >> 16 == entry >> 16) {
            let before = core::mem::replace(before, entry);
            return age(before) <= WITHIN;
        }
        if let Some(oldest) = places.iter_mut().max_by_key(|place| (**place == 0, age(**place))) {
            *oldest = entry;
        }
        false
    }
}

/// A mixture of all that tells one transmission from another.
fn identity(connection: u32, piece: &Piece, (shift, acks): (i64, u32)) -> u64 {
    let ack = if piece.kind == Kind::Ack { piece.ack.wrapping_sub(acks) } else { 0 };
    let small = |value: Option<u32>| value.map_or(1 << 32, u64::from);
    let words = [
        (piece.start - shift).cast_unsigned(),
        (u64::from(piece.len) << 32) | u64::from(piece.mark),
        u64::from(ack),
        small(piece.tsval),
        small(piece.ip_id.map(u32::from)) << 3 | piece.kind as u64,
    ];
    words.into_iter().fold(u64::from(connection), |mixture, word| {
        let mixed = (mixture ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(start: i64, ip_id: u16, at: i64) -> Piece {
        Piece { start, ip_id: Some(ip_id), ..Piece::sample(Kind::Data, at) }
    }

    #[test]
    fn only_the_same_packet_of_the_same_connection_is_a_twin_and_only_for_a_while() {
        let mut twins = Twins::default();
        assert!(!twins.note(1, &piece(0, 5, 0), (0, 0)));
        assert!(twins.note(1, &piece(0, 5, 1_000_000), (0, 0)));
        assert!(!twins.note(2, &piece(0, 5, 1_000_000), (0, 0)));
        assert!(!twins.note(1, &piece(0, 6, 1_000_000), (0, 0)));
        assert!(!twins.note(1, &piece(0, 5, 3_000_000_000), (0, 0)));
    }

    #[test]
    fn what_others_have_displaced_is_forgotten() {
        let mut twins = Twins::default();
        twins.note(1, &piece(0, 5, 0), (0, 0));
        let others = (1..200_000).filter(|n| twins.note(1, &piece(n * 100, 5, 0), (0, 0))).count();
        assert_eq!(others, 0, "none looks like another");
        assert!(!twins.note(1, &piece(0, 5, 0), (0, 0)));
        assert_eq!(twins.places.len(), PLACES);
    }
}
