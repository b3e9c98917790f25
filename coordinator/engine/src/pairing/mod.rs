//! Pairing: which flow at one capture point is which flow at another.
//!
//! By four-tuple first. Where a device translates addresses that fails, and the opening SYN decides: its initial
//! sequence number and timestamp, 64 random bits of the client's stack (ALGORITHMS §2.5), with the SYN-ACK's
//! acknowledgement standing in for a SYN that was not captured. Where a device rewrites the sequence number too,
//! what else the SYN bears; and at last the run of a stream's segments.

mod index;
mod likeness;
mod merge;
mod orient;
mod search;

pub(crate) use index::SynIndex;
pub(crate) use likeness::{Nats, likeness};
pub(crate) use merge::Rivals;

use crate::connection::{Offer, PacketRef};
use crate::flow::{Flow, FlowPair};
use crate::session::Session;
use correlate_proto::{Segment, SeqNum, TcpFlags};

/// What the first packet of a flow tells of how the connection was opened: the half that opened it and its
/// initial sequence number.
fn opening(segment: &Segment, src_half: usize) -> Option<(usize, SeqNum)> {
    if segment.flags.has(TcpFlags::RST) {
        None
    } else if segment.flags.is_syn() {
        Some((src_half, segment.seq))
    } else if segment.flags.is_syn_ack() {
        Some((1 - src_half, segment.ack.add(u32::MAX)))
    } else {
        None
    }
}

impl Session {
    /// The connection that `segment`, captured at `point`, belongs to; a new one if it is the first of its
    /// incarnation. `None` if there is no room for another.
    pub(crate) fn connection_of(&mut self, point: usize, segment: &Segment) -> Option<(u32, usize)> {
        let (pair, src_is_low) = FlowPair::of(&segment.tuple);
        let src_half = usize::from(!src_is_low);
        if let Some(index) = self.maps[point].find(&pair)
            && !self.starts_anew(index, point, segment, src_half)
        {
            if segment.flags.is_syn() {
                self.mark_repeated(index, point, segment);
            }
            return Some((index, src_half));
        }
        self.open_flow(point, pair, segment, src_half).map(|index| (index, src_half))
    }

    fn starts_anew(&self, index: u32, point: usize, segment: &Segment, src_half: usize) -> bool {
        let Some((opener, isn)) = opening(segment, src_half) else { return false };
        let position = self.points[point].position;
        let flow = self.connections[index as usize]
            .as_ref()
            .and_then(|connection| connection.flows[position].as_ref());
        flow.is_none_or(|flow| {
            let half = &flow.halves[opener];
            let known = half.isn.or_else(|| flow.opening.map(|(_, isn)| isn));
            match known {
                Some(known) => known != isn,
                // The capture joined the connection that is there in its middle.
                None => segment.flags.is_syn() && half.last.is_some(),
            }
        })
    }

    fn open_flow(&mut self, point: usize, pair: FlowPair, segment: &Segment, src_half: usize) -> Option<u32> {
        let mut flow = Flow::new(point, pair, segment);
        let position = self.points[point].position;
        flow.opening = opening(segment, src_half);
        flow.opener = flow.opening.map(|(half, _)| half);
        let offer = flow.opening.map(|_| Offer::of(PacketRef::of(point, segment), segment));
        let by_tuple = self.same_tuple(position, &pair, segment, src_half);
        let by_number = by_tuple.or_else(|| self.translated(position, segment, src_half));
        let known = by_number.or_else(|| self.rewritten(position, &pair, segment, offer.as_ref()?));
        let index = if let Some(index) = known {
            index
        } else {
            let index = self.add_connection()?;
            self.note_rivals(index, position, &pair);
            index
        };
        match (known.and_then(|index| self.connections[index as usize].as_deref()), &offer) {
            (Some(connection), _) => self.syns.unmark(index, connection),
            (None, Some(offer)) => self.syns.mark(offer, index),
            (None, None) => {}
        }
        self.orient(&mut flow, segment, src_half, index);
        if let Some((_, isn)) = opening(segment, src_half) {
            self.syns.insert(isn, index);
        }
        self.maps[point].insert(pair, index);
        let connection = self.connections[index as usize].as_mut()?;
        if let Some(other) = connection.seen_flows().find(|other| other.pair != flow.pair) {
            self.translated.extend(
                [other.server().addr, flow.server().addr]
                    .into_iter()
                    .filter(|_| other.server() != flow.server()),
            );
        }
        connection.flows[position] = Some(flow);
        Some(index)
    }

    /// Enters a repeated SYN of a connection that no other point has seen.
    fn mark_repeated(&mut self, index: u32, point: usize, segment: &Segment) {
        let Some(connection) = self.connections[index as usize].as_deref() else { return };
        let position = self.points[point].position;
        if connection.seen_flows().count() == 1 && connection.handshake[position].offers.have_room() {
            self.syns.mark(&Offer::of(PacketRef::of(point, segment), segment), index);
        }
    }
}
