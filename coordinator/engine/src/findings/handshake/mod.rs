//! Handshakes that failed: the grid of what was sent at one end and seen at the other (ALGORITHMS §5.1).

mod answer;
mod odd_answer;
mod queue;
mod refusal;
mod silence;

use super::{Odds, Sighting, Symptom, View};
use crate::connection::{Few, HandshakeLog, IcmpSeen, PacketRef, RstSeen};
use crate::flow::Flow;
use crate::point::Window;
use crate::session::orphan_marks;
use correlate_proto::report::EvidenceEvent;
use correlate_proto::{Direction, IcmpKind};

/// A stack that gets no answer to its SYN repeats it after a second (RFC 6298 §2.1), with a little to spare.
const ASKS_AGAIN_WITHIN_NS: i64 = 1_300_000_000;

/// A handshake with both ends in view.
struct Handshake<'a> {
    view: &'a View<'a>,
    /// From the opener to the other host.
    forward: Direction,
    opener: &'a Flow,
    responder: Option<&'a Flow>,
    at_opener: &'a HandshakeLog,
    at_responder: &'a HandshakeLog,
}

/// Checks the handshake of a connection whose opener's end was captured.
pub(super) fn check(view: &View<'_>, symptoms: &mut Vec<Symptom>) {
    let connection = view.connection;
    let Some(forward) = connection.opened() else { return };
    let Some(opener) = connection.sender(forward) else { return };
    let handshake = Handshake {
        view,
        forward,
        opener,
        responder: connection.receiver(forward),
        at_opener: view.log_at_sender(forward),
        at_responder: view.log_at_sender(forward.reversed()),
    };
    if handshake.at_opener.syn.count() == 0 {
        return;
    }
    if let Some(refused) = handshake.refused() {
        symptoms.push(refused);
        return;
    }
    let found = [
        handshake.syn_lost(),
        handshake.unanswered().map(|silent| handshake.syn_dropped(&silent).unwrap_or(silent)),
        handshake.syn_ack_lost(),
        handshake.syn_ack_ignored(),
        handshake.ack_lost().or_else(|| handshake.ack_dropped()),
        handshake.challenged(),
        handshake.answered_too_early(),
    ];
    symptoms.extend(found.into_iter().flatten());
}

impl<'a> Handshake<'a> {
    /// The opener got an answer that opens the connection.
    fn answered(&self) -> bool {
        self.at_opener.syn_ack.count() > 0 || self.at_opener.ack.is_some()
    }

    /// Evidence: the first SYN where it left, and where it arrived if it did.
    fn asked(&self) -> Vec<Sighting> {
        let sent = self.at_opener.syn.first().map(|&syn| Sighting::of(syn, EvidenceEvent::Sent, "SYN"));
        let arrived = self.at_responder.syn.first();
        let arrived = arrived.map(|&syn| Sighting::of(syn, EvidenceEvent::Received, "SYN"));
        sent.into_iter().chain(arrived).collect()
    }

    fn rejections(&self, at_opener: bool) -> impl Iterator<Item = &'a RstSeen> {
        let back = self.forward.reversed();
        let opener_position = self.view.connection.sender_position(self.forward);
        self.view
            .connection
            .resets
            .iter()
            .filter(move |reset| reset.direction == back && reset.answers_syn)
            .filter(move |reset| (reset.position == opener_position) == at_opener)
    }

    fn icmp_rejections(&self, at_opener: bool) -> impl Iterator<Item = &'a IcmpSeen> {
        let opener_position = self.view.connection.sender_position(self.forward);
        let forward = self.forward;
        self.view
            .connection
            .icmp
            .iter()
            .filter(move |icmp| icmp.quoted == forward && rejects(icmp.error.kind))
            .filter(move |icmp| (icmp.position == opener_position) == at_opener)
    }

    fn opener_reset(&self) -> bool {
        self.view.connection.resets.iter().any(|reset| reset.direction == self.forward)
    }

    /// When the opener's host sent its first reset, by its own clock.
    fn opener_reset_at(&self) -> Option<i64> {
        let position = self.view.connection.sender_position(self.forward);
        let resets = self.view.connection.resets.iter();
        let own = resets.filter(|reset| reset.direction == self.forward && reset.position == position);
        own.map(|reset| reset.packet.at).min()
    }

    fn got_anything_back(&self) -> bool {
        let back = self.opener.half(self.forward.reversed());
        back.last.is_some() || self.icmp_rejections(true).next().is_some()
    }

    fn far_end(&self, responder: &Flow) -> std::net::IpAddr {
        match self.forward {
            Direction::ClientToServer => responder.server().addr,
            Direction::ServerToClient => responder.client().addr,
        }
    }

    /// Whether the responder's host is proven not to have sent what arrived at the opener in `packet`.
    fn responder_is_silent_for_sure(&self, packet: PacketRef) -> bool {
        match self.responder {
            Some(responder) => {
                let (low, high) = self.view.translate(packet.at, self.opener, responder);
                let slack = self.view.slack(self.opener, responder);
                self.view.point(responder).covers(Window { from: low.saturating_sub(slack), to: high })
            }
            None => self.covered(&self.at_opener.syn) > 0 && self.far_end_would_have_seen(),
        }
    }

    /// How many of `packets`, sent by the opener, would have arrived while the far end's capture ran.
    fn covered(&self, packets: &Few<PacketRef>) -> usize {
        let far = self.view.receiving_point(self.forward);
        let near = self.opener.point;
        packets.iter().filter(|packet| self.view.session.covers_arrival(packet.at, near, far)).count()
    }

    /// Whether every capture point at the far end, the alternatives included, would have seen the SYN.
    fn far_end_would_have_seen(&self) -> bool {
        let far = self.view.connection.sender_position(self.forward.reversed());
        let (client, server) = (self.opener.client().addr, self.opener.server().addr);
        let (own, called) = match self.forward {
            Direction::ClientToServer => (client, server),
            Direction::ServerToClient => (server, client),
        };
        let points: Vec<_> = self.view.session.points.iter().filter(|point| point.position == far).collect();
        points.iter().all(|point| point.would_have_seen(own, called))
            && !orphan_marks(self.opener).any(|mark| self.view.session.orphans.contains(&(far, mark)))
            && !self.view.session.another_host_may_answer(far, called)
    }

    /// The odds against `packets` that passed at the far end being absent from the captures there.
    fn far_absence(&self, packets: u64) -> Odds {
        let far = self.view.connection.sender_position(self.forward.reversed());
        let points = self.view.session.points.iter().filter(|point| point.position == far);
        points.map(|point| Odds::of_absence(point, packets)).fold(Odds::certain(), Odds::or)
    }

    /// Whether the opener's capture ran for long enough after its only SYN to show the next one.
    fn asking_again_was_due(&self) -> bool {
        let Some(last) = self.at_opener.last_syn else { return false };
        let window = Window { from: last.at, to: last.at.saturating_add(ASKS_AGAIN_WITHIN_NS) };
        self.view.point(self.opener).covers(window)
    }

    fn clocks_are_known(&self) -> bool {
        let far = self.view.receiving_point(self.forward);
        self.view.session.clocks_are_close(self.opener.point, far)
    }

    fn lost(&self, direction: Direction) -> u64 {
        self.view.connection.hops.iter().map(|hop| hop.tallies[direction.index()].lost).sum()
    }
}

/// Whether an ICMP error rejects a connection (RFC 1122 §4.2.3.9 counts codes 2 to 4 as hard errors; in practice
/// every kind of unreachable ends the attempt or names who refused).
fn rejects(kind: IcmpKind) -> bool {
    matches!(
        kind,
        IcmpKind::PortUnreachable | IcmpKind::Prohibited | IcmpKind::Unreachable | IcmpKind::TimeExceeded
    )
}
