//! Whether two ends show the same packets of a direction, so that one that is missing at one of them says something.
//! Not where a device makes packets anew, or where it is not known how it numbers them.

use crate::connection::{Connection, Tally};
use crate::flow::Half;
use crate::matching::{Kind, Lane, Piece};
use crate::numbering::turn;
use correlate_proto::{Direction, SeqNum};

/// How far the two ends of a direction can be compared.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent things known of a direction, asked one by one"
)]
pub(crate) struct Comparison {
    /// It is known how they number its octets.
    numbered: bool,
    /// The same of the other direction, which acknowledgements speak of.
    acks_numbered: bool,
    /// A SYN or SYN-ACK of the direction was seen at both ends.
    opened: bool,
    /// Nothing speaks for a device having answered the SYN in its own words.
    answered: bool,
    /// The number of the first octet behind the SYN, as the upstream end has it; absent if it did not see the SYN.
    first: Option<SeqNum>,
}

impl Comparison {
    /// The ends of `direction` on `hop`.
    pub(crate) fn of(connection: &Connection, hop: usize, direction: Direction) -> Self {
        let upstream = connection.flows[hop].as_ref();
        Self {
            numbered: connection.is_comparable(hop, direction),
            acks_numbered: connection.is_comparable(hop, direction.reversed()),
            opened: connection.hops[hop].opened[direction.index()],
            answered: connection.is_answered_by_the_peer(hop),
            first: upstream.and_then(|flow| flow.half(direction).isn).map(|isn| isn.add(1)),
        }
    }

    /// Whether `piece` of those sent, had it been delivered as it was, would be known among what arrived.
    pub(crate) fn shows_absence(self, piece: &Piece, receiver: &Half, lane: &Lane, tally: &Tally) -> bool {
        if !self.knows_numbers_of(piece) {
            return false;
        }
        match piece.kind {
            // The receiver saw a SYN that is none of those that were sent.
            Kind::Syn | Kind::SynAck => self.opened || receiver.isn.is_none(),
            // What was said to the device that answered is not passed on.
            Kind::Ack if !self.answered && self.is_of_handshake(piece) => false,
            Kind::Ack => tally.delivered_acks > 0 || !lane.received.resembles(piece),
            Kind::Data => piece.repeats || !lane.received.resembles(piece),
            Kind::Rst => true,
        }
    }

    /// Whether `piece` of those that arrived would be known among what was sent.
    pub(crate) fn shows_origin(self, piece: &Piece) -> bool {
        self.knows_numbers_of(piece) && (self.answered || !self.is_of_handshake(piece))
    }

    /// Whether the ends' numbers of `piece` have been brought together: else it is let go without being compared.
    pub(crate) fn knows_numbers_of(self, piece: &Piece) -> bool {
        match piece.kind {
            Kind::Rst => true,
            Kind::Ack => self.numbered && self.acks_numbered,
            Kind::Syn | Kind::SynAck | Kind::Data => self.numbered,
        }
    }

    /// Whether nothing but the SYN goes before it.
    fn is_of_handshake(self, piece: &Piece) -> bool {
        let opens = matches!(piece.kind, Kind::Syn | Kind::SynAck);
        opens || (piece.kind == Kind::Ack && self.first == Some(SeqNum(turn(piece.start))))
    }
}
