//! Handshakes that the called host's stack drops for want of room (ALGORITHMS §5.1).
//!
//! Since Linux 4.10 a full accept queue drops the SYN, and the packets look as if a firewall had: only the host's
//! counters tell. Where the queue fills up between SYN and last ACK, the ACK is dropped and the SYN-ACK repeated.

use super::super::counters::{QUEUE_FULL, Witness};
use super::super::view::host_of;
use super::super::{Sighting, Symptom, Told, wording};
use super::Handshake;
use crate::connection::PacketRef;
use crate::point::Window;
use correlate_proto::report::{Code, Confidence, Details, EvidenceEvent, Severity};

/// A SYN-ACK that leaves sooner than this after the last ACK came was on its way already: the kernel's timer and the
/// reading of a packet are not one moment.
const CROSSED_NS: i64 = 5_000_000;

/// How often a SYN-ACK must be repeated after the last ACK came to tell by itself. A listener that defers accepting
/// until data comes repeats it once, at the end of its patience (`TCP_DEFER_ACCEPT`, `net/ipv4/inet_connection_sock.c`,
/// `syn_ack_recalc`).
const LEAST_REPEATED: u64 = 2;

impl Handshake<'_> {
    /// SYNs arrived, nothing left, and the host counted drops for a full queue meanwhile.
    pub(super) fn syn_dropped(&self, unanswered: &Symptom) -> Option<Symptom> {
        let witness = self.queue_witness()?;
        let moved = witness.most();
        if moved == 0 {
            return None;
        }
        let arrived = self.at_responder.syn.count();
        // The counters are the whole host's: as many drops as there were SYNs leave little room for another listener.
        let at_most = if moved >= arrived { Confidence::Proven } else { Confidence::Likely };
        let symptom = self.queue_full(at_most.min(unanswered.confidence), &witness, arrived);
        let symptom = symptom.with_evidence(unanswered.evidence.clone()).with_note(format!(
            "{} reached the host and it dropped them: {}",
            wording::count(arrived, "SYN", "SYNs"),
            witness.words()
        ));
        Some(symptom.or_else("the counters are the whole host's: another listener's queue may have been full at that time, and a packet filter have dropped these"))
    }

    /// The last ACK arrived, and the host repeated its SYN-ACK as if it had not.
    pub(super) fn ack_dropped(&self) -> Option<Symptom> {
        let log = self.at_responder;
        let ack = log.ack?;
        let after = ack.at.saturating_add(CROSSED_NS);
        // An order that rests on a stamp beside a clock step is none.
        let is_later = |answer: &PacketRef| answer.at > after && !self.view.is_doubtful(&[ack, *answer]);
        let repeated: Vec<PacketRef> = log.syn_ack.iter().copied().filter(is_later).collect();
        if repeated.is_empty() && !log.last_syn_ack.is_some_and(|last| is_later(&last)) {
            return None;
        }
        let times = u64::try_from(repeated.len()).unwrap_or(u64::MAX).max(1);
        let witness = self.queue_witness().unwrap_or(Witness::Unread);
        let at_most = match (witness.most() > 0, times >= LEAST_REPEATED) {
            (true, _) => Confidence::Proven,
            (false, true) => Confidence::Strong,
            (false, false) => Confidence::Unconfirmed,
        };
        let mut evidence = vec![Sighting::of(ack, EvidenceEvent::Received, "ACK of the SYN-ACK")];
        let again = repeated.iter().take(3);
        evidence.extend(again.map(|&packet| Sighting::of(packet, EvidenceEvent::Sent, "SYN-ACK again")));
        let symptom = self.queue_full(at_most, &witness, times).with_evidence(evidence).with_note(format!(
            "the handshake's last ACK reached the host, which repeated its SYN-ACK {}: {}",
            wording::count(times, "time", "times"),
            witness.words()
        ));
        Some(
            symptom
                .or_else("the listener defers accepting until data comes (TCP_DEFER_ACCEPT)")
                .or_else("a packet filter of that host dropped the ACK behind its capture point"),
        )
    }

    /// What the counters of full queues say of the time from the first SYN to a second after the last packet.
    fn queue_witness(&self) -> Option<Witness> {
        let responder = self.responder?;
        Some(Witness::of(self.view.point(responder), self.while_waiting()?, &QUEUE_FULL))
    }

    /// From the first SYN's arrival to the last that the responder saw or did.
    fn while_waiting(&self) -> Option<Window> {
        let log = self.at_responder;
        let first = log.syn.first().or(log.syn_ack.first())?;
        let last = [log.last_syn, log.last_syn_ack, log.ack].into_iter().flatten().map(|packet| packet.at);
        Some(Window { from: first.at, to: last.max().unwrap_or(first.at) })
    }

    fn queue_full(&self, at_most: Confidence, witness: &Witness, packets: u64) -> Symptom {
        let back = self.forward.reversed();
        let mut symptom = Symptom::new(Code::AcceptQueueFull, Severity::Error, at_most, host_of(back), say);
        (symptom.sent, symptom.received, symptom.count) = (packets, packets, packets);
        symptom
            .in_direction(self.forward)
            .with_details(Details::HostDrop { packets, counters: witness.by_name() })
    }
}

fn say(told: &Told<'_>) -> String {
    format!("A queue of the called host was full: {}, in {}.", told.worst.note, told.of)
}
