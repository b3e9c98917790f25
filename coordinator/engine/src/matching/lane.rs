//! One direction between two adjacent capture points: transmissions on one side, arrivals on the other.

use super::{Kind, PayloadSum, Piece, Side};

/// How many segments must match in all but their IP ID before the IP ID is taken for rewritten on the path. A
/// few can be retransmissions seen out of turn.
const REWRITTEN_AFTER: u8 = 3;

/// What IP IDs are worth in a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum IdTrust {
    /// Nothing has been matched yet that has one.
    #[default]
    Unproven,
    /// They survive the path: one that differs belongs to another transmission.
    Usable,
    /// A device rewrites them, or there are none.
    Ignored,
}

impl IdTrust {
    /// Whether two pieces are the same transmission.
    pub(crate) fn same(self, a: &Piece, b: &Piece) -> bool {
        a.start == b.start
            && a.len == b.len
            && a.kind == b.kind
            && agree(a.tsval, b.tsval)
            && (self == Self::Ignored || agree(a.ip_id, b.ip_id))
            && (a.len > 0 || a.signature == b.signature)
    }

    /// Whether `piece` can belong to one that differs in its IP ID alone: IDs are not proven yet, or a card gives
    /// the segments of a super-packet one ID between them (`NETIF_F_TSO_MANGLEID`), which the timestamp and the
    /// first transmission of the octets then identify.
    fn may_be_wrong_of(self, piece: &Piece) -> bool {
        match self {
            Self::Unproven => true,
            Self::Usable => piece.kind == Kind::Data && piece.tsval.is_some() && !piece.repeats,
            Self::Ignored => false,
        }
    }

    /// Whether two data pieces that share octets can be one transmission that the two ends show cut
    /// differently: offload on one side, or a device that re-cuts.
    pub(crate) fn recut(self, a: &Piece, b: &Piece) -> bool {
        a.kind == Kind::Data
            && b.kind == Kind::Data
            && a.start < b.end()
            && b.start < a.end()
            && (a.start, a.len) != (b.start, b.len)
            && agree(a.tsval, b.tsval)
            && (a.start != b.start || self == Self::Ignored || agree(a.ip_id, b.ip_id))
    }
}

fn agree<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

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

/// One direction between two adjacent capture points.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) sent: Side,
    pub(crate) received: Side,
    pub(crate) ids: IdTrust,
    mismatched: u8,
}

impl Lane {
    /// Takes in a transmission; gives its matches to `each`.
    pub(crate) fn send(&mut self, mut piece: Piece, mut each: impl FnMut(Match)) {
        self.sent.number(&mut piece);
        self.offer(piece, true, &mut each);
    }

    /// Takes in an arrival, numbered as the sender numbers octets; gives its matches to `each`.
    pub(crate) fn receive(&mut self, mut piece: Piece, mut each: impl FnMut(Match)) {
        self.received.number(&mut piece);
        self.offer(piece, false, &mut each);
    }

    fn offer(&mut self, piece: Piece, sent: bool, each: &mut impl FnMut(Match)) {
        let (other, own) =
            if sent { (&mut self.received, &mut self.sent) } else { (&mut self.sent, &mut self.received) };
        if other.is_empty() {
            own.wait(piece);
            return;
        }
        let mut found = other.take(&piece, self.ids);
        if found.is_none() && self.ids.may_be_wrong_of(&piece) {
            found =
                other.take_if(&piece, IdTrust::Ignored, |counterpart| self.ids.may_be_wrong_of(counterpart));
        }
        match found {
            Some(counterpart) => {
                self.learn_ids(&piece, &counterpart);
                each(self.pair(piece, counterpart, sent));
            }
            None if piece.kind == Kind::Data => self.offer_parts(piece, sent, each),
            None => own.wait(piece),
        }
    }

    /// Matches `piece` part by part with pieces of the other side that are cut differently.
    fn offer_parts(&mut self, piece: Piece, sent: bool, each: &mut impl FnMut(Match)) {
        let mut rest = Some(piece);
        while let Some(current) = rest.take() {
            let (other, own) = if sent {
                (&mut self.received, &mut self.sent)
            } else {
                (&mut self.sent, &mut self.received)
            };
            let whole = other.take(&current, self.ids);
            let Some(counterpart) = whole.or_else(|| other.take_overlap(&current, self.ids)) else {
                own.wait(current);
                return;
            };
            let (from, to) = (current.start.max(counterpart.start), current.end().min(counterpart.end()));
            // Of a datagram that was fragmented on the way, the rest travels without a TCP header.
            let fragment = current.fragment || counterpart.fragment;
            for leftover in outside(&counterpart, from, to) {
                let sum = rest_of_sum(&counterpart, &leftover, &current);
                other.wait_as_stray(Piece { fragment, sum, ..leftover });
            }
            for leftover in outside(&current, from, to) {
                let sum = rest_of_sum(&current, &leftover, &counterpart);
                let leftover = Piece { fragment, sum, ..leftover };
                if leftover.start < from {
                    own.wait_as_stray(leftover);
                } else {
                    rest = Some(leftover);
                }
            }
            let (mine, theirs) = (part(&current, from, to), part(&counterpart, from, to));
            let mut pair = self.pair(mine, theirs, sent);
            (pair.certain, pair.recut) = (false, true);
            each(pair);
        }
    }

    fn pair(&self, piece: Piece, counterpart: Piece, sent: bool) -> Match {
        let (sent, received) = if sent { (piece, counterpart) } else { (counterpart, piece) };
        let identified = self.ids == IdTrust::Usable && sent.ip_id.is_some_and(|id| id != 0);
        let certain = identified || !(sent.repeats || received.repeats);
        let first = if sent.repeats { self.sent.first_copy(&sent) } else { None };
        Match { sent, received, certain, first_at: first.unwrap_or(sent.at), recut: false }
    }

    fn learn_ids(&mut self, a: &Piece, b: &Piece) {
        match (a.ip_id, b.ip_id) {
            _ if self.ids == IdTrust::Ignored => {}
            (Some(a), Some(b)) if a != b => {
                self.mismatched += 1;
                if self.mismatched >= REWRITTEN_AFTER {
                    self.ids = IdTrust::Ignored;
                }
            }
            (Some(a), Some(_)) if a != 0 => self.ids = IdTrust::Usable,
            (Some(_), Some(_)) => {}
            _ if self.ids == IdTrust::Unproven => self.ids = IdTrust::Ignored,
            _ => {}
        }
    }
}

/// The parts of `piece` outside `[from, to)`.
fn outside(piece: &Piece, from: i64, to: i64) -> impl Iterator<Item = Piece> {
    let before = (piece.start < from).then(|| part(piece, piece.start, from));
    let behind = (to < piece.end()).then(|| part(piece, to, piece.end()));
    before.into_iter().chain(behind)
}

/// The sum of what is left of `whole` beside `taken`, if that was a whole piece at one of its ends.
fn rest_of_sum(whole: &Piece, left: &Piece, taken: &Piece) -> Option<PayloadSum> {
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
fn part(piece: &Piece, from: i64, to: i64) -> Piece {
    if (from, to) == (piece.start, piece.end()) {
        return *piece;
    }
    let len = u32::try_from(to - from).unwrap_or(piece.len);
    let share = u64::from(piece.wire) * u64::from(len);
    Piece {
        start: from,
        len,
        wire: u32::try_from(share.div_ceil(u64::from(piece.len.max(1)))).unwrap_or(piece.wire).max(1),
        ip_len: piece.ip_len - (piece.len - len).min(piece.ip_len),
        ip_id: piece.ip_id.filter(|_| from == piece.start),
        sum: None,
        ..*piece
    }
}
