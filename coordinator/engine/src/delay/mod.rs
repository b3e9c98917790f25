//! Delay: how long packets were under way, and where the time of requests and answers went (ALGORITHMS §6).
//!
//! - `samples`, `figures`: one-way delay and queueing of a direction.
//! - `sender`: why a sender took time between two new segments.
//! - `leg`, `turns`, `exchange`, `totals`: requests and answers, one by one and together.
//!
//! Stamps are kept as the captures have them, for the clocks become known only later; what needs them is worked out
//! when the session ends.

mod exchange;
mod figures;
mod leg;
mod measured;
mod samples;
mod sender;
mod totals;
mod turns;
mod watch;

pub(crate) use figures::queueing_of;
pub(crate) use leg::Mark;
pub(crate) use measured::Measured;
pub(crate) use samples::Samples;
pub(crate) use sender::Leaving;
pub(crate) use totals::{Slow, Totals};
pub(crate) use watch::Before;

use crate::matching::{Kind, Match};
use correlate_proto::Direction;
use leg::Fresh;
use sender::Sender;
use turns::Turns;

/// What is measured of a connection between two capture points.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    samples: [Samples; 2],
    senders: [Sender; 2],
    turns: Option<Box<Turns>>,
}

/// How the packet that is being taken in stands in the numbering of its direction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) direction: Direction,
    /// Behind its last octet of payload, as matches number octets.
    pub(crate) payload_end: i64,
    /// What is added to the sender's offsets to get those of matches.
    pub(crate) sender_shift: i64,
}

/// What is known of a connection before its first payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    /// Direction of its requests.
    pub(crate) asks: Direction,
    /// Offsets of the first octets, as matches number octets.
    pub(crate) first: [Option<i64>; 2],
    /// The handshake's last ACK, sent and received.
    pub(crate) ack: Option<(Mark, Mark)>,
}

impl Delays {
    /// Whether exchanges are followed yet.
    pub(crate) const fn follows_exchanges(&self) -> bool {
        self.turns.is_some()
    }

    /// Follows the exchanges of a connection that began so.
    pub(crate) fn follow_exchanges(&mut self, opening: Opening) {
        self.turns = Some(Box::new(Turns::new(opening)));
    }

    /// A segment with payload left its host.
    pub(crate) fn left(&mut self, direction: Direction, leaving: Leaving) {
        self.senders[direction.index()].sent(leaving);
    }

    /// An acknowledgement reached the sender of `direction`.
    pub(crate) fn heard(&mut self, direction: Direction, at: i64, all_acked: bool, is_full: bool) {
        self.senders[direction.index()].heard(at, all_acked, is_full);
    }

    /// Takes in a match.
    pub(crate) fn take(&mut self, found: &Match, place: Place) {
        let direction = place.direction;
        if found.certain && !found.sent.doubtful && !found.received.doubtful {
            self.samples[direction.index()].take(found.sent.at, found.received.at);
        }
        let (start, end) = (found.sent.start, found.sent.end().min(place.payload_end));
        if found.sent.kind != Kind::Data || end <= start {
            return;
        }
        let Some(turns) = &mut self.turns else { return };
        let fresh = Fresh {
            start,
            end,
            first_at: found.first_at.min(found.sent.at),
            sent: Mark { at: found.sent.at, packet: found.sent.packet },
            received: Mark { at: found.received.at, packet: found.received.packet },
            gap: self.senders[direction.index()].take_until(start - place.sender_shift),
        };
        turns.take(direction, &fresh);
    }

    /// The exchanges, and the direction of the requests; `ends` are the offsets behind the last octets sent, as
    /// matches number octets.
    pub(crate) fn exchanges(&self, ends: [Option<i64>; 2]) -> Option<(Direction, Totals)> {
        self.turns.as_ref().map(|turns| (turns.asks, turns.totals(ends)))
    }
}
