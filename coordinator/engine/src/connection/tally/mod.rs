//! What became of the segments of one direction between two capture points.

mod losses;
mod odd;
mod order;
mod sizes;

pub(crate) use losses::{LostPiece, LostRange, Run};
pub(crate) use odd::{Circumstances, Example, Oddity, Vain};
pub(crate) use sizes::SizeSeen;

use crate::matching::{Kind, Piece};
use order::Order;
use sizes::Sizes;
use std::collections::{BTreeMap, VecDeque};

/// How many arrivals that look like an earlier one are remembered until they are judged.
const MAX_TWINS: usize = 256;

/// Packets that one capture lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Missing {
    pub(crate) count: u64,
    /// Those in a row at the other end count as one.
    pub(crate) runs: u64,
    last_serial: Option<u64>,
}

impl Missing {
    fn note(&mut self, piece: &Piece) {
        self.count += u64::from(piece.wire);
        self.runs += u64::from(self.last_serial.is_none_or(|last| last + 1 != piece.serial));
        self.last_serial = Some(piece.serial);
    }
}

/// Fates of the segments of one direction, counted in wire segments.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) delivered: u64,
    pub(crate) delivered_acks: u64,
    pub(crate) lost: u64,
    /// Of the lost, those whose octets no other copy brought, and those that carry none: only the receiver's silence
    /// speaks for the loss.
    pub(crate) lost_unconfirmed: u64,
    /// Of the lost, pure ACKs.
    pub(crate) lost_acks: u64,
    /// Data segments that the sender's capture lacks, and that the receiver's lacks, though they passed.
    pub(crate) missing: [Missing; 2],
    /// Pure ACKs that the receiver's capture lacks though they arrived.
    pub(crate) missing_acks: u64,
    /// The evidence carries no verdict.
    pub(crate) ambiguous: u64,
    pub(crate) duplicated: u64,
    /// Came twice, unless the sender's capture lacks one that it sent.
    pub(crate) duplicated_or_missed: u64,
    /// Sent again though the octets had arrived before this copy did.
    pub(crate) spurious: u64,
    /// The one that was counted last: its other parts are no further segments.
    last_vain: Option<Box<Piece>>,
    /// Arrived behind one that was sent later.
    pub(crate) reordered: u64,
    /// Losses in a row count as one burst.
    pub(crate) bursts: u64,
    last_lost_serial: Option<u64>,
    pub(crate) lost_kept: Vec<LostPiece>,
    pub(crate) trailing: Option<Run>,
    pub(crate) last_delivered_at: Option<i64>,
    pub(crate) lost_ranges: BTreeMap<i64, LostRange>,
    /// Runs of octets of which copies were lost, newest last.
    lost_octets: VecDeque<(i64, i64)>,
    sizes: Sizes,
    order: Order,
    /// What led to retransmissions in vain, as far as is remembered.
    pub(crate) vain: Vec<Vain>,
    pub(crate) examples: Vec<Example>,
    /// Places in the order of arrival of what looks exactly like an earlier arrival.
    twins: VecDeque<u64>,
}

impl Tally {
    /// Counts a delivered piece. Every segment that turns out to be late or sent in vain goes to `odd`.
    pub(crate) fn deliver(
        &mut self,
        sent: &Piece,
        received: &Piece,
        circumstances: Circumstances,
        odd: impl FnMut(&Example),
    ) {
        self.delivered += u64::from(sent.wire.max(received.wire));
        if sent.kind == Kind::Ack {
            self.delivered_acks += 1;
        }
        self.note_odd(sent, received, circumstances, odd);
        if self.last_delivered_at.is_none_or(|at| at < sent.at) {
            self.last_delivered_at = Some(sent.at);
        }
        if self.trailing.is_some_and(|run| run.first_at < sent.at) {
            self.trailing = None;
        }
        if sent.kind != Kind::Rst {
            self.sizes.note(sent.largest_ip_len, sent.at);
        }
    }

    /// The sender's capture lacks `piece`, which arrived.
    pub(crate) fn miss_sent(&mut self, piece: &Piece) {
        if piece.kind == Kind::Data {
            self.missing[0].note(piece);
        }
    }

    /// The receiver's capture lacks `piece`, which was sent.
    pub(crate) fn miss_received(&mut self, piece: &Piece) {
        match piece.kind {
            Kind::Data => self.missing[1].note(piece),
            Kind::Ack => self.missing_acks += u64::from(piece.wire),
            Kind::Syn | Kind::SynAck | Kind::Rst => {}
        }
    }

    /// Whether a piece sent as number `serial` or later, at `at` or later, was delivered.
    pub(crate) fn delivered_beyond(&self, serial: u64, at: i64) -> bool {
        self.order.newest_sent().is_some_and(|newest| newest >= serial)
            && self.last_delivered_at.is_some_and(|last| last >= at)
    }

    /// Whether anything is known of the direction.
    pub(crate) const fn is_empty(&self) -> bool {
        self.delivered == 0 && self.lost == 0
    }

    /// Sizes of delivered IP packets, and when some of that size were sent.
    pub(crate) fn sizes(&self) -> &[SizeSeen] {
        self.sizes.all()
    }

    /// How many packets lay at most between a late one and the first that had overtaken it (RFC 4737 §4.2.1).
    pub(crate) const fn largest_extent(&self) -> u64 {
        self.order.largest_extent
    }

    /// The arrival with this place in the order looks exactly like an earlier one.
    pub(crate) fn note_twin(&mut self, serial: u64) {
        if self.twins.len() >= MAX_TWINS {
            self.twins.pop_front();
        }
        self.twins.push_back(serial);
    }

    /// Whether the arrival with this place in the order looks exactly like an earlier one, as far as is remembered.
    pub(crate) fn is_twin(&self, serial: u64) -> bool {
        self.twins.binary_search(&serial).is_ok()
    }
}
