//! A connection with what a check needs to know around it.

use super::{Sighting, wording};
use crate::connection::{Connection, Few, HandshakeLog, PacketRef};
use crate::flow::Flow;
use crate::point::Point;
use crate::session::Session;
use correlate_proto::Direction;
use correlate_proto::report::{EvidenceEvent, Location};

/// A connection in its session.
pub(crate) struct View<'a> {
    pub(crate) session: &'a Session,
    pub(crate) connection: &'a Connection,
}

impl<'a> View<'a> {
    /// A view of `connection`.
    pub(crate) const fn new(session: &'a Session, connection: &'a Connection) -> Self {
        Self { session, connection }
    }

    /// The capture point that took `flow`.
    pub(crate) fn point(&self, flow: &Flow) -> &'a Point {
        &self.session.points[flow.point]
    }

    /// Handshake packets at the end where `direction` begins.
    pub(crate) fn log_at_sender(&self, direction: Direction) -> &'a HandshakeLog {
        &self.connection.handshake[self.connection.sender_position(direction)]
    }

    /// What `at` of `from`'s clock is on `to`'s clock: earliest and latest.
    pub(crate) fn translate(&self, at: i64, from: &Flow, to: &Flow) -> (i64, i64) {
        if self.session.points[from.point].position < self.session.points[to.point].position {
            let (low, high, _) = self.session.offset_between(from.point, to.point, at);
            (at.saturating_add(low), at.saturating_add(high))
        } else {
            let (low, high, _) = self.session.offset_between(to.point, from.point, at);
            (at.saturating_sub(high), at.saturating_sub(low))
        }
    }

    /// Slack of the path between the two ends, in nanoseconds.
    pub(crate) fn slack(&self, a: &Flow, b: &Flow) -> i64 {
        let (up, down) = if self.session.points[a.point].position < self.session.points[b.point].position {
            (a, b)
        } else {
            (b, a)
        };
        self.session.offset_between(up.point, down.point, up.last.at).2
    }

    /// Whether `to`'s capture is proven to have run when a packet that left `from` at `at` would have arrived.
    pub(crate) fn would_arrive_in_cover(&self, at: i64, from: &Flow, to: &Flow) -> bool {
        let (low, high) = self.translate(at, from, to);
        let slack = self.slack(from, to);
        self.point(to).covers(crate::point::Window { from: low, to: high.saturating_add(slack) })
    }

    /// Evidence: packets of `few` that left at one end, and that the other end, if it saw the connection, never
    /// got.
    pub(crate) fn sent_not_seen(&self, few: &Few<PacketRef>, what: &str, to: usize) -> Vec<Sighting> {
        let mut evidence: Vec<Sighting> =
            few.iter().take(3).map(|&packet| Sighting::of(packet, EvidenceEvent::Sent, what)).collect();
        let at = few.first().and_then(|first| self.expected_at(first, to));
        evidence.push(Sighting::absent(to, at, EvidenceEvent::NeverReceived, wording::none_of(what)));
        evidence
    }

    /// When a packet that was at its point should have been at `to`, by that point's clock, as well as is known.
    pub(crate) fn expected_at(&self, packet: &PacketRef, to: usize) -> Option<i64> {
        let (from_position, to_position) =
            (self.session.points[packet.point].position, self.session.points[to].position);
        if from_position == to_position {
            return Some(packet.at);
        }
        let (up, down) = if from_position < to_position { (packet.point, to) } else { (to, packet.point) };
        let offset = self.session.clock(up, down)?.summary().offset?.as_ns();
        Some(if from_position < to_position { packet.at + offset } else { packet.at - offset })
    }

    /// A capture point at the far end of `direction`: the one that saw the connection, else the first there.
    pub(crate) fn receiving_point(&self, direction: Direction) -> usize {
        let position = self.connection.sender_position(direction.reversed());
        self.connection.flows[position].as_ref().map_or_else(
            || self.session.points.iter().position(|point| point.position == position).unwrap_or(0),
            |flow| flow.point,
        )
    }
}

/// The path in `direction`.
pub(crate) const fn path_of(direction: Direction) -> Location {
    match direction {
        Direction::ClientToServer => Location::ClientToServerPath,
        Direction::ServerToClient => Location::ServerToClientPath,
    }
}

/// The host where `direction` begins.
pub(crate) const fn host_of(direction: Direction) -> Location {
    match direction {
        Direction::ClientToServer => Location::ClientHost,
        Direction::ServerToClient => Location::ServerHost,
    }
}
