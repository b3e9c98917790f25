//! Window scaling that one end believes in and the other does not.

use super::{Way, both_ends, name_of};
use crate::connection::{Offer, Offers, Terms};
use crate::findings::view::host_of;
use crate::findings::{Symptom, View};
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, Details, Location, Severity};

/// What the two ends sent and received of window scales. A host scales only if it sent the option and received it
/// (RFC 7323 §2.2).
#[derive(Debug, Clone, Copy)]
struct Scales {
    opener_sent: Option<u8>,
    responder_received: Option<u8>,
    responder_sent: Option<u8>,
    opener_received: Option<u8>,
}

impl Scales {
    /// What all SYNs and SYN-ACKs at the two ends say; `None` if copies of one differ.
    fn of(opener: &Offers, responder: &Offers) -> Option<Self> {
        Some(Self {
            opener_sent: agreed(opener.of_kind(false))?.window_scale,
            responder_received: agreed(responder.of_kind(false))?.window_scale,
            responder_sent: agreed(responder.of_kind(true))?.window_scale,
            opener_received: agreed(opener.of_kind(true))?.window_scale,
        })
    }

    fn disagree(self) -> bool {
        let ours = self.opener_sent.zip(self.opener_received);
        let theirs = self.responder_received.zip(self.responder_sent);
        // A scale of 0 is none.
        ours.unwrap_or((0, 0)) != theirs.unwrap_or((0, 0))
    }
}

/// The terms of the first of `offers`, if their headers were captured whole and all have its window scale.
fn agreed<'a>(offers: impl Iterator<Item = &'a Offer>) -> Option<Terms> {
    let mut terms = offers.map(|offer| offer.terms);
    let first = terms.next()??;
    terms.all(|other| other.is_some_and(|other| other.window_scale == first.window_scale)).then_some(first)
}

/// A device took the window scale from one side's handshake, or changed it, and the ends disagree about windows.
pub(super) fn mismatch(view: &View<'_>) -> Option<Symptom> {
    let connection = view.connection;
    let forward = connection.opened()?;
    let log = |direction: Direction| &connection.handshake[connection.sender_position(direction)];
    let (opener, responder) = (log(forward), log(forward.reversed()));
    let scales = Scales::of(&opener.offers, &responder.offers)?;
    if !scales.disagree() || opener.ack.is_none() {
        return None;
    }
    let ways = (0..connection.hops.len())
        .flat_map(|hop| Direction::BOTH.map(|direction| Way::new(view, hop, direction)));
    ways.into_iter().find_map(|way| changed(&way, forward, scales))
}

fn changed(way: &Way<'_>, forward: Direction, scales: Scales) -> Option<Symptom> {
    let scale = |offer: &Offer| offer.terms.and_then(|terms| terms.window_scale);
    let (sent, received) = way.openings().find(|(sent, received)| scale(sent) != scale(received))?;
    let sure = if sent.is_surely(received) { Confidence::Proven } else { Confidence::Strong };
    let what = name_of(sent);
    let describe = |offer: &Offer| {
        let scale = scale(offer);
        scale.map_or_else(
            || format!("{what}, no window scale"),
            |shift| format!("{what}, window scale {shift}"),
        )
    };
    let evidence = both_ends(sent.packet, received.packet, describe(sent), describe(received));
    let believer = if scales.responder_sent.is_some() && scales.responder_received.is_some() {
        forward.reversed()
    } else {
        forward
    };
    let host = if host_of(believer) == Location::ClientHost { "client" } else { "server" };
    let note = match scale(received) {
        None => {
            format!("took the window scale out of the {what}, and only the {host} host scales its windows")
        }
        Some(_) => format!("changed the window scale of the {what}, and the hosts scale windows differently"),
    };
    let mut symptom = way.symptom(Code::WindowScaleMismatch, Severity::Error, |told| {
        format!("A device {} {}, in {}.", told.worst.note, told.way(), told.of)
    });
    symptom.confidence = sure;
    let details = Details::WindowScale {
        opener_sent: scales.opener_sent,
        responder_received: scales.responder_received,
        responder_sent: scales.responder_sent,
        opener_received: scales.opener_received,
    };
    Some(symptom.with_note(note).with_details(details).with_evidence(evidence.into()))
}
