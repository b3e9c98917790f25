//! Fate: what became of a segment that the two ends do not both show.
//!
//! "Sent, not seen" is loss only after the capture has been cleared (ALGORITHMS §4.2): the receiver's capture
//! must be proven to have run when the segment would have arrived, and no acknowledgement may prove that the
//! segment arrived unseen.

mod due;
mod ends;
mod received;
mod sent;
mod settle;
mod unanswered;

pub(crate) use settle::Horizon;

use crate::matching::Piece;
use correlate_proto::{CapturePointId, Direction};

/// What became of one wire segment that did not simply arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FateRecord {
    /// Where it was sent, or, for those that were only seen arriving and those that came late, where it arrived.
    pub point: CapturePointId,
    /// Its number in that capture.
    pub packet: u64,
    /// Its direction.
    pub direction: Direction,
    /// Octets of sequence space.
    pub len: u32,
    /// Wire segments it stands for: more than one only where a super-packet's cut is unknown.
    pub wire: u32,
    /// Its IPv4 identification.
    pub ip_id: Option<u16>,
    /// What became of it.
    pub fate: Fate,
}

/// The fate of a wire segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Lost on the path.
    Lost,
    /// Received, though the receiver's capture lacks it.
    MissedByReceiver,
    /// Sent, though the sender's capture lacks it.
    MissedBySender,
    /// Sent once, arrived twice.
    Duplicated,
    /// Arrived behind one of its direction that was sent after it (RFC 4737). Seen at both ends.
    Reordered,
    /// Sent again, and arrived, though each of its octets had arrived before. Seen at both ends.
    Spurious,
    /// Nothing proves that the other end's capture ran at that time.
    Uncovered,
    /// The evidence carries no verdict.
    Ambiguous,
}

/// A fate, and what it would be if a capture turned out to lack packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Judged {
    fate: Fate,
    /// The capture point on whose silence the fate rests, and the fate without it.
    without: Option<(usize, Fate)>,
}

impl Judged {
    const fn surely(fate: Fate) -> Self {
        Self { fate, without: None }
    }

    const fn unless_suspect(fate: Fate, point: usize, otherwise: Fate) -> Self {
        Self { fate, without: Some((point, otherwise)) }
    }
}

/// A fate that is handed out when all is known about the captures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    record: FateRecord,
    point: usize,
    otherwise: Fate,
}

impl Pending {
    /// The record, `suspect` telling whether the capture point lacks packets.
    pub(crate) fn resolve(self, suspect: impl Fn(usize) -> bool) -> FateRecord {
        let fate = if suspect(self.point) { self.otherwise } else { self.record.fate };
        FateRecord { fate, ..self.record }
    }
}

impl FateRecord {
    /// The record of `piece` as `point` shows it.
    pub(crate) fn of(point: CapturePointId, piece: &Piece, direction: Direction, fate: Fate) -> Self {
        let Piece { packet, len, wire, ip_id, .. } = *piece;
        Self { point, packet, direction, len, wire, ip_id, fate }
    }
}
