//! Connections that were refused: by the called host, or by a device on the path.

use super::super::view::host_of;
use super::super::{Sighting, Symptom};
use super::Handshake;
use crate::connection::{IcmpSeen, SentState};
use correlate_proto::IcmpKind;
use correlate_proto::report::{Code, Confidence, EvidenceEvent, Location, Severity};
use std::net::IpAddr;

/// A host answers a SYN that reaches it: that it does not, while a device that let the SYN pass does, is as rare as one
/// in a hundred.
const HOSTS_ANSWER: f64 = -4.605;

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
        let reset = self.rejections(false).next();
        let icmp = self.icmp_rejections(false).find(|icmp| self.is_called(icmp.error.from));
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

    /// Whether `address` is the called host's, as either end names it.
    fn is_called(&self, address: IpAddr) -> bool {
        [Some(self.opener), self.responder].into_iter().flatten().any(|flow| self.far_end(flow) == address)
    }

    fn refused_in_path(&self) -> Option<Symptom> {
        let reset = self.rejections(true).find(|reset| reset.state != SentState::Matched);
        // What comes in the name of a host that had the SYN may have left there, and its capture lack it.
        let had_syn = self.responder.is_some();
        let icmp = self.icmp_rejections(true).find(|icmp| !had_syn || !self.is_called(icmp.error.from));
        let (packet, how) = match (reset, icmp) {
            (Some(reset), _) => (reset.packet, "RST".to_owned()),
            (None, Some(icmp)) => (icmp.packet, describe_icmp(icmp)),
            (None, None) => return None,
        };
        if !self.responder_is_silent_for_sure(packet) {
            return None;
        }
        // Where the responder never saw the SYN either, its capture would lack both. Else the host would have to be
        // silent besides.
        let (at_most, odds) = match self.responder {
            Some(_) if reset.is_some() => (Confidence::Strong, self.far_absence(1).plus(HOSTS_ANSWER)),
            Some(_) => (Confidence::Strong, self.far_absence(1)),
            None => (Confidence::Proven, self.far_absence(self.at_opener.syn.count() + 1)),
        };
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
