//! SYNs that got no answer: lost on the way, or met by silence.

use super::super::counters::{DROPPED_ON_ARRIVAL, Witness};
use super::super::view::{host_of, path_of};
use super::super::{Odds, Sighting, Symptom, wording};
use super::Handshake;
use crate::point::Window;
use correlate_proto::report::{Code, Confidence, EvidenceEvent, Severity};

/// A host that is alive answers a SYN at once. If it was silent for this long, in a capture that ran, it did not
/// answer; a second SYN that arrives without an answer to the first proves the same.
const ANSWER_WITHIN_NS: i64 = 1_000_000_000;

impl Handshake<'_> {
    /// SYNs left, none arrived.
    pub(super) fn syn_lost(&self) -> Option<Symptom> {
        let arrived = self.responder.is_some() || self.at_responder.syn.count() > 0;
        if arrived || self.answered() || self.got_anything_back() {
            return None;
        }
        let covered = self.covered(&self.at_opener.syn);
        if covered == 0 || !self.far_end_would_have_seen() {
            return None;
        }
        let repeated = self.at_opener.syn.count() > 1;
        let at_most = match (self.clocks_are_known(), repeated) {
            (false, _) => Confidence::Likely,
            (true, true) => Confidence::Proven,
            (true, false) => Confidence::Strong,
        };
        // A host that gets no answer asks again: one that does not may have got one that its capture lacks.
        let unanswered = if repeated || !self.asking_again_was_due() {
            Odds::certain()
        } else {
            Odds::of_absence(self.view.point(self.opener), 1)
        };
        let covered = u64::try_from(covered).unwrap_or(u64::MAX);
        let odds = self.far_absence(covered).or(unanswered);
        let far = self.view.receiving_point(self.forward);
        let symptom = Symptom::new(Code::SynLost, Severity::Error, at_most, path_of(self.forward), |told| {
            format!(
                "{} {} the client host and none reached the server's capture point, in {}.{}",
                wording::count(told.sent, "SYN", "SYNs"),
                if told.worst.note.is_empty() { "left" } else { "set out in" },
                told.of,
                told.worst.note
            )
        });
        Some(
            symptom
                .counting(self.at_opener.syn.count(), 0)
                .weighed(odds, self.view.session.opened)
                .in_direction(self.forward)
                .with_evidence(self.view.sent_not_seen(&self.at_opener.syn, "SYN", far))
                .explaining(self.forward, self.lost(self.forward))
                .lost_by(self.view.lost_inside(self.forward, self.at_opener.syn.iter().copied())),
        )
    }

    /// SYNs arrived, nothing left.
    pub(super) fn unanswered(&self) -> Option<Symptom> {
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
        let at_most = if repeated { Confidence::Proven } else { Confidence::Strong };
        let mut odds = Odds::of_absence(self.view.point(responder), log.syn.count());
        if repeated {
            // Every answer that this capture lacks was lost on the way as well, as the opener asked again.
            odds = odds.and(Odds::lost_on_the_way(log.syn.count()));
        } else if self.asking_again_was_due() {
            // Then the opener got an answer that neither capture has.
            odds = odds.and(Odds::of_absence(self.view.point(self.opener), 1));
        }
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
        let symptom = Symptom::new(Code::SynUnanswered, Severity::Error, at_most, host_of(back), |told| {
            format!(
                "{} reached the host and it sent nothing back, in {}: {}.",
                wording::count(told.received, "SYN", "SYNs"),
                told.of,
                told.worst.note
            )
        });
        let waiting = Window { from: first.at, to: last.at };
        let witness = Witness::of(self.view.point(responder), waiting, &DROPPED_ON_ARRIVAL);
        let symptom = symptom
            .counting(self.at_opener.syn.count(), log.syn.count())
            .weighed(odds, self.view.session.opened)
            .with_note(witness.words());
        Some(symptom.in_direction(self.forward).with_evidence(evidence))
    }
}
