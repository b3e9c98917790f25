//! Handshakes that failed: the grid of what was sent at one end and seen at the other (ALGORITHMS §5.1).

use super::view::{host_of, path_of};
use super::{Facts, Sighting, Symptom, View, wording};
use crate::connection::{HandshakeLog, IcmpSeen, PacketRef, RstSeen, SentState};
use crate::flow::Flow;
use crate::point::Window;
use crate::session::orphan_marks;
use correlate_proto::report::{Code, Confidence, EvidenceEvent, Location, Severity};
use correlate_proto::{Direction, IcmpKind};

/// A host that is alive answers a SYN at once. If it was silent for this long, in a capture that ran, it did not
/// answer; a second SYN that arrives without an answer to the first proves the same.
const ANSWER_WITHIN_NS: i64 = 1_000_000_000;

/// A host that takes a SYN-ACK for what it is acknowledges it at once; a capture that ends sooner than this proves
/// nothing.
const REACTS_WITHIN_NS: i64 = 250_000_000;

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
        handshake.unanswered(),
        handshake.syn_ack_lost(),
        handshake.syn_ack_ignored(),
        handshake.ack_lost(),
    ];
    symptoms.extend(found.into_iter().flatten());
}

impl<'a> Handshake<'a> {
    /// The opener got an answer that opens the connection.
    fn answered(&self) -> bool {
        self.at_opener.syn_ack.count() > 0 || self.at_opener.ack.is_some()
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

    /// Refused: by the responder's host if the rejection left there, else by a device, if the responder's
    /// capture is clear.
    fn refused(&self) -> Option<Symptom> {
        if self.at_opener.syn_ack.count() > 0 || self.at_responder.syn_ack.count() > 0 {
            return None;
        }
        self.refused_by_host().or_else(|| self.refused_in_path())
    }

    fn refused_by_host(&self) -> Option<Symptom> {
        let responder = self.responder?;
        let reset = self.rejections(false).next();
        let icmp = self.icmp_rejections(false).find(|icmp| icmp.error.from == self.far_end(responder));
        let (packet, how) = match (reset, icmp) {
            (Some(reset), _) => (reset.packet, "RST".to_owned()),
            (None, Some(icmp)) => (icmp.packet, describe_icmp(icmp)),
            (None, None) => return None,
        };
        let mut evidence: Vec<Sighting> = self
            .at_opener
            .syn
            .first()
            .map(|&syn| Sighting::of(syn, EvidenceEvent::Sent, "SYN"))
            .into_iter()
            .collect();
        evidence.extend(
            self.at_responder.syn.first().map(|&syn| Sighting::of(syn, EvidenceEvent::Received, "SYN")),
        );
        evidence.push(Sighting::of(packet, EvidenceEvent::Sent, how.clone()));
        evidence.extend(
            self.rejections(true)
                .next()
                .map(|reset| Sighting::of(reset.packet, EvidenceEvent::Received, "RST")),
        );
        let back = self.forward.reversed();
        let symptom = Symptom::new(
            Code::ConnectionRefused,
            Severity::Error,
            Confidence::Proven,
            host_of(back),
            Facts::Refused { how },
        );
        Some(symptom.in_direction(back).with_evidence(evidence).or_else(
            "a packet filter on that host may reject in the closed port's name; its counters tell, the packets do not",
        ))
    }

    fn refused_in_path(&self) -> Option<Symptom> {
        let reset = self.rejections(true).find(|reset| reset.state != SentState::Matched);
        let icmp = self
            .icmp_rejections(true)
            .find(|icmp| Some(icmp.error.from) != self.responder.map(|r| self.far_end(r)));
        let (packet, how) = match (reset, icmp) {
            (Some(reset), _) => (reset.packet, "RST".to_owned()),
            (None, Some(icmp)) => (icmp.packet, describe_icmp(icmp)),
            (None, None) => return None,
        };
        if !self.responder_is_silent_for_sure(packet) {
            return None;
        }
        let confidence = match (self.responder.is_some(), self.far_point_is_suspect()) {
            (_, true) => Confidence::Unconfirmed,
            (false, false) => Confidence::Proven,
            (true, false) => Confidence::Strong,
        };
        let far = self.view.receiving_point(self.forward);
        let mut evidence: Vec<Sighting> = self
            .at_opener
            .syn
            .first()
            .map(|&syn| Sighting::of(syn, EvidenceEvent::Sent, "SYN"))
            .into_iter()
            .collect();
        evidence.push(Sighting::of(packet, EvidenceEvent::Received, how.clone()));
        evidence.push(Sighting::absent(
            far,
            self.view.expected_at(&packet, far),
            EvidenceEvent::NeverSent,
            how.clone(),
        ));
        let symptom = Symptom::new(
            Code::RefusedInPath,
            Severity::Error,
            confidence,
            Location::PathDevice,
            Facts::Refused { how },
        );
        Some(
            symptom
                .in_direction(self.forward.reversed())
                .with_evidence(evidence)
                .or_else("a packet filter of the answering host that works behind its capture point"),
        )
    }

    /// SYNs left, none arrived.
    fn syn_lost(&self) -> Option<Symptom> {
        let arrived = self.responder.is_some() || self.at_responder.syn.count() > 0;
        if arrived || self.answered() || self.got_anything_back() {
            return None;
        }
        let covered = self.covered(&self.at_opener.syn);
        if covered == 0 || !self.far_end_would_have_seen() {
            return None;
        }
        let repeated = self.at_opener.syn.count() > 1;
        let confidence = match (self.far_point_is_suspect(), self.clocks_are_known(), repeated) {
            (true, _, false) => Confidence::Unconfirmed,
            (true, _, true) | (false, false, _) => Confidence::Likely,
            (false, true, true) => Confidence::Proven,
            (false, true, false) => Confidence::Strong,
        };
        let far = self.view.receiving_point(self.forward);
        let symptom = Symptom::new(
            Code::SynLost,
            Severity::Error,
            confidence,
            path_of(self.forward),
            Facts::Counts { sent: self.at_opener.syn.count(), received: 0 },
        );
        Some(
            symptom
                .in_direction(self.forward)
                .with_evidence(self.view.sent_not_seen(&self.at_opener.syn, "SYN", far))
                .explaining(self.forward, self.lost(self.forward))
                .or_else(wording::HOST_EDGE),
        )
    }

    /// SYNs arrived, nothing left.
    fn unanswered(&self) -> Option<Symptom> {
        let responder = self.responder?;
        let log = self.at_responder;
        if log.syn.count() == 0 || log.syn_ack.count() > 0 || self.answered() || self.got_anything_back() {
            return None;
        }
        let (first, last) = (*log.syn.first()?, log.last_syn?);
        let back = self.forward.reversed();
        if responder.half(back).last.is_some() || self.icmp_rejections(false).next().is_some() {
            return None;
        }
        let silent = Window { from: first.at, to: first.at + ANSWER_WITHIN_NS };
        let repeated = last.at - first.at >= ANSWER_WITHIN_NS / 2;
        if !repeated && !self.view.point(responder).covers(silent) {
            return None;
        }
        let confidence = match (self.view.point(responder).is_suspect(), repeated) {
            (true, _) => Confidence::Unconfirmed,
            (false, true) => Confidence::Proven,
            (false, false) => Confidence::Strong,
        };
        let mut evidence: Vec<Sighting> = self
            .at_opener
            .syn
            .iter()
            .take(2)
            .map(|&syn| Sighting::of(syn, EvidenceEvent::Sent, "SYN"))
            .collect();
        evidence.extend(log.syn.iter().take(3).map(|&syn| Sighting::of(syn, EvidenceEvent::Received, "SYN")));
        evidence.push(Sighting::absent(
            responder.point,
            Some(first.at),
            EvidenceEvent::NeverSent,
            "SYN-ACK, RST or ICMP",
        ));
        let symptom = Symptom::new(
            Code::SynUnanswered,
            Severity::Error,
            confidence,
            host_of(back),
            Facts::Counts { sent: self.at_opener.syn.count(), received: log.syn.count() },
        );
        Some(symptom.in_direction(self.forward).with_evidence(evidence))
    }

    /// SYN-ACKs left, none arrived.
    fn syn_ack_lost(&self) -> Option<Symptom> {
        let responder = self.responder?;
        let log = self.at_responder;
        let reached = self.at_opener.syn_ack.count() > 0 || self.at_opener.ack.is_some() || log.ack.is_some();
        if log.syn_ack.count() == 0 || reached {
            return None;
        }
        let covered = log
            .syn_ack
            .iter()
            .filter(|packet| self.view.would_arrive_in_cover(packet.at, responder, self.opener))
            .count();
        if covered == 0 {
            return None;
        }
        // The opener asks again although an answer had time to arrive: its stack has not got it either.
        let asked_again = log.syn.count() > 1 || self.at_opener.syn.count() > 1;
        let confidence =
            match (self.view.point(self.opener).is_suspect(), asked_again, log.syn_ack.count() > 1) {
                (true, true, _) | (false, false, false) => Confidence::Strong,
                (true, false, _) => Confidence::Unconfirmed,
                (false, _, _) => Confidence::Proven,
            };
        let back = self.forward.reversed();
        let mut evidence: Vec<Sighting> = self
            .at_opener
            .syn
            .first()
            .map(|&syn| Sighting::of(syn, EvidenceEvent::Sent, "SYN"))
            .into_iter()
            .collect();
        evidence.extend(log.syn.first().map(|&syn| Sighting::of(syn, EvidenceEvent::Received, "SYN")));
        evidence.extend(self.view.sent_not_seen(&log.syn_ack, "SYN-ACK", self.opener.point));
        let symptom = Symptom::new(
            Code::SynAckLost,
            Severity::Error,
            confidence,
            path_of(back),
            Facts::Counts { sent: log.syn_ack.count(), received: 0 },
        );
        let symptom = symptom.in_direction(back).with_evidence(evidence).explaining(back, self.lost(back));
        Some(symptom.or_else(wording::HOST_EDGE))
    }

    /// SYN-ACKs arrived, and the opener's host goes on as if none had.
    fn syn_ack_ignored(&self) -> Option<Symptom> {
        let log = self.at_opener;
        if log.syn_ack.count() == 0 || log.ack.is_some() || log.rejected || self.opener_reset() {
            return None;
        }
        let first_answer = log.syn_ack.first()?;
        let asked_again = log.last_syn.is_some_and(|syn| syn.at > first_answer.at);
        let got_again = log.syn_ack.count() > 1;
        let last_answer = log.last_syn_ack?;
        let silence = Window { from: last_answer.at, to: last_answer.at.saturating_add(REACTS_WITHIN_NS) };
        let stayed_silent = got_again && self.view.point(self.opener).covers(silence);
        if !asked_again && !stayed_silent {
            return None;
        }
        let confidence = if self.view.point(self.opener).is_suspect() {
            Confidence::Likely
        } else if asked_again {
            Confidence::Proven
        } else {
            Confidence::Strong
        };
        let back = self.forward.reversed();
        let mut evidence: Vec<Sighting> = self
            .at_responder
            .syn_ack
            .first()
            .map(|&p| Sighting::of(p, EvidenceEvent::Sent, "SYN-ACK"))
            .into_iter()
            .collect();
        evidence
            .extend(log.syn_ack.iter().take(2).map(|&p| Sighting::of(p, EvidenceEvent::Received, "SYN-ACK")));
        evidence.extend(
            log.last_syn.filter(|_| asked_again).map(|p| Sighting::of(p, EvidenceEvent::Sent, "SYN again")),
        );
        evidence.push(Sighting::absent(self.opener.point, None, EvidenceEvent::NeverSent, "ACK or RST"));
        let symptom = Symptom::new(
            Code::SynAckIgnored,
            Severity::Error,
            confidence,
            host_of(self.forward),
            Facts::Counts { sent: self.at_responder.syn_ack.count(), received: log.syn_ack.count() },
        );
        Some(symptom.in_direction(back).with_evidence(evidence))
    }

    /// The last ACK of the handshake left and did not arrive, and the responder repeated its SYN-ACK for it.
    fn ack_lost(&self) -> Option<Symptom> {
        let responder = self.responder?;
        let (sent, log) = (self.at_opener.ack?, self.at_responder);
        let last_answer = log.last_syn_ack?;
        let tally = &self.view.connection.hops.first()?.tallies[self.forward.index()];
        let lost = tally.lost_kept.iter().any(|lost| lost.packet == sent.packet);
        let repeated = log.syn_ack.count() > 1 && log.ack.is_none_or(|ack| last_answer.at < ack.at);
        let after = self.view.translate(sent.at, self.opener, responder).0;
        if !lost || !repeated || last_answer.at < after {
            return None;
        }
        let mut evidence = vec![Sighting::of(sent, EvidenceEvent::Sent, "ACK of the SYN-ACK")];
        let expected = self.view.expected_at(&sent, responder.point);
        evidence.push(Sighting::absent(responder.point, expected, EvidenceEvent::NeverReceived, "that ACK"));
        evidence.push(Sighting::of(last_answer, EvidenceEvent::Sent, "SYN-ACK again"));
        let confidence =
            if self.view.point(responder).is_suspect() { Confidence::Likely } else { Confidence::Proven };
        let symptom = Symptom::new(
            Code::HandshakeAckLost,
            Severity::Warning,
            confidence,
            path_of(self.forward),
            Facts::Counts { sent: 1, received: 0 },
        );
        let symptom = symptom.in_direction(self.forward).with_evidence(evidence).explaining(self.forward, 1);
        Some(symptom.or_else(wording::HOST_EDGE))
    }

    fn opener_reset(&self) -> bool {
        self.view.connection.resets.iter().any(|reset| reset.direction == self.forward)
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
    fn covered(&self, packets: &crate::connection::Few<PacketRef>) -> usize {
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

    fn far_point_is_suspect(&self) -> bool {
        let far = self.view.connection.sender_position(self.forward.reversed());
        self.view.session.points.iter().any(|point| point.position == far && point.is_suspect())
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

fn describe_icmp(icmp: &IcmpSeen) -> String {
    let what = match icmp.error.kind {
        IcmpKind::PortUnreachable => "port unreachable",
        IcmpKind::Prohibited => "administratively prohibited",
        IcmpKind::Unreachable => "host unreachable",
        IcmpKind::TimeExceeded => "time exceeded",
        IcmpKind::TooBig { .. } => "packet too big",
        IcmpKind::Other => "error",
    };
    format!("ICMP {what} from {}", icmp.error.from)
}
