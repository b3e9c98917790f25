//! What passed and what was lost around the first losses of a direction, in enough detail to tell why (ALGORITHMS §4.7).

use crate::matching::Piece;

/// Packets that are kept: 768 KiB for a direction in which that many passed. Until something is lost the older half goes
/// when it is full; after that the newer ones are not kept, and the cause is told of the first losses.
const MAX_PASSED: usize = 32_768;

/// Lost packets that are kept.
const MAX_LOST: usize = 4_096;

/// A packet that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    /// When it was sent, by the sender's clock.
    pub(crate) sent: i64,
    /// When it arrived, by the receiver's clock.
    pub(crate) received: i64,
    /// Octets of IP.
    pub(crate) octets: u32,
}

/// A packet that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone {
    /// When it was sent, by the sender's clock.
    pub(crate) sent: i64,
    /// Octets of IP.
    pub(crate) octets: u32,
}

/// The packets of one direction of a path, over all of its connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passages {
    passed: Vec<Passed>,
    lost: Vec<Gone>,
    /// What was sent from here on is not kept whole.
    until: Option<i64>,
}

impl Passages {
    /// `sent` arrived as `received`.
    pub(crate) fn deliver(&mut self, sent: &Piece, received: &Piece) {
        if self.passed.len() >= MAX_PASSED {
            if !self.lost.is_empty() {
                self.until.get_or_insert(sent.at);
                return;
            }
            self.passed.drain(..MAX_PASSED / 2);
        }
        self.passed.push(Passed { sent: sent.at, received: received.at, octets: sent.ip_len });
    }

    /// `piece` was lost.
    pub(crate) fn lose(&mut self, piece: &Piece) {
        if self.lost.len() < MAX_LOST {
            self.lost.push(Gone { sent: piece.at, octets: piece.ip_len });
        } else {
            self.until.get_or_insert(piece.at);
        }
    }

    /// What passed and what was lost over the time of which both are kept, each in the order of sending.
    pub(crate) fn whole(&self) -> (Vec<Passed>, Vec<Gone>) {
        let until = self.until.unwrap_or(i64::MAX);
        let mut passed: Vec<Passed> = self.passed.iter().copied().filter(|one| one.sent < until).collect();
        passed.sort_unstable_by_key(|one| (one.sent, one.received));
        let from = passed.first().map_or(i64::MIN, |first| first.sent);
        let kept = |one: &Gone| (from..until).contains(&one.sent);
        let mut lost: Vec<Gone> = self.lost.iter().copied().filter(kept).collect();
        lost.sort_unstable_by_key(|one| one.sent);
        (passed, lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::Kind;

    fn piece(at: i64) -> Piece {
        Piece::sample(Kind::Data, at)
    }

    #[test]
    fn before_anything_is_lost_the_older_half_goes_and_after_that_the_newer_ones() {
        let mut passages = Passages::default();
        let bound = i64::try_from(MAX_PASSED).unwrap();
        for at in 0..=bound {
            passages.deliver(&piece(at), &piece(at + 5));
        }
        let (passed, _) = passages.whole();
        assert_eq!((passed.len(), passed[0].sent), (MAX_PASSED / 2 + 1, bound / 2));
        passages.lose(&piece(bound));
        for at in bound + 1..3 * bound {
            passages.deliver(&piece(at), &piece(at + 5));
        }
        passages.lose(&piece(3 * bound));
        let (passed, lost) = passages.whole();
        assert_eq!(
            (passed.len(), lost.len()),
            (MAX_PASSED, 1),
            "what is told is told of one and the same time"
        );
        assert_eq!(lost[0].sent, bound);
    }

    #[test]
    fn losses_beyond_the_bound_end_the_time_that_is_told_of() {
        let mut passages = Passages::default();
        passages.deliver(&piece(0), &piece(5));
        for at in 1..=i64::try_from(MAX_LOST).unwrap() + 7 {
            passages.lose(&piece(at));
        }
        passages.deliver(&piece(1 << 40), &piece(1 << 40));
        assert_eq!((passages.whole().0.len(), passages.whole().1.len()), (1, MAX_LOST));
    }
}
