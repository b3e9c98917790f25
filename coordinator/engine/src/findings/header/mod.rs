//! What a device changed in packets on their way: each packet that both ends show is compared (ALGORITHMS §5.3).

mod class;
mod options;
mod payload;
mod scale;

use super::{Sighting, Symptom, View};
use crate::connection::{Changes, Offer, Offers, PacketRef};
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, EvidenceEvent, Location, Severity};

/// Fewer packets than this with one change are no habit of a device. A SYN is compared by itself.
const LEAST_CHANGED: u64 = 3;

/// One direction between two adjacent capture points.
struct Way<'a> {
    view: &'a View<'a>,
    direction: Direction,
    changes: &'a Changes,
    /// Positions of the two points: where the direction comes from, and where it goes to.
    from: usize,
    to: usize,
}

/// Checks what matched packets show.
pub(super) fn check(view: &View<'_>, symptoms: &mut Vec<Symptom>) {
    let scale = scale::mismatch(view);
    for hop in 0..view.connection.hops.len() {
        for direction in Direction::BOTH {
            let way = Way::new(view, hop, direction);
            options::check(&way, scale.is_some(), symptoms);
            class::check(&way, symptoms);
            symptoms.extend(payload::altered(&way));
        }
    }
    symptoms.extend(scale);
}

impl<'a> Way<'a> {
    fn new(view: &'a View<'a>, hop: usize, direction: Direction) -> Self {
        let (from, to) = match direction {
            Direction::ClientToServer => (hop, hop + 1),
            Direction::ServerToClient => (hop + 1, hop),
        };
        let changes = &view.connection.hops[hop].changes[direction.index()];
        Self { view, direction, changes, from, to }
    }

    fn offers(&self) -> (&'a Offers, &'a Offers) {
        let handshake = &self.view.connection.handshake;
        (&handshake[self.from].offers, &handshake[self.to].offers)
    }

    /// SYNs and SYN-ACKs that arrived with other terms, as sent and as received.
    fn openings(&self) -> impl Iterator<Item = (&'a Offer, &'a Offer)> {
        let (sent, received) = self.offers();
        let numbers = self.changes.openings().iter();
        numbers.filter_map(move |&(a, b)| Some((sent.numbered(a)?, received.numbered(b)?)))
    }

    /// A symptom of this direction.
    fn symptom(&self, code: Code, severity: Severity, say: super::symptom::Say) -> Symptom {
        Symptom::new(code, severity, Confidence::Proven, Location::PathDevice, say)
            .in_direction(self.direction)
            .or_else("a network card or virtual switch of either host, outside its capture point")
    }
}

/// A packet at both ends, with what is to be looked at there.
fn both_ends(sent: PacketRef, received: PacketRef, before: String, after: String) -> [Sighting; 2] {
    [Sighting::of(sent, EvidenceEvent::Sent, before), Sighting::of(received, EvidenceEvent::Received, after)]
}

/// "SYN" or "SYN-ACK".
const fn name_of(offer: &Offer) -> &'static str {
    if offer.answers { "SYN-ACK" } else { "SYN" }
}
