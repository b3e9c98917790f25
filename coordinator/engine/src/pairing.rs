//! Pairing: which flow at one capture point is which flow at another.
//!
//! By four-tuple first. Where a device translates addresses that fails, and the opening SYN decides: its initial
//! sequence number and timestamp, 64 random bits of the client's stack (ALGORITHMS §2.5), with the SYN-ACK's
//! acknowledgement standing in for a SYN that was not captured.

use crate::connection::Connection;
use crate::flow::{Flow, FlowPair, client_half_by_capture, client_half_by_custom};
use crate::session::Session;
use correlate_proto::{Heard, Segment, SeqNum, TcpFlags};
use rustc_hash::FxHashMap;

/// A sequence number this far from all that a flow has carried belongs to another incarnation of the tuple: no
/// window is larger (RFC 7323 §2.3).
const MAX_DISTANCE: i64 = 1 << 30;

/// Two flows under different addresses are one connection only if their SYNs were captured within this of each
/// other by roughly aligned time, so that chance has little room.
const MAX_TRANSLATED_GAP_NS: i64 = 10_000_000_000;

/// Connections that one end saw, by the opener's initial sequence number. Looked up only, never iterated.
#[derive(Debug, Default)]
pub(crate) struct SynIndex {
    by_isn: FxHashMap<u32, Vec<u32>>,
}

/// How many connections with one initial sequence number are remembered. Chance brings two together once in
/// 2³² pairs; more are forged, and the later ones are not paired under translation.
const MAX_SAME_ISN: usize = 16;

impl SynIndex {
    fn insert(&mut self, isn: SeqNum, index: u32) {
        let entry = self.by_isn.entry(isn.0).or_default();
        if entry.len() < MAX_SAME_ISN && !entry.contains(&index) {
            entry.push(index);
        }
    }

    fn candidates(&self, isn: SeqNum) -> &[u32] {
        self.by_isn.get(&isn.0).map_or(&[], Vec::as_slice)
    }

    /// Forgets a connection.
    pub(crate) fn remove(&mut self, index: u32, connection: &Connection) {
        for flow in connection.seen_flows() {
            let Some((_, isn)) = flow.opening else { continue };
            if let Some(entry) = self.by_isn.get_mut(&isn.0) {
                entry.retain(|&other| other != index);
                if entry.is_empty() {
                    self.by_isn.remove(&isn.0);
                }
            }
        }
    }
}

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
        let by_tuple = self.same_tuple(position, &pair, segment, src_half);
        let index = match by_tuple.or_else(|| self.translated(position, segment, src_half)) {
            Some(index) => index,
            None => self.add_connection()?,
        };
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

    /// A connection that another point saw under the same four-tuple and this position has not seen.
    fn same_tuple(
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
    fn translated(&self, position: usize, segment: &Segment, src_half: usize) -> Option<u32> {
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

    /// Decides which half of a new flow the client host sends.
    fn orient(&mut self, flow: &mut Flow, segment: &Segment, src_half: usize, index: u32) {
        let point = &self.points[flow.point];
        let position_is_upstream = point.position == 0;
        let heard = if self.is_local_to(flow.point, segment) { Heard::Unknown } else { segment.heard };
        let by_capture = client_half_by_capture(point.info.role, heard, src_half == 0);
        let known = by_capture.or_else(|| self.client_half_by_address(flow.point, segment, src_half));
        flow.orientation_known = known.is_some();
        let Some(connection) = self.connections[index as usize].as_mut() else { return };
        let Some(other) = connection.seen_flows().next() else {
            flow.client_half = known.unwrap_or_else(|| client_half_by_custom(segment, src_half == 0));
            return;
        };
        flow.client_half = if other.pair == flow.pair {
            other.client_half
        } else {
            match (flow.opener, other.opener) {
                (Some(own), Some(opener)) if opener == other.client_half => own,
                (Some(own), Some(_)) => 1 - own,
                _ => client_half_by_custom(segment, src_half == 0),
            }
        };
        let disproved = match known {
            Some(known) => known != flow.client_half && !other.orientation_known,
            None => {
                !other.orientation_known
                    && opened_from_the_far_end(flow, other, segment, position_is_upstream)
            }
        };
        if disproved {
            connection.flip();
            flow.client_half = 1 - flow.client_half;
        }
    }

    /// Whether both ends of `segment` are the host of `point` itself: on a loopback interface every packet goes out
    /// and comes in, and direction tells nothing.
    fn is_local_to(&self, point: usize, segment: &Segment) -> bool {
        let (src, dst) = (segment.tuple.src.addr, segment.tuple.dst.addr);
        src == dst
            || [src, dst].iter().all(|&own| own.is_loopback() || self.points[point].owns(own) == Some(true))
    }

    fn client_half_by_address(&self, point: usize, segment: &Segment, src_half: usize) -> Option<usize> {
        let point = &self.points[point];
        let (src, dst) = (segment.tuple.src.addr, segment.tuple.dst.addr);
        let heard = match (point.owns(src)?, point.owns(dst)?) {
            (true, false) => Heard::Out,
            (false, true) => Heard::In,
            _ => return None,
        };
        client_half_by_capture(point.info.role, heard, src_half == 0)
    }
}

/// Whether `segment`, the first packet of a flow, can belong to the connection that another point saw as `flow`.
fn fits(flow: &Flow, segment: &Segment, src_half: usize) -> bool {
    if let Some((half, isn)) = opening(segment, src_half)
        && let Some(known) = flow.halves[half].isn
    {
        return known == isn;
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

/// Whether the SYN came from the server's end, by its TTL: routers only ever lower it.
fn opened_from_the_far_end(flow: &Flow, other: &Flow, segment: &Segment, is_upstream: bool) -> bool {
    let Some(there) = other.opener.and_then(|half| other.halves[half].syn_ttl) else { return false };
    if !segment.flags.is_syn() {
        return false;
    }
    let (up, down) = if is_upstream { (segment.ip.ttl, there) } else { (there, segment.ip.ttl) };
    let opener_is_client = flow.opener == Some(flow.client_half);
    if opener_is_client { up < down } else { down < up }
}
