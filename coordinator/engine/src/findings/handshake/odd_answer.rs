//! Answers to a SYN that are no SYN-ACK of the called host: a challenge ACK of an old connection, or a SYN-ACK that a
//! device made (ALGORITHMS §5.1, §2.5).

use super::super::view::host_of;
use super::super::{Sighting, Symptom};
use super::Handshake;
use crate::numbering::likeness_of_answers;
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

    /// The opener got a SYN-ACK before the called host had the SYN, whatever the clocks within their bound; or one that
    /// is not like the called host's own, before that was sent as far as the clocks tell.
    pub(super) fn answered_too_early(&self) -> Option<Symptom> {
        let responder = self.responder?;
        let got = *self.at_opener.syn_ack.first()?;
        let sent = *self.at_responder.syn_ack.first()?;
        let session = self.view.session;
        // The first SYN that the capture at the far end shows must be the first that arrived: else it began too late.
        let first = self.at_responder.syn.first().filter(|syn| syn.at <= sent.at)?;
        if !session.clock_is_bounded(self.opener.point, responder.point)
            || self.view.is_doubtful(&[got, sent, *first])
        {
            return None;
        }
        let (_, latest) = self.view.translate(got.at, self.opener, responder);
        let estimate = session.translate_by_estimate(got.at, self.opener.point, responder.point);
        let is_another = self.answers_differ() && estimate.is_some_and(|got_at| got_at < sent.at);
        let (confidence, when) = match (latest < first.at, is_another) {
            (true, _) => (Confidence::Proven, "SYN-ACK, before the SYN had arrived"),
            (false, true) => (Confidence::Strong, "SYN-ACK, another than the called host's"),
            (false, false) => return None,
        };
        let mut evidence = self.asked();
        evidence.push(Sighting::of(got, EvidenceEvent::Received, when));
        evidence.push(Sighting::of(sent, EvidenceEvent::Sent, "the called host's own SYN-ACK, later"));
        let symptom = Symptom::new(
            Code::SynAckInjected,
            Severity::Info,
            confidence,
            Location::PathDevice,
            |told| {
                format!(
                    "A device on the path answered the SYN in the called host's name, before that host did, in {}.",
                    told.of
                )
            },
        );
        let symptom = symptom.in_direction(self.forward.reversed()).with_evidence(evidence);
        if confidence == Confidence::Proven {
            return Some(symptom);
        }
        Some(symptom.or_else("the called host answered twice, and each capture lacks one of the answers"))
    }

    /// Whether the SYN-ACK that the opener got and the only one that the called host sent are different packets.
    fn answers_differ(&self) -> bool {
        let connection = self.view.connection;
        let back = self.forward.reversed().index();
        self.at_responder.syn_ack.count() == 1
            && connection.hops.first().is_some_and(|hop| hop.footing[back].remade)
            && likeness_of_answers(connection, 0).is_some_and(|likeness| likeness < 0)
    }
}
