//! What became of a segment that arrived and was not seen leaving.

use super::ends::Ends;
use super::settle::Proofs;
use super::{Fate, Judged};
use crate::connection::Tally;
use crate::matching::{Kind, Lane, Piece};

impl Ends<'_> {
    /// Judges `piece`.
    pub(super) fn judge_received(
        &self,
        piece: &Piece,
        lane: &Lane,
        tally: &mut Tally,
        proofs: &mut Proofs,
    ) -> Judged {
        if piece.kind == Kind::Data && tally.take_back(piece) {
            // It was given up too early and did arrive.
            return Judged::surely(Fate::Ambiguous);
        }
        let carries = matches!(piece.kind, Kind::Data | Kind::Ack);
        let twin = carries && tally.is_twin(piece.serial);
        if twin && self.is_no_repeat(piece, lane) {
            tally.duplicate(piece, true);
            return Judged::surely(Fate::Duplicated);
        }
        let departure = self.departure(piece);
        if !self.sending().covers(departure) {
            return Judged::surely(Fate::Uncovered);
        }
        let forgotten = lane.sent.given_up() + lane.received.given_up() > 0
            || lane.received.forgot_since(piece.at)
            || lane.sent.forgot_since(departure.from);
        if forgotten || !self.comparison.shows_origin(piece) {
            tally.ambiguous += u64::from(piece.wire);
            return Judged::surely(Fate::Ambiguous);
        }
        let (half, start, end) = self.at_sender(piece);
        let acknowledged = piece.kind == Kind::Data && half.unseen.lacks(start, end);
        let skipped = || piece.ip_id.is_some_and(|id| half.unseen.skipped(id, departure.from, departure.to));
        let echoed = || piece.tsval.is_some_and(|value| half.unseen.was_echoed(value));
        if acknowledged || skipped() || (!twin && echoed()) {
            tally.miss_sent(piece);
            proofs.missed_by_sender(piece, !acknowledged);
            return Judged::surely(Fate::MissedBySender);
        }
        if twin || (piece.kind == Kind::Data && piece.known()) {
            tally.duplicate(piece, false);
            return Judged::unless_suspect(Fate::Duplicated, self.sender.point, Fate::Ambiguous);
        }
        if !carries {
            return Judged::surely(Fate::Ambiguous);
        }
        tally.ambiguous += u64::from(piece.kind == Kind::Data) * u64::from(piece.wire);
        Judged::unless_suspect(Fate::Ambiguous, self.sender.point, Fate::MissedBySender)
    }

    /// Whether a piece that looks exactly like an earlier one cannot have been sent by itself: no stack uses an IP ID
    /// twice within a moment, and none repeats data sooner than an answer can have come, within which its timestamp
    /// moves on.
    fn is_no_repeat(&self, piece: &Piece, lane: &Lane) -> bool {
        let identified = lane.trusts_ids() && piece.ip_id.is_some_and(|id| id != 0);
        let (half, _, _) = self.at_receiver(piece);
        let tick = half.unseen.tick().filter(|_| piece.kind == Kind::Data && piece.tsval.is_some());
        identified || tick.is_some_and(|tick| tick.saturating_mul(2) < self.round_trip)
    }
}
