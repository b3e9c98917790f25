//! What may be compared to tell one transmission from another: marks that devices on the path leave alone.

use super::{Kind, Piece};

/// How many segments must match in all but one mark before that mark is taken for rewritten on the path. A few can
/// be retransmissions seen out of turn.
const REWRITTEN_AFTER: u8 = 3;

/// How many segments must match in all marks before these are relied on: one may agree by chance.
const USABLE_AFTER: u8 = 2;

/// Timestamps of two copies of one segment lie closer than this, as no stack repeats it after so long (70 minutes
/// at 1 kHz, 4 s at 1 MHz). What lies further apart has been rewritten.
const FAR: u32 = 1 << 22;

/// What a mark is worth in a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Worth {
    /// Nothing has been matched yet that shows it.
    #[default]
    Unproven,
    /// It survives the path: one that differs belongs to another transmission.
    Usable,
    /// A device rewrites it, or there is none.
    Ignored,
}

/// What marks are worth in a direction, as a comparison needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Trust {
    /// IPv4 identification.
    pub(crate) ids: Worth,
    /// Timestamp value.
    pub(crate) stamps: Worth,
    /// A device on the way cuts packets anew and gives what it makes IP IDs of its own.
    pub(crate) cut_anew: bool,
}

impl Trust {
    /// The same without regard to IP IDs.
    pub(crate) const fn without_ids(self) -> Self {
        Self { ids: Worth::Ignored, ..self }
    }

    /// The same without regard to timestamps.
    pub(crate) const fn without_stamps(self) -> Self {
        Self { stamps: Worth::Ignored, ..self }
    }

    /// Whether two pieces are the same transmission.
    pub(crate) fn same(self, a: &Piece, b: &Piece) -> bool {
        self.same_but_for_window(a, b) && (a.len > 0 || a.mark == b.mark)
    }

    /// As [`Trust::same`], without regard to what an acknowledgement says beside its number.
    pub(crate) fn same_but_for_window(self, a: &Piece, b: &Piece) -> bool {
        a.start == b.start
            && a.len == b.len
            && a.kind == b.kind
            && (self.stamps == Worth::Ignored || agree(a.tsval, b.tsval))
            && (self.ids == Worth::Ignored || agree(a.ip_id, b.ip_id))
            && (a.len > 0 || a.ack == b.ack)
    }

    /// Whether `piece` can belong to one that differs in its IP ID alone: IDs are not proven yet, or a card gives
    /// the segments of a super-packet one ID between them (`NETIF_F_TSO_MANGLEID`), which the timestamp and the
    /// first transmission of the octets then identify.
    pub(crate) fn id_may_differ(self, piece: &Piece) -> bool {
        match self.ids {
            Worth::Unproven => true,
            Worth::Usable => piece.kind == Kind::Data && piece.tsval.is_some() && !piece.repeats,
            Worth::Ignored => false,
        }
    }

    /// Whether two data pieces that share octets can be one transmission that the two ends show cut
    /// differently: offload on one side, or a device that re-cuts. Such a device may number what it makes for itself,
    /// so the IP ID may differ where that is known of it, and of octets that neither end has seen before.
    pub(crate) fn recut(self, a: &Piece, b: &Piece) -> bool {
        a.kind == Kind::Data
            && b.kind == Kind::Data
            && a.start < b.end()
            && b.start < a.end()
            && (a.start, a.len) != (b.start, b.len)
            && (self.stamps == Worth::Ignored || agree(a.tsval, b.tsval))
            && (a.start != b.start
                || self.ids == Worth::Ignored
                || self.cut_anew
                || agree(a.ip_id, b.ip_id)
                || !(a.repeats || b.repeats))
    }
}

fn agree<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// Whether two pieces that are alike in all but their timestamps can only be one packet whose timestamp was
/// rewritten: they share an IP ID, or the timestamps are too far apart for copies.
pub(crate) fn stamp_was_rewritten(a: &Piece, b: &Piece) -> bool {
    let (Some(one), Some(other)) = (a.tsval, b.tsval) else { return false };
    let same_id = a.ip_id.is_some_and(|id| id != 0) && a.ip_id == b.ip_id;
    let distance = one.wrapping_sub(other).cast_signed().unsigned_abs();
    distance > 0 && (same_id || distance >= FAR)
}

/// Whether two pieces bear the same marks, and those say something.
pub(crate) fn well_marked(a: &Piece, b: &Piece) -> bool {
    let same_id = a.ip_id.is_some_and(|id| id != 0) && a.ip_id == b.ip_id;
    same_id && (a.tsval == b.tsval)
}

/// Learns from matches what the marks of a direction are worth.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Learner {
    pub(crate) trust: Trust,
    id_agreed: u8,
    id_differed: u8,
    cut_id_differed: u8,
    stamp_agreed: u8,
    stamp_differed: u8,
    /// By how much a timestamp last differed.
    stamp_shift: u32,
}

impl Learner {
    /// Takes in a match. Gives what must be added to the timestamps of arrivals from now on, if that turns out to be
    /// something.
    pub(crate) fn learn(&mut self, sent: &Piece, received: &Piece) -> Option<u32> {
        if self.trust.ids != Worth::Ignored {
            self.learn_ids(sent.ip_id, received.ip_id);
        }
        if self.trust.stamps == Worth::Unproven
            && let (Some(sent), Some(received)) = (sent.tsval, received.tsval)
        {
            return self.learn_stamps(sent.wrapping_sub(received));
        }
        None
    }

    /// Takes in a match of pieces that begin alike and are cut differently. Without timestamps they may be two copies.
    pub(crate) fn learn_cut(&mut self, sent: &Piece, received: &Piece) {
        let stamped = sent.tsval.is_some() && received.tsval.is_some();
        if !self.trust.cut_anew && stamped && !agree(sent.ip_id, received.ip_id) {
            self.cut_id_differed += 1;
            self.trust.cut_anew = self.cut_id_differed >= REWRITTEN_AFTER;
        }
    }

    fn learn_ids(&mut self, sent: Option<u16>, received: Option<u16>) {
        match (sent, received) {
            (Some(sent), Some(received)) if sent != received => {
                self.id_differed += 1;
                if self.id_differed >= REWRITTEN_AFTER {
                    self.trust.ids = Worth::Ignored;
                }
            }
            (Some(sent), Some(_)) if sent != 0 => {
                self.id_agreed = self.id_agreed.saturating_add(1);
                if self.id_agreed >= USABLE_AFTER {
                    self.trust.ids = Worth::Usable;
                }
            }
            (Some(_), Some(_)) => {}
            _ if self.trust.ids == Worth::Unproven => self.trust.ids = Worth::Ignored,
            _ => {}
        }
    }

    fn learn_stamps(&mut self, shift: u32) -> Option<u32> {
        if self.stamp_agreed == 0 || shift != self.stamp_shift {
            self.stamp_differed += u8::from(self.stamp_agreed > 0);
            (self.stamp_agreed, self.stamp_shift) = (0, shift);
        }
        self.stamp_agreed += 1;
        if self.stamp_differed >= REWRITTEN_AFTER {
            self.trust.stamps = Worth::Ignored;
        } else if self.stamp_agreed >= USABLE_AFTER {
            self.trust.stamps = Worth::Usable;
            return Some(shift).filter(|&shift| shift != 0);
        }
        None
    }
}
