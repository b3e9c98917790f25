//! Which of the connections that other points saw a new flow is.

use super::likeness::{Nats, likeness};
use super::opening;
use crate::connection::{Connection, Offer};
use crate::flow::{Flow, FlowPair};
use crate::session::Session;
use correlate_proto::{Segment, SeqNum, TcpFlags};

/// A sequence number this far from all that a flow has carried belongs to another incarnation of the tuple: no
/// window is larger (RFC 7323 §2.3).
const MAX_DISTANCE: i64 = 1 << 30;

/// Two flows under different addresses are one connection only if their SYNs were captured within this of each
/// other by roughly aligned time, so that chance has little room.
const MAX_TRANSLATED_GAP_NS: i64 = 10_000_000_000;

/// Odds that a pairing must have against chance, one error in a million, and against the next best.
const PAIRED: Nats = 14;
const MARGIN: Nats = 7;

impl Session {
    /// A connection that another point saw under the same four-tuple and this position has not seen.
    pub(super) fn same_tuple(
        &self,
        position: usize,
        pair: &FlowPair,
        segment: &Segment,
        src_half: usize,
    ) -> Option<u32> {
        self.points.iter().enumerate().filter(|(_, other)| other.position != position).find_map(
            |(other, _)| {
                let index = self.maps[other].find(pair)?;
                let connection = self.connections[index as usize].as_ref()?;
                let flow = connection.seen_flows().find(|flow| flow.point == other)?;
                (connection.flows[position].is_none() && fits(flow, segment, src_half)).then_some(index)
            },
        )
    }

    /// The one connection that another point saw open with the same SYN under other addresses.
    pub(super) fn translated(&self, position: usize, segment: &Segment, src_half: usize) -> Option<u32> {
        let (_, isn) = opening(segment, src_half)?;
        let mut suiting = self.syns.candidates(isn).iter().copied().filter(|&index| {
            self.connections[index as usize].as_ref().is_some_and(|connection| {
                connection.flows[position].is_none() && self.same_syn(connection, segment)
            })
        });
        let found = suiting.next();
        found.filter(|_| suiting.next().is_none())
    }

    fn same_syn(&self, connection: &Connection, segment: &Segment) -> bool {
        connection.seen_flows().all(|flow| {
            let Some(opener) = flow.opener else { return false };
            let stamp = segment.options.timestamps;
            let (own, echoed) = (stamp.map(|(value, _)| value), stamp.map(|(_, echo)| echo));
            let tsval = if segment.flags.is_syn() { own } else { echoed };
            let known = flow.halves[opener].syn_tsval;
            // A repeated SYN has a later timestamp: same stack, same counter, a few seconds on at the most.
            let stamps_fit = match (known, tsval) {
                (Some(known), Some(tsval)) => {
                    tsval.wrapping_sub(known).cast_signed().unsigned_abs() < 1 << 18
                }
                (None, None) => true,
                _ => !segment.flags.is_syn(),
            };
            stamps_fit && self.near(flow, segment)
        })
    }

    /// Whether a flow's last packet and a new one at another point are close in roughly aligned time. Stamps of
    /// clocks that have not been aligned say nothing.
    fn near(&self, flow: &Flow, segment: &Segment) -> bool {
        let known = self.clocks.iter().any(|(&(up, down), clock)| {
            (up == flow.point || down == flow.point) && clock.offset_at(segment.at).estimate.is_some()
        });
        let gap = segment.at.as_ns().saturating_sub(flow.last.at).saturating_abs();
        !known || gap < MAX_TRANSLATED_GAP_NS.saturating_add(self.largest_offset())
    }

    fn largest_offset(&self) -> i64 {
        self.clocks
            .values()
            .filter_map(|clock| clock.summary().offset)
            .map(|offset| offset.as_ns().saturating_abs())
            .max()
            .unwrap_or(0)
    }

    /// The one connection that another point saw open with a SYN that is like this one in all but its sequence
    /// number: under the same four-tuple or, where a device translates addresses as well, any.
    pub(super) fn rewritten(
        &self,
        position: usize,
        pair: &FlowPair,
        segment: &Segment,
        offer: &Offer,
    ) -> Option<u32> {
        let tuples = self.points.iter().zip(&self.maps).filter(|(point, _)| point.position != position);
        let same_tuple = tuples.filter_map(|(_, map)| map.find(pair));
        // Among so many one may look alike by chance.
        let crowd = Nats::try_from(self.connections.len().max(1).ilog2() * 7 / 10 + 1).unwrap_or(Nats::MAX);
        let elsewhere = self.syns.marked(offer).map(|index| (index, PAIRED + crowd));
        let mut best: Option<(Nats, u32)> = None;
        let mut next = Nats::MIN;
        for (index, least) in same_tuple.map(|index| (index, PAIRED)).chain(elsewhere) {
            let Some(odds) = self.odds_of(index, position, segment, offer).filter(|&odds| odds > least)
            else {
                continue;
            };
            match best {
                Some((_, known)) if known == index => {}
                Some((most, _)) if odds <= most => next = next.max(odds),
                _ => {
                    next = next.max(best.map_or(Nats::MIN, |(most, _)| most));
                    best = Some((odds, index));
                }
            }
        }
        best.filter(|&(most, _)| most.saturating_sub(next.max(0)) >= MARGIN).map(|(_, index)| index)
    }

    /// What speaks for `offer` being an opening packet of connection `index`, which no point at `position` has seen.
    fn odds_of(&self, index: u32, position: usize, segment: &Segment, offer: &Offer) -> Option<Nats> {
        let connection = self.connections[index as usize].as_deref()?;
        if connection.flows[position].is_some()
            || !connection.seen_flows().all(|flow| self.near(flow, segment))
        {
            return None;
        }
        let offers = connection.handshake.iter().flat_map(|log| log.offers.iter());
        offers.map(|other| likeness(other, offer)).max()
    }
}

/// Whether `segment`, the first packet of a flow, can belong to the connection that another point saw as `flow`.
fn fits(flow: &Flow, segment: &Segment, src_half: usize) -> bool {
    if let Some((half, isn)) = opening(segment, src_half) {
        // A SYN-ACK tells what the capture lacks of the SYN.
        let told = flow.opening.filter(|(opener, _)| *opener == half).map(|(_, isn)| isn);
        if let Some(known) = flow.halves[half].isn.or(told) {
            return known == isn;
        }
    }
    if segment.flags.is_syn() {
        // The other capture began in mid-connection: a SYN here opens a later one.
        return false;
    }
    let near = |half: usize, seq: SeqNum| {
        let half = &flow.halves[half];
        match (half.peek(seq), half.highest_end) {
            (Some(offset), Some(highest)) => (offset - highest).abs() < MAX_DISTANCE,
            _ => true,
        }
    };
    near(src_half, segment.seq) && (!segment.flags.has(TcpFlags::ACK) || near(1 - src_half, segment.ack))
}
