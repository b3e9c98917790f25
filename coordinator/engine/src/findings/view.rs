//! A connection with what a check needs to know around it.

use super::inside_host::{self, Stopped};
use super::{LostBy, Sighting, wording};
use crate::connection::{Connection, Few, HandshakeLog, PacketRef};
use crate::flow::Flow;
use crate::point::Point;
use crate::session::Session;
use correlate_proto::report::{EvidenceEvent, Location};
use correlate_proto::{Direction, Span};

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
        self.session.translate(at, from.point, to.point)
    }

    /// Whether one of `packets` has a time that is not certain: no order, and no span, may rest on it.
    pub(crate) fn is_doubtful(&self, packets: &[PacketRef]) -> bool {
        packets.iter().any(|packet| self.session.points[packet.point].is_doubtful(packet.packet))
    }

    /// How long a packet between the two ends may be under way beyond what is expected.
    pub(crate) fn slack(&self, a: &Flow, b: &Flow) -> i64 {
        self.session.slack(a.point, b.point)
    }

    /// The shortest round trip: of the path if the clocks are known, else that of the handshake; 0 if neither is.
    pub(crate) fn round_trip(&self) -> i64 {
        let ends = self.connection.flows.first().zip(self.connection.flows.last());
        let known = ends
            .and_then(|(client, server)| client.as_ref().zip(server.as_ref()))
            .and_then(|(client, server)| self.session.clock(client.point, server.point)?.min_rtt());
        let opener = self.connection.opened().unwrap_or(Direction::ClientToServer);
        let log = self.log_at_sender(opener);
        let shaken =
            log.syn.first().zip(log.syn_ack.first()).map(|(syn, answer)| answer.at.saturating_sub(syn.at));
        known.map(Span::as_ns).or(shaken).map_or(0, |round_trip| round_trip.max(0))
    }

    /// Whether `to`'s capture is proven to have run when a packet that left `from` at `at` would have arrived.
    pub(crate) fn would_arrive_in_cover(&self, at: i64, from: &Flow, to: &Flow) -> bool {
        self.session.covers_arrival(at, from.point, to.point)
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
        let (earliest, latest) = self.session.translate(packet.at, packet.point, to);
        self.session.clocks_are_close(packet.point, to).then(|| earliest.midpoint(latest))
    }

    /// The host where `direction` begins, if all of `packets`, which were lost, are known to have died inside it:
    /// its own interfaces show how far they came, and that others went on.
    pub(crate) fn lost_inside(
        &self,
        direction: Direction,
        packets: impl Iterator<Item = PacketRef>,
    ) -> Option<LostBy> {
        let mut all: Option<Stopped> = None;
        let mut at = None;
        for packet in packets {
            let (last, usual) = self.session.points[packet.point].sightings.stopped(packet.packet)?;
            let so_far = all.get_or_insert(Stopped { last, usual, packets: 0 });
            if (so_far.last, so_far.usual) != (last, usual) {
                return None;
            }
            so_far.packets += 1;
            at = Some(packet.point);
        }
        let (stopped, index) = (all?, at?);
        let point = &self.session.points[index];
        let at_most = stopped.odds().grade(1, 1);
        if !inside_host::shows_all(point) || self.session.path_len > 2 || !inside_host::is_sure(at_most) {
            return None;
        }
        let location = host_of(direction);
        let words = stopped.words(point);
        let absent = format!("none of them {}", inside_host::place(point, stopped.usual.end));
        Some(LostBy {
            location,
            at_most,
            words: format!(" They died inside {}: they were seen last {words}.", wording::host(location)),
            evidence: Some(Sighting::absent(index, None, EvidenceEvent::NeverSent, absent)),
            alternative: inside_host::alternative(point),
        })
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
