//! Connections: the flows of one connection along its path, and what became of its segments.

mod changes;
mod log;
mod offer;
mod packet;
mod tally;

pub(crate) use changes::{Altered, Changes, ClassChange};
pub(crate) use log::{HandshakeLog, IcmpSeen, RstSeen, SentState};
pub(crate) use offer::{Offer, Offers, Terms};
pub(crate) use packet::{Few, PacketRef, Remembered};
pub(crate) use tally::{Circumstances, Example, LostPiece, LostRange, Oddity, Run, Tally, Vain};

use crate::delay::Delays;
use crate::flow::Flow;
use crate::matching::Lane;
use crate::numbering::Footing;
use correlate_proto::report::Initiator;
use correlate_proto::{Direction, Segment};

/// One connection along its path.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Order of first sight in the session, from 1.
    pub(crate) number: u64,
    /// By position on the path: 0 is the client's end. `None` where no capture point saw it.
    pub(crate) flows: Vec<Option<Flow>>,
    /// Between adjacent positions.
    pub(crate) hops: Vec<Hop>,
    /// Handshake packets, by position.
    pub(crate) handshake: Vec<HandshakeLog>,
    pub(crate) resets: Remembered<RstSeen>,
    pub(crate) icmp: Remembered<IcmpSeen>,
    /// What is measured of delay; absent before there is payload or a second end.
    pub(crate) delays: Option<Box<Delays>>,
    /// It stands in the list of connections with segments that wait for their fate.
    pub(crate) listed: bool,
    /// The gaps that both its ends share have been excused.
    pub(crate) excused: bool,
}

/// What happened between two adjacent capture points, per direction.
#[derive(Debug, Default)]
pub(crate) struct Hop {
    pub(crate) lanes: [Lane; 2],
    pub(crate) tallies: [Tally; 2],
    /// What a device changes, by direction.
    pub(crate) changes: [Changes; 2],
    /// What is added to an offset at the downstream point to get that at the upstream point, by direction;
    /// known once both have seen a packet of the direction and the numbers have something to do with each other.
    pub(crate) shifts: [Option<i64>; 2],
    /// How well that is known, by direction.
    pub(crate) footing: [Footing; 2],
    /// A SYN or SYN-ACK of the direction was matched.
    pub(crate) opened: [bool; 2],
}

impl Connection {
    /// A connection that nobody has seen yet, on a path of `positions` capture points.
    pub(crate) fn new(number: u64, positions: usize) -> Self {
        Self {
            number,
            flows: (0..positions).map(|_| None).collect(),
            hops: (1..positions).map(|_| Hop::default()).collect(),
            handshake: (0..positions).map(|_| HandshakeLog::default()).collect(),
            resets: Remembered::default(),
            icmp: Remembered::default(),
            delays: None,
            listed: false,
            excused: false,
        }
    }

    /// The flow at the end where `direction` begins.
    pub(crate) fn sender(&self, direction: Direction) -> Option<&Flow> {
        self.flows[self.sender_position(direction)].as_ref()
    }

    /// The flow at the end where `direction` ends.
    pub(crate) fn receiver(&self, direction: Direction) -> Option<&Flow> {
        self.sender(direction.reversed())
    }

    /// The position of the end where `direction` begins.
    pub(crate) const fn sender_position(&self, direction: Direction) -> usize {
        match direction {
            Direction::ClientToServer => 0,
            Direction::ServerToClient => self.flows.len() - 1,
        }
    }

    /// The flows there are, from client to server.
    pub(crate) fn seen_flows(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter().flatten()
    }

    /// Whether a capture point of every position saw it.
    pub(crate) fn is_paired(&self) -> bool {
        self.flows.iter().all(Option::is_some)
    }

    /// The direction of the first SYN: known if a SYN or SYN-ACK was seen anywhere.
    pub(crate) fn opened(&self) -> Option<Direction> {
        self.seen_flows().find_map(Flow::opened)
    }

    /// Which host opened it; the client where no SYN was seen.
    pub(crate) fn initiator(&self) -> Initiator {
        match self.opened() {
            Some(Direction::ServerToClient) => Initiator::Server,
            Some(Direction::ClientToServer) | None => Initiator::Client,
        }
    }

    /// Exchanges the roles of the two hosts: what was taken for sent by the client host was sent by the server's.
    pub(crate) fn flip(&mut self) {
        for flow in self.flows.iter_mut().flatten() {
            flow.client_half = 1 - flow.client_half;
        }
        for hop in &mut self.hops {
            let [there, back] = &mut hop.lanes;
            core::mem::swap(&mut there.sent, &mut back.received);
            core::mem::swap(&mut there.received, &mut back.sent);
            hop.tallies.swap(0, 1);
            hop.changes.swap(0, 1);
            hop.shifts.swap(0, 1);
            hop.footing.swap(0, 1);
            hop.opened.swap(0, 1);
        }
        // A role changes within the first packets; what was measured under the other begins anew.
        self.delays = None;
        for reset in self.resets.iter_mut() {
            reset.direction = reset.direction.reversed();
        }
        for icmp in self.icmp.iter_mut() {
            icmp.quoted = icmp.quoted.reversed();
        }
    }

    /// Whether both directions have ended: by FINs, or by a RST.
    pub(crate) fn is_closed(&self) -> bool {
        let finished = |flow: &Flow| flow.halves.iter().all(|half| half.fin.is_some());
        !self.resets.is_empty() || self.seen_flows().all(finished)
    }

    /// Whether segments wait for their fate.
    pub(crate) fn has_waiting(&self) -> bool {
        self.hops
            .iter()
            .flat_map(|hop| &hop.lanes)
            .any(|lane| !lane.sent.is_empty() || !lane.received.is_empty())
    }
}

/// The octets of payload that one wire segment carries at most, where a SYN told (RFC 9293 §3.7.1; the
/// timestamps option takes 12 octets of each).
pub(crate) fn segment_size(flow: &Flow, segment: &Segment) -> Option<u32> {
    let [a, b] = &flow.halves;
    let stamps = if segment.options.timestamps.is_some() { 12 } else { 0 };
    let sack = match u32::try_from(segment.options.sack.as_slice().len()) {
        Ok(blocks) if blocks > 0 => 4 + 8 * blocks,
        _ => 0,
    };
    let mss = match (a.mss, b.mss) {
        (Some(a), Some(b)) => a.min(b),
        (one, other) => one.or(other)?,
    };
    Some(u32::from(mss).saturating_sub(stamps + sack))
}
