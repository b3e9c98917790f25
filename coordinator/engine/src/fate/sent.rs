//! What became of a segment that was sent and not seen arriving.

use super::due::Due;
use super::ends::Ends;
use super::settle::Proofs;
use super::{Fate, Judged};
use crate::connection::Tally;
use crate::matching::{Kind, Lane, Piece};
use crate::point::Window;

/// A segment is overtaken when so many later ones arrived, and one of them was sent well after it.
const OVERTAKEN_BY: u64 = 3;

/// A receiver acknowledges within this (RFC 9293 §3.8.6.3). What it acknowledges later, it got later: from a copy that
/// neither capture has.
const ACKNOWLEDGES_WITHIN_NS: i64 = 500_000_000;

/// How a segment is known to have arrived though the capture lacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrived {
    /// The capture was found to lack it when its acknowledgement was taken in.
    Known,
    /// It shows only now.
    FoundOut,
    /// Its octets arrived, but hardly with this copy.
    Doubtful,
}

impl Ends<'_> {
    /// Judges the piece at `place`.
    pub(super) fn judge_sent(
        &self,
        due: &Due,
        (place, piece): (usize, &Piece),
        lane: &Lane,
        tally: &mut Tally,
        proofs: &mut Proofs,
    ) -> Judged {
        let (earliest, latest) = self.arrival(piece);
        let in_cover =
            self.receiving().covers(Window { from: earliest, to: latest.saturating_add(self.slack) });
        if !in_cover && !self.was_overtaken(piece, tally) && !self.was_replaced(piece) {
            return Judged::surely(Fate::Uncovered);
        }
        let half = self.receiver.half(self.direction);
        let forgotten = lane.sent.given_up() + lane.received.given_up() > 0
            || lane.sent.forgot_since(piece.at)
            || lane.received.forgot_since(earliest)
            || half.seen.forgot();
        if piece.fragment || forgotten || !self.comparison.shows_absence(piece, half, lane, tally) {
            tally.ambiguous += u64::from(piece.wire);
            return Judged::surely(Fate::Ambiguous);
        }
        let arrived = match piece.kind {
            Kind::Data => self.octets_arrived(due, (place, piece), lane),
            Kind::Syn | Kind::SynAck => self
                .octets_arrived(due, (place, piece), lane)
                .or_else(|| self.opening_arrived(due, (place, piece), lane)),
            Kind::Ack => self.was_echoed(due, (place, piece)),
            Kind::Rst => None,
        };
        if arrived == Some(Arrived::Doubtful) {
            tally.ambiguous += u64::from(piece.wire);
            return Judged::surely(Fate::Ambiguous);
        }
        if let Some(arrived) = arrived {
            tally.miss_received(piece);
            proofs.missed_by_receiver(piece, arrived == Arrived::FoundOut);
            return Judged::surely(Fate::MissedByReceiver);
        }
        let confirmed =
            self.has_octets_of(piece) && self.is_acknowledged(piece) && !self.was_sent_in_vain(piece, tally);
        tally.lose(piece, confirmed);
        if confirmed {
            Judged::surely(Fate::Lost)
        } else {
            Judged::unless_suspect(Fate::Lost, self.receiver.point, Fate::Ambiguous)
        }
    }

    /// Whether the receiver's capture has the octets of `piece`, whichever copy brought them.
    fn has_octets_of(&self, piece: &Piece) -> bool {
        let (half, start, end) = self.at_receiver(piece);
        piece.len > 0 && half.seen.contains(start, end)
    }

    /// Whether the receiver's host took in the octets of `piece`, whichever copy brought them. From one that acknowledges
    /// nothing, sending again tells nothing: it may have got the first copy as well.
    fn is_acknowledged(&self, piece: &Piece) -> bool {
        let (at_sender, _, to) = self.at_sender(piece);
        let (at_receiver, _, end) = self.at_receiver(piece);
        at_sender.acked.is_some_and(|acked| acked >= to)
            || at_receiver.acked.is_some_and(|acked| acked >= end)
    }

    /// Whether `piece` may have been sent after an earlier copy had arrived: then that copy says nothing of this one.
    fn was_sent_in_vain(&self, piece: &Piece, tally: &Tally) -> bool {
        let (at_receiver, start, end) = self.at_receiver(piece);
        let (at_sender, from, _) = self.at_sender(piece);
        let again = at_sender.unseen.again(from, piece.at);
        let acknowledged = again.is_some_and(|again| again.acknowledged_for.is_some());
        let first_arrived = piece.known() && !tally.lost_some_of(piece);
        piece.repeats && (acknowledged || first_arrived || at_receiver.unseen.came_in_vain(start, end))
    }

    /// Whether segments sent well after `piece` arrived in the capture: then it had its chance there too, however
    /// soon the capture ended (§4.3: three later segments, and a settling time for reordering).
    fn was_overtaken(&self, piece: &Piece, tally: &Tally) -> bool {
        let settled = piece.at.saturating_add(self.settling);
        let (earliest, latest) = self.arrival(piece);
        let chance = Window { from: earliest, to: latest.saturating_add(self.settling) };
        tally.delivered_beyond(piece.serial + OVERTAKEN_BY, settled) && self.receiving().covers(chance)
    }

    /// Whether octets that `piece` was the first to carry arrived in the capture with a later copy: its sender waited for a
    /// round trip at least before it sent that, so `piece` had its chance there (§4.2: the hole closes with the copy that
    /// was sent again).
    fn was_replaced(&self, piece: &Piece) -> bool {
        let (from, to) = self.arrival(piece);
        !piece.repeats && self.has_octets_of(piece) && self.receiving().covers(Window { from, to })
    }

    /// Whether an acknowledgement proves that the receiver got this copy though its capture has none: one that
    /// left before any copy that the capture does have, and no later copy explains better.
    fn octets_arrived(&self, due: &Due, (place, piece): (usize, &Piece), lane: &Lane) -> Option<Arrived> {
        let (half, start, end) = self.at_receiver(piece);
        let echoed = self.was_echoed(due, (place, piece)).is_some();
        for missed in half.unseen.overlapping(start, end) {
            let in_time = missed.by <= self.arrival(piece).1.saturating_add(ACKNOWLEDGES_WITHIN_NS);
            if echoed || self.is_last_before(missed.by, due, (place, piece), lane) {
                return Some(match (in_time || echoed, missed.counted) {
                    (true, true) => Arrived::Known,
                    (true, false) => Arrived::FoundOut,
                    (false, _) => Arrived::Doubtful,
                });
            }
        }
        if half.unseen.lacks(start, end) {
            return None;
        }
        let (at_sender, from, to) = self.at_sender(piece);
        // The receiver got it twice, and its capture shows one arrival.
        let twice = at_sender.unseen.got_twice(from, to) && !half.unseen.came_in_vain(start, end);
        let acked = at_sender.acked.is_some_and(|acked| acked >= to) && !half.seen.contains(start, end);
        let explains = (twice || acked) && !due.has_later_copy(place, i64::MAX, &lane.sent);
        explains.then_some(Arrived::FoundOut)
    }

    /// Whether the receiver went on with the handshake before a SYN or SYN-ACK came that its capture has.
    fn opening_arrived(&self, due: &Due, (place, piece): (usize, &Piece), lane: &Lane) -> Option<Arrived> {
        let (half, _, _) = self.at_receiver(piece);
        let log = self.receiver_log;
        let (seen, answer) = if piece.kind == Kind::Syn {
            (log.syn.first(), log.syn_ack.first().copied())
        } else {
            (log.syn_ack.first(), log.ack)
        };
        let answered = answer.filter(|answer| seen.is_none_or(|seen| answer.at < seen.at));
        let early = answered.is_some_and(|answer| self.is_last_before(answer.at, due, (place, piece), lane));
        // The capture shows what follows a SYN that it does not show.
        let went_on = half.isn.is_none() && half.origin().is_some();
        (early || went_on).then_some(Arrived::FoundOut)
    }

    /// Whether `piece` is the last copy of its octets that can have arrived by `by`, of the receiver's clock. The only
    /// one is, however fast it was: what a device puts to a packet that waits overtakes every other.
    fn is_last_before(&self, by: i64, due: &Due, (place, piece): (usize, &Piece), lane: &Lane) -> bool {
        let (_, latest) = self.session.translate(by, self.receiver.point, self.sender.point);
        if !piece.repeats && piece.at <= latest && !due.has_later_copy(place, i64::MAX, &lane.sent) {
            return true;
        }
        let sendable_until = self.sendable_until(by);
        piece.at <= sendable_until && !due.has_later_copy(place, sendable_until, &lane.sent)
    }

    /// When what the receiver had at `by` was sent at the latest, by the sender's clock. By the estimate of the offset
    /// every packet of either direction takes half the shortest round trip at least, however asymmetric the path is:
    /// the estimate lies in the middle between the fastest of both. Half of that is left to its own error.
    fn sendable_until(&self, by: i64) -> i64 {
        let (receiver, sender) = (self.receiver.point, self.sender.point);
        self.session.translate_by_estimate(by, receiver, sender).map_or_else(
            || self.session.translate(by, receiver, sender).1,
            |at| at.saturating_sub(self.round_trip / 4),
        )
    }

    /// Whether the receiver echoed a timestamp that only this one can have brought.
    fn was_echoed(&self, due: &Due, (place, piece): (usize, &Piece)) -> Option<Arrived> {
        let (half, _, _) = self.at_receiver(piece);
        let echoed = piece.tsval.is_some_and(|value| half.unseen.was_echoed(value));
        (echoed && !due.shares_stamp(place)).then_some(Arrived::FoundOut)
    }
}
