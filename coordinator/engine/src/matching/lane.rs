//! One direction between two adjacent capture points: transmissions on one side, arrivals on the other.

use super::parts::{outside, part, rest_of_sum};
use super::trust::{Learner, Trust, Worth, stamp_was_rewritten, well_marked};
use super::{Kind, Piece, Side};

/// A transmission and its arrival.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Match {
    pub(crate) sent: Piece,
    pub(crate) received: Piece,
    /// The pairing admits no other copy: it may teach the clock.
    pub(crate) certain: bool,
    /// When its octets left for the first time, as far as an earlier copy still waits.
    pub(crate) first_at: i64,
    /// The two ends show the packets that it belongs to cut differently.
    pub(crate) recut: bool,
}

/// Which end a piece was captured at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Where the direction begins.
    Sender,
    /// Where it ends.
    Receiver,
}

/// One direction between two adjacent capture points.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) sent: Side,
    pub(crate) received: Side,
    learner: Learner,
    /// What is added to the timestamps of arrivals to get those that were sent.
    stamp_shift: u32,
}

impl Lane {
    /// Takes in a piece captured at `end`, its offsets and acknowledgement numbered as the upstream point numbers
    /// them; gives its matches to `each`. A `twin` of an earlier one is matched with nothing but its like.
    pub(crate) fn take(&mut self, end: End, mut piece: Piece, twin: bool, mut each: impl FnMut(Match)) {
        self.side(end).number(&mut piece);
        if end == End::Receiver {
            piece.tsval = piece.tsval.map(|value| value.wrapping_add(self.stamp_shift));
        }
        self.offer(end, piece, twin, &mut each);
    }

    /// The pieces of `end` that wait.
    pub(crate) const fn side(&mut self, end: End) -> &mut Side {
        match end {
            End::Sender => &mut self.sent,
            End::Receiver => &mut self.received,
        }
    }

    /// Whether IP IDs may tell one packet from another: no device is known to rewrite them.
    pub(crate) fn trusts_ids(&self) -> bool {
        self.learner.trust.ids != Worth::Ignored
    }

    /// Whether copies of a segment differ in a mark that survives the path.
    pub(crate) fn tells_copies_apart(&self) -> bool {
        let Trust { ids, stamps, .. } = self.learner.trust;
        ids == Worth::Usable || stamps == Worth::Usable
    }

    /// Takes out the waiting handshake packets: those of the two ends are not the same. Gives their number.
    pub(crate) fn drop_openings(&mut self) -> u64 {
        let mut dropped = 0;
        for side in [&mut self.sent, &mut self.received] {
            for piece in side.take_due(i64::MAX) {
                if matches!(piece.kind, Kind::Syn | Kind::SynAck) {
                    dropped += 1;
                } else {
                    side.wait(piece);
                }
            }
        }
        dropped
    }

    /// Offers the waiting pieces of `end` again, in order, after they have been renumbered.
    pub(crate) fn offer_again(&mut self, end: End, mut each: impl FnMut(Match)) {
        if self.sent.is_empty() || self.received.is_empty() {
            return;
        }
        for piece in self.side(end).take_due(i64::MAX) {
            self.offer(end, piece, false, &mut each);
        }
    }

    /// The waiting pieces of `end`, and those of the other end.
    const fn sides(&mut self, end: End) -> (&mut Side, &mut Side) {
        match end {
            End::Sender => (&mut self.sent, &mut self.received),
            End::Receiver => (&mut self.received, &mut self.sent),
        }
    }

    fn offer(&mut self, end: End, piece: Piece, twin: bool, each: &mut impl FnMut(Match)) {
        let trust = self.learner.trust;
        let (own, other) = self.sides(end);
        if other.is_empty() {
            own.wait(piece);
            return;
        }
        let found = other.take(&piece, trust);
        let rewritten = |other| if twin { None } else { take_with_rewritten_marks(other, &piece, trust) };
        match found.or_else(|| rewritten(other)) {
            Some(counterpart) => {
                let pair = self.pair(end, piece, counterpart);
                self.learn(&pair);
                each(pair);
            }
            None if piece.kind == Kind::Data => self.offer_parts(end, piece, each),
            None => own.wait(piece),
        }
    }

    /// Matches `piece` part by part with pieces of the other side that are cut differently.
    fn offer_parts(&mut self, end: End, piece: Piece, each: &mut impl FnMut(Match)) {
        let trust = self.learner.trust;
        let mut next = Some((end, piece));
        // Only where a device put packets together.
        let mut later: Vec<(End, Piece)> = Vec::new();
        while let Some((end, current)) = next.take().or_else(|| later.pop()) {
            let (own, other) = self.sides(end);
            let whole = other.take(&current, trust);
            let Some(counterpart) = whole.or_else(|| other.take_overlap(&current, trust)) else {
                own.wait(current);
                continue;
            };
            let (from, to) = (current.start.max(counterpart.start), current.end().min(counterpart.end()));
            // Of a datagram that was fragmented on the way, the rest travels without a TCP header.
            let fragment = current.fragment || counterpart.fragment;
            // The marks of a packet that a device put together are those of one of its parts.
            let [mine_joined, theirs_joined] = match end {
                End::Sender => [false, is_joined(&counterpart, &current)],
                End::Receiver => [is_joined(&current, &counterpart), false],
            };
            for leftover in outside(&counterpart, from, to) {
                let sum = rest_of_sum(&counterpart, &leftover, &current);
                let leftover = Piece { fragment, sum, ..leftover };
                if theirs_joined {
                    later.push((End::Receiver, leftover.without_marks()));
                } else {
                    other.wait_as_stray(leftover);
                }
            }
            for leftover in outside(&current, from, to) {
                let sum = rest_of_sum(&current, &leftover, &counterpart);
                let leftover = Piece { fragment, sum, ..leftover };
                if mine_joined {
                    later.push((End::Receiver, leftover.without_marks()));
                } else if leftover.start < from {
                    own.wait_as_stray(leftover);
                } else {
                    next = Some((end, leftover));
                }
            }
            if current.start == counterpart.start {
                self.learner.learn_cut(&current, &counterpart);
            }
            let (mine, theirs) = (part(&current, from, to), part(&counterpart, from, to));
            let mut pair = self.pair(end, mine, theirs);
            (pair.certain, pair.recut) = (false, true);
            each(pair);
        }
    }

    fn pair(&self, end: End, piece: Piece, counterpart: Piece) -> Match {
        let (sent, received) = match end {
            End::Sender => (piece, counterpart),
            End::Receiver => (counterpart, piece),
        };
        let identified = self.learner.trust.ids == Worth::Usable && sent.ip_id.is_some_and(|id| id != 0);
        // A forged reset may be the image of a real one, down to its number.
        let forgeable = sent.kind == Kind::Rst && sent.tsval.is_none();
        let certain = identified || !(sent.repeats || received.repeats || forgeable);
        let first = if sent.repeats { self.sent.first_copy(&sent) } else { None };
        Match { sent, received, certain, first_at: first.unwrap_or(sent.at), recut: false }
    }

    fn learn(&mut self, pair: &Match) {
        if let Some(shift) = self.learner.learn(&pair.sent, &pair.received) {
            self.stamp_shift = self.stamp_shift.wrapping_add(shift);
            self.received.change(0, |piece| {
                piece.tsval = piece.tsval.map(|value| value.wrapping_add(shift));
            });
        }
    }
}

/// The waiting piece that differs from `piece` only in marks that a device may have rewritten.
fn take_with_rewritten_marks(other: &mut Side, piece: &Piece, trust: Trust) -> Option<Piece> {
    let mut found = None;
    if trust.id_may_differ(piece) {
        let without = trust.without_ids();
        found = other.take_if(piece, |waiting| without.same(waiting, piece) && trust.id_may_differ(waiting));
    }
    if found.is_none() && trust.stamps == Worth::Unproven && piece.tsval.is_some() {
        let without = trust.without_stamps();
        found = other.take_if(piece, |waiting| {
            stamp_was_rewritten(waiting, piece)
                && (without.same(waiting, piece)
                    || (trust.ids == Worth::Unproven && without.without_ids().same(waiting, piece)))
        });
    }
    if found.is_none() && piece.kind == Kind::Ack {
        found = other.take_if(piece, |waiting| {
            well_marked(waiting, piece) && trust.same_but_for_window(waiting, piece)
        });
    }
    found
}

/// Whether `received`, a packet as it was on the wire, has octets of more than the one segment `sent`.
const fn is_joined(received: &Piece, sent: &Piece) -> bool {
    received.wire == 1 && !received.fragment && received.len > sent.len
}
