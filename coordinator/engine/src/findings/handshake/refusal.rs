//! Connections that were refused: by the called host, or by a device on the path.

use super::super::view::host_of;
use super::super::{Sighting, Symptom};
use super::Handshake;
use crate::connection::{IcmpSeen, SentState};
use correlate_proto::IcmpKind;
use correlate_proto::report::{Code, Confidence, EvidenceEvent, Location, Severity};

impl Handshake<'_> {
    /// Refused: by the responder's host if the rejection left there, else by a device, if the responder's
    /// capture is clear.
    pub(super) fn refused(&self) -> Option<Symptom> {
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
        let mut evidence = self.asked();
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
            |told| format!("The called host itself refused with {}, in {}.", told.worst.note, told.of),
        );
        Some(symptom.with_note(how).in_direction(back).with_evidence(evidence).or_else(
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
        // Where the responder never saw the SYN either, its capture would lack both.
        let (at_most, absent) = match self.responder {
            Some(_) => (Confidence::Strong, 1),
            None => (Confidence::Proven, self.at_opener.syn.count() + 1),
        };
        let odds = self.far_absence(absent);
        let far = self.view.receiving_point(self.forward);
        let mut evidence = self.asked();
        evidence.push(Sighting::of(packet, EvidenceEvent::Received, how.clone()));
        evidence.push(Sighting::absent(
            far,
            self.view.expected_at(&packet, far),
            EvidenceEvent::NeverSent,
            how.clone(),
        ));
        let symptom =
            Symptom::new(Code::RefusedInPath, Severity::Error, at_most, Location::PathDevice, |told| {
                format!(
                    "A device on the path refused with {}; the called host sent nothing of the kind, in {}.",
                    told.worst.note, told.of
                )
            });
        Some(
            symptom
                .weighed(odds, self.view.session.opened)
                .with_note(how)
                .in_direction(self.forward.reversed())
                .with_evidence(evidence)
                .or_else("a packet filter of the answering host that works behind its capture point"),
        )
    }
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
