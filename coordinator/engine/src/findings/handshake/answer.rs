//! SYN-ACKs that were lost or ignored, and the last ACK.

use super::super::view::{host_of, path_of};
use super::super::{Odds, Sighting, Symptom, wording};
use super::Handshake;
use crate::point::Window;
use correlate_proto::report::{Code, Confidence, EvidenceEvent, Severity};

/// A host that takes a SYN-ACK for what it is acknowledges it at once; a capture that ends sooner than this proves
/// nothing.
const REACTS_WITHIN_NS: i64 = 250_000_000;

impl Handshake<'_> {
    /// SYN-ACKs left, none arrived.
    pub(super) fn syn_ack_lost(&self) -> Option<Symptom> {
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
        let opener = self.view.point(self.opener);
        let absent = Odds::of_absence(opener, u64::try_from(covered).unwrap_or(u64::MAX));
        // An opener that took a SYN-ACK acknowledges it, and neither capture has that either.
        let no_ack = Odds::of_absence(opener, 1).and(Odds::of_absence(self.view.point(responder), 1));
        let (at_most, odds) = match (asked_again, log.syn_ack.count() > 1) {
            (true, true) => (Confidence::Proven, Odds::certain()),
            (true, false) | (false, true) => (Confidence::Proven, absent.and(no_ack)),
            (false, false) => (Confidence::Strong, absent.and(no_ack)),
        };
        let back = self.forward.reversed();
        let mut evidence = self.asked();
        evidence.extend(self.view.sent_not_seen(&log.syn_ack, "SYN-ACK", self.opener.point));
        let symptom = Symptom::new(Code::SynAckLost, Severity::Error, at_most, path_of(back), |told| {
            format!(
                "{} {} and none reached the other end {}, in {}.{}",
                wording::count(told.sent, "SYN-ACK", "SYN-ACKs"),
                if told.worst.note.is_empty() { "left" } else { "set out" },
                told.way(),
                told.of,
                told.worst.note
            )
        });
        let symptom = symptom.counting(log.syn_ack.count(), 0).weighed(odds, self.view.session.opened);
        let symptom = symptom.in_direction(back).with_evidence(evidence).explaining(back, self.lost(back));
        Some(symptom.lost_by(self.view.lost_inside(back, log.syn_ack.iter().copied())))
    }

    /// SYN-ACKs arrived, and the opener's host goes on as if none had.
    pub(super) fn syn_ack_ignored(&self) -> Option<Symptom> {
        let log = self.at_opener;
        if log.syn_ack.count() == 0 || log.ack.is_some() {
            return None;
        }
        let first_answer = log.syn_ack.first()?;
        let asked_again = log.last_syn.is_some_and(|syn| syn.at > first_answer.at);
        // Once nobody waits for it any more, a stack rejects a SYN-ACK that comes late.
        let gave_up = asked_again && log.last_syn.map(|syn| syn.at) < self.opener_reset_at();
        if (log.rejected || self.opener_reset()) && !gave_up {
            return None;
        }
        let got_again = log.syn_ack.count() > 1;
        let last_answer = log.last_syn_ack?;
        let silence = Window { from: last_answer.at, to: last_answer.at.saturating_add(REACTS_WITHIN_NS) };
        let stayed_silent = got_again && self.view.point(self.opener).covers(silence);
        if !asked_again && !stayed_silent {
            return None;
        }
        // Asking again shows what the host made of the answer; its silence rests on the capture.
        let (at_most, odds) = if asked_again {
            (Confidence::Proven, Odds::certain())
        } else {
            (Confidence::Strong, Odds::of_absence(self.view.point(self.opener), log.syn_ack.count()))
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
        let symptom =
            Symptom::new(Code::SynAckIgnored, Severity::Error, at_most, host_of(self.forward), |told| {
                format!(
                    "{} reached the host that asked and it went on as if none had, in {}.",
                    wording::count(told.received, "SYN-ACK", "SYN-ACKs"),
                    told.of
                )
            });
        let symptom = symptom
            .counting(self.at_responder.syn_ack.count(), log.syn_ack.count())
            .weighed(odds, self.view.session.opened);
        Some(symptom.in_direction(back).with_evidence(evidence))
    }

    /// The last ACK of the handshake left and did not arrive, and the responder repeated its SYN-ACK for it.
    pub(super) fn ack_lost(&self) -> Option<Symptom> {
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
        // The repetition shows that the host did not take the ACK; that it did not arrive, its capture must show.
        let odds = Odds::of_absence(self.view.point(responder), 1);
        let symptom = Symptom::new(
            Code::HandshakeAckLost,
            Severity::Warning,
            Confidence::Proven,
            path_of(self.forward),
            |told| {
                format!(
                    "The last ACK of the handshake was lost {} and the SYN-ACK had to be repeated, in {}.",
                    told.way(),
                    told.of
                )
            },
        );
        let symptom = symptom.counting(1, 0).weighed(odds, self.view.session.opened);
        let symptom = symptom.in_direction(self.forward).with_evidence(evidence).explaining(self.forward, 1);
        Some(symptom.or_else(wording::HOST_EDGE))
    }
}
