//! Connections that two ends saw under one four-tuple and with numbers that have nothing in common: a device may
//! have rewritten these. The run of a stream's segments tells, as far as it is seen at both ends.

use crate::connection::Connection;
use crate::flow::FlowPair;
use crate::ingest::offer_again;
use crate::matching::{End, Side, likely_shift};
use crate::numbering::{align, turn};
use crate::session::Session;
use correlate_proto::Direction;

/// Two connections that may be one.
#[derive(Debug, Clone, Copy)]
struct Rival {
    /// Place and number of the one that was seen first, and of the other.
    ends: [(u32, u64); 2],
    /// Waiting pieces at which they are compared again: each time twice as many.
    retry_at: usize,
}

/// Pairs of connections that may be one, in the order in which they were noticed.
#[derive(Debug, Default)]
pub(crate) struct Rivals(Vec<Rival>);

/// Segments that must wait in a direction at both ends before these are compared.
const LEAST_WAITING: usize = 3;

impl Session {
    /// Notes what other points saw under the four-tuple of connection `index`, which a point at `position` has just
    /// begun to see.
    pub(super) fn note_rivals(&mut self, index: u32, position: usize, pair: &FlowPair) {
        let Some(number) = self.connections[index as usize].as_ref().map(|connection| connection.number)
        else {
            return;
        };
        let elsewhere = self.points.iter().zip(&self.maps).filter(|(point, _)| point.position != position);
        for other in elsewhere.filter_map(|(_, map)| map.find(pair)) {
            let Some(known) = self.connections[other as usize].as_deref() else { continue };
            if known.flows[position].is_none() && known.hops.len() == 1 {
                let ends = [(other, known.number), (index, number)];
                self.rivals.0.push(Rival { ends, retry_at: LEAST_WAITING });
            }
        }
    }

    /// Makes one of those that turn out to be one; `last` if nothing more will come.
    pub(crate) fn merge_rivals(&mut self, last: bool) {
        let mut rivals = core::mem::take(&mut self.rivals);
        rivals.0.retain_mut(|rival| {
            let alone = rival.ends.iter().all(|&(index, number)| {
                let connection = self.connections[index as usize].as_deref();
                connection.is_some_and(|it| it.number == number && it.seen_flows().count() == 1)
            });
            if alone && let Some(shifts) = self.compare(rival, last) {
                let [(kept, _), (taken, _)] = rival.ends;
                self.merge(kept, taken, shifts);
                return false;
            }
            alone
        });
        self.rivals = rivals;
    }

    /// By how much the ends of two connections number octets differently, if they are one.
    fn compare(&mut self, rival: &mut Rival, last: bool) -> Option<[Option<i64>; 2]> {
        let [(kept, _), (other, _)] = rival.ends;
        let client_half = self.connections[kept as usize].as_ref()?.seen_flows().next()?.client_half;
        let connection = self.connections[other as usize].as_mut()?;
        let flow = connection.seen_flows().next()?;
        if flow.client_half != client_half {
            if flow.orientation_known {
                return None;
            }
            connection.flip();
        }
        let ends = [kept, other].map(|index| self.connections[index as usize].as_deref());
        let [Some(a), Some(b)] = ends else { return None };
        let (up, down) = if a.flows[0].is_some() { (a, b) } else { (b, a) };
        let sides = |way: Direction| match end_at(0, way) {
            End::Sender => (waiting(up, 0, way), waiting(down, 1, way)),
            End::Receiver => (waiting(down, 1, way), waiting(up, 0, way)),
        };
        let most = Direction::BOTH
            .iter()
            .map(|&way| sides(way))
            .map(|(sent, received)| sent.len().min(received.len()));
        let most = most.max().unwrap_or(0);
        if most < LEAST_WAITING || (most < rival.retry_at && !last) {
            return None;
        }
        rival.retry_at = most * 2;
        let shifts = Direction::BOTH.map(|way| {
            let (sent, received) = sides(way);
            let shift = likely_shift(sent, received)?;
            let shift = if end_at(1, way) == End::Receiver { shift } else { -shift };
            Some(shift).filter(|&shift| fits_openings(up, down, way, shift))
        });
        shifts.iter().any(Option::is_some).then_some(shifts)
    }

    /// Makes connection `taken` the other end of `kept`.
    fn merge(&mut self, kept: u32, taken: u32, shifts: [Option<i64>; 2]) {
        let Some(mut from) = self.remove_connection(taken) else { return };
        self.opened -= 1;
        let Some(position) = from.flows.iter().position(Option::is_some) else { return };
        let Some(flow) = from.flows[position].take() else { return };
        self.maps[flow.point].insert(flow.pair, kept);
        if let Some((_, isn)) = flow.opening {
            self.syns.insert(isn, kept);
        }
        let Some(connection) = self.connections[kept as usize].as_deref_mut() else { return };
        self.syns.unmark(kept, connection);
        connection.flows[position] = Some(flow);
        connection.handshake[position] = core::mem::take(&mut from.handshake[position]);
        from.resets.iter().for_each(|&reset| connection.resets.push(reset));
        from.icmp.iter().for_each(|&icmp| connection.icmp.push(icmp));
        for way in Direction::BOTH {
            let end = end_at(position, way);
            let lane = &mut connection.hops[0].lanes[way.index()];
            *lane.side(end) = core::mem::take(from.hops[0].lanes[way.index()].side(end));
        }
        for way in Direction::BOTH {
            match shifts[way.index()] {
                Some(shift) => connection.renumber(0, way, shift),
                None => {
                    align(connection, 0, way);
                }
            }
        }
        let fates = self.config.trace_fates.then_some(&mut self.fates);
        offer_again(connection, 0, (&mut self.clocks, &mut self.courses), &self.points, fates);
    }
}

/// The end of `way` that is captured at `position`, of two.
const fn end_at(position: usize, way: Direction) -> End {
    match (position, way) {
        (0, Direction::ClientToServer) | (1.., Direction::ServerToClient) => End::Sender,
        (0, Direction::ServerToClient) | (1.., Direction::ClientToServer) => End::Receiver,
    }
}

fn waiting(connection: &Connection, position: usize, way: Direction) -> &Side {
    let lane = &connection.hops[0].lanes[way.index()];
    match end_at(position, way) {
        End::Sender => &lane.sent,
        End::Receiver => &lane.received,
    }
}

/// Whether `shift` is also the difference of the initial sequence numbers, where both ends saw them.
fn fits_openings(up: &Connection, down: &Connection, way: Direction, shift: i64) -> bool {
    let isn = |connection: &Connection| connection.seen_flows().find_map(|flow| flow.half(way).isn);
    match (isn(up), isn(down)) {
        (Some(up), Some(down)) => up == down.add(turn(shift)),
        _ => true,
    }
}
