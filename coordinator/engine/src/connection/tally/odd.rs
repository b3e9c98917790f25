//! Segments that arrived otherwise than once and in order.

use super::Tally;
use super::order::Arrival;
use crate::matching::{Kind, Piece};

/// How many retransmissions in vain are remembered with what led to them; further ones are counted without a cause.
const MAX_VAIN: usize = 64;

/// How many examples are remembered of each oddity.
const MAX_EXAMPLES: usize = 3;

/// A segment that was sent again though all of its octets had arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vain {
    /// For how long its last octet had been acknowledged when this copy arrived; `None` if it had not been.
    pub(crate) acknowledged_for: Option<i64>,
    /// An earlier copy was overtaken on the path.
    pub(crate) late: bool,
    /// It repeats the end of what had been sent, as a tail-loss probe does (RFC 8985 §7).
    pub(crate) tail: bool,
}

/// What is odd about an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Oddity {
    /// It was overtaken.
    Reordered,
    /// It came a second time.
    Duplicated,
    /// It brought nothing that had not arrived.
    Spurious,
}

/// An odd arrival, for evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Example {
    pub(crate) oddity: Oddity,
    /// Packet number and time where it was sent; `None` if that is another packet's.
    pub(crate) sent: Option<(u64, i64)>,
    /// The same where it arrived.
    pub(crate) received: (u64, i64),
    pub(crate) len: u32,
    pub(crate) ip_len: u32,
    /// Wire segments that it is true of.
    pub(crate) wire: u32,
}

/// How a retransmission came about, as both ends' captures know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Circumstances {
    /// See [`Vain::acknowledged_for`].
    pub(crate) acknowledged_for: Option<i64>,
    /// See [`Vain::tail`].
    pub(crate) tail: bool,
}

impl Tally {
    /// Enters the place of a match in the order of its direction, and whether it brought anything. Every segment that
    /// turns out to be odd goes to `each`.
    pub(super) fn note_odd(
        &mut self,
        sent: &Piece,
        received: &Piece,
        circumstances: Circumstances,
        mut each: impl FnMut(&Example),
    ) {
        let examples = &mut self.examples;
        let late = self.order.note(arrival(sent, received), |late| {
            let example = Example::of_late(late);
            each(&example);
            keep(examples, example);
        });
        self.reordered += if late == 1 { u64::from(sent.wire) } else { late };
        let stale = if received.known() { sent.wire } else { received.stale.min(sent.wire) };
        // What its sender had not sent before is no retransmission, whatever brought the octets: a duplicate, of which the
        // receiver's capture lacks the first.
        if received.kind == Kind::Rst || !(sent.repeats && received.repeats) || stale == 0 {
            return;
        }
        if self.last_vain.as_ref().is_some_and(|last| last.is_of_the_same_segment(sent)) {
            return;
        }
        self.last_vain = Some(Box::new(*sent));
        self.spurious += u64::from(stale);
        if self.vain.len() < MAX_VAIN {
            let late = self.order.was_late(sent.start, sent.end());
            let Circumstances { acknowledged_for, tail } = circumstances;
            self.vain.push(Vain { acknowledged_for, late, tail });
        }
        let example = Example::of(Oddity::Spurious, Some(sent), received, stale);
        each(&example);
        keep(&mut self.examples, example);
    }

    /// Counts a segment that arrived once more than it was sent. `certain` if no capture can be to blame for that.
    pub(crate) fn duplicate(&mut self, received: &Piece, certain: bool) {
        let wire = u64::from(received.wire);
        if certain {
            self.duplicated += wire;
        } else {
            self.duplicated_or_missed += wire;
        }
        keep(&mut self.examples, Example::of(Oddity::Duplicated, None, received, received.wire));
    }
}

const fn arrival(sent: &Piece, received: &Piece) -> Arrival {
    Arrival {
        sent: sent.serial,
        arrived: received.serial,
        sent_as: (sent.packet, sent.at),
        received_as: (received.packet, received.at),
        octets: (sent.start, sent.end()),
        ip_len: received.ip_len,
        wire: sent.wire,
    }
}

/// Keeps the first examples of each oddity in the order of arrival, whenever they are found.
fn keep(examples: &mut Vec<Example>, example: Example) {
    let order = |example: &Example| (example.oddity, example.received.0);
    let place = examples.partition_point(|other| order(other) <= order(&example));
    examples.insert(place, example);
    let behind = examples.partition_point(|other| other.oddity <= example.oddity);
    let before = examples.partition_point(|other| other.oddity < example.oddity);
    if behind - before > MAX_EXAMPLES {
        examples.remove(behind - 1);
    }
}

impl Example {
    fn of(oddity: Oddity, sent: Option<&Piece>, received: &Piece, wire: u32) -> Self {
        Self {
            oddity,
            sent: sent.map(|sent| (sent.packet, sent.at)),
            received: (received.packet, received.at),
            len: received.len,
            ip_len: received.ip_len,
            wire,
        }
    }

    fn of_late(late: &Arrival) -> Self {
        Self {
            oddity: Oddity::Reordered,
            sent: Some(late.sent_as),
            received: late.received_as,
            len: u32::try_from(late.octets.1 - late.octets.0).unwrap_or(0),
            ip_len: late.ip_len,
            wire: late.wire,
        }
    }
}
