//! What a connection tells of delay as its packets are taken in.

use super::{Leaving, Mark, Opening, Totals};
use crate::connection::Connection;
use crate::flow::Half;
use correlate_proto::{Direction, Segment, TcpFlags};

/// How far a direction had come at a capture point before a packet.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Before {
    highest: Option<i64>,
    acked: Option<i64>,
}

impl Before {
    /// As `half` has it.
    pub(crate) const fn of(half: &Half) -> Self {
        Self { highest: half.highest_end, acked: half.acked }
    }
}

impl Connection {
    /// Watches a packet that the point at `position` has taken in; `start` is its offset there. Delays are measured
    /// between two points only: of several hops none is the whole way.
    pub(crate) fn watch(
        &mut self,
        position: usize,
        direction: Direction,
        segment: &Segment,
        start: i64,
        before: Before,
    ) {
        let payload = segment.payload_len;
        if self.flows.len() != 2 {
            return;
        }
        if self.delays.as_ref().is_none_or(|delays| payload > 0 && !delays.follows_exchanges()) {
            self.begin_delays(payload);
        }
        let sends = position == self.sender_position(direction);
        let (Some(flow), Some(delays)) = (&self.flows[position], &mut self.delays) else { return };
        let at = segment.at.as_ns();
        if sends && payload > 0 {
            let Before { highest, acked } = before;
            let end = start + i64::from(payload);
            let is_full = is_full(flow.half(direction));
            delays.left(direction, Leaving { at, start, end, highest, acked, is_full });
        } else if !sends && segment.flags.has(TcpFlags::ACK) {
            let half = flow.half(direction.reversed());
            let all_acked = half.highest_end.is_some_and(|end| half.acked >= Some(end));
            delays.heard(direction.reversed(), at, all_acked, is_full(half));
        }
    }

    /// Makes room for delays with the first payload or the second end, and follows exchanges once both are there.
    #[cold]
    fn begin_delays(&mut self, payload: u32) {
        let is_paired = self.is_paired();
        if self.delays.is_none() && (payload > 0 || is_paired) {
            self.delays = Some(Box::default());
        }
        if payload > 0 && is_paired {
            let opening = self.opening();
            if let Some(delays) = self.delays.as_mut().filter(|delays| !delays.follows_exchanges()) {
                delays.follow_exchanges(opening);
            }
        }
    }

    fn opening(&self) -> Opening {
        let asks = self.opened().unwrap_or(Direction::ClientToServer);
        let (opener, responder) = (
            &self.handshake[self.sender_position(asks)],
            &self.handshake[self.sender_position(asks.reversed())],
        );
        let is_plain = opener.syn_ack.count() == 1 && responder.syn_ack.count() == 1;
        let mark = |packet: crate::connection::PacketRef| Mark { at: packet.at, packet: packet.packet };
        let ack = opener.ack.zip(responder.ack).filter(|_| is_plain);
        Opening {
            asks,
            first: Direction::BOTH.map(|direction| {
                let half = self.sender(direction)?.half(direction);
                Some(half.peek(half.isn?)? + 1 + self.sender_shift(direction)?)
            }),
            ack: ack.map(|(sent, received)| (mark(sent), mark(received))),
        }
    }

    /// What is added to offsets at the sender of `direction` to get those of its matches.
    fn sender_shift(&self, direction: Direction) -> Option<i64> {
        match direction {
            Direction::ClientToServer => Some(0),
            Direction::ServerToClient => self.hops.first()?.shifts[direction.index()],
        }
    }

    /// Its exchanges as far as they have come, and the direction of the requests.
    pub(crate) fn exchanges(&self) -> Option<(Direction, Totals)> {
        let ends = Direction::BOTH.map(|direction| {
            let half = self.sender(direction)?.half(direction);
            let end = half.highest_end? - i64::from(half.fin.is_some());
            Some(end + self.sender_shift(direction)?)
        });
        self.delays.as_ref()?.exchanges(ends)
    }
}

/// Whether the other end has no room for another segment of `half`.
fn is_full(half: &Half) -> bool {
    let room = half.highest_end.and_then(|end| half.window.room(end));
    room.is_some_and(|room| half.window.is_short(room))
}
