//! Answers to a SYN that are no SYN-ACK of the called host: a challenge ACK of an old connection, or a SYN-ACK that a
//! device made (ALGORITHMS §5.1, §2.5).

use super::super::view::host_of;
use super::super::{Sighting, Symptom};
use super::Handshake;
use correlate_proto::report::{Code, Confidence, EvidenceEvent, Location, Severity};

impl Handshake<'_> {
    /// The called host answered the SYN with a plain ACK of numbers that are none of this connection's: it still has
    /// an old one with these ports (RFC 9293 §3.10.7.4, RFC 5961 §4).
    pub(super) fn challenged(&self) -> Option<Symptom> {
        let sent = self.at_responder.challenge?;
        let mut evidence = self.asked();
        evidence.push(Sighting::of(
            sent,
            EvidenceEvent::Sent,
            "ACK of an old connection instead of a SYN-ACK",
        ));
        let arrived = self.at_opener.challenge;
        evidence.extend(arrived.map(|ack| Sighting::of(ack, EvidenceEvent::Received, "that ACK")));
        let at_most = if arrived.is_some() { Confidence::Proven } else { Confidence::Strong };
        let back = self.forward.reversed();
        let symptom = Symptom::new(Code::ChallengeAck, Severity::Warning, at_most, host_of(back), |told| {
            format!(
                "The SYN met an old connection with the same ports at the called host, which answered with a plain ACK, in {}.",
                told.of
            )
        });
        Some(symptom.in_direction(back).with_evidence(evidence))
    }

    /// The opener got a SYN-ACK before the called host can have sent one, whatever the clocks within their bound.
    pub(super) fn answered_too_early(&self) -> Option<Symptom> {
        let responder = self.responder?;
        let got = *self.at_opener.syn_ack.first()?;
        let sent = *self.at_responder.syn_ack.first()?;
        let aligned = self.view.session.clock_is_bounded(self.opener.point, responder.point);
        let (_, latest) = self.view.translate(got.at, self.opener, responder);
        // The first SYN that the capture at the far end shows must be the first that arrived: else it began too late.
        let first = self.at_responder.syn.first().filter(|syn| syn.at <= sent.at)?;
        if !aligned || latest >= first.at || self.view.is_doubtful(&[got, sent, *first]) {
            return None;
        }
        let mut evidence = self.asked();
        evidence.push(Sighting::of(got, EvidenceEvent::Received, "SYN-ACK, before the SYN had arrived"));
        evidence.push(Sighting::of(sent, EvidenceEvent::Sent, "the called host's own SYN-ACK, later"));
        let symptom = Symptom::new(
            Code::SynAckInjected,
            Severity::Info,
            Confidence::Proven,
            Location::PathDevice,
            |told| {
                format!(
                    "A device on the path answered the SYN in the called host's name, before that host had it, in {}.",
                    told.of
                )
            },
        );
        Some(symptom.in_direction(self.forward.reversed()).with_evidence(evidence))
    }
}
