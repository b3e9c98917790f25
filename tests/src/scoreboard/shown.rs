//! What recordings show, some of their records being gone.

use super::sightings::{Sightings, Spot};
use correlate_lab::{Done, Entry, Protocol};
use correlate_proto::TcpFlags;

/// What a recording shows, some of its records being gone.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The ledger.
    pub ledger: &'a [Entry],
    /// Where its packets are.
    pub sightings: &'a Sightings,
    /// By capture: the numbers of the packets that stay, in order.
    pub kept: &'a [Vec<u64>],
}

impl Shown<'_> {
    /// Where an entry's sending is shown.
    pub fn sent(&self, entry: usize) -> Option<Spot> {
        self.sightings.sent[entry].filter(|spot| self.shows(*spot))
    }

    /// Where an entry's arrival is shown: each packet with the place of its wire segments among the entry's, and how
    /// many they are.
    pub fn arrivals(&self, entry: usize) -> impl Iterator<Item = (Spot, u64, u64)> {
        let mut place = 0;
        let placed = self.sightings.arrived[entry].iter().map(move |&(spot, segments)| {
            place += segments;
            (spot, place - segments, segments)
        });
        placed.filter(|(spot, _, _)| self.shows(*spot))
    }

    /// Whether a packet is still shown.
    pub fn shows(&self, spot: Spot) -> bool {
        self.sightings.shows(spot, self.kept)
    }

    /// Whether a record of an entry's arrival was taken out.
    pub fn was_removed(&self, entry: usize) -> bool {
        self.sightings.arrived[entry].iter().any(|(spot, _)| !self.shows(*spot))
    }
}

/// Entries of packets that hosts sent, without the copies that the middlebox made.
pub(super) fn originals(ledger: &[Entry]) -> impl Iterator<Item = usize> {
    let is_segment = |entry: &Entry| entry.is_by_host() && entry.protocol == Protocol::Tcp;
    (0..ledger.len()).filter(move |&index| is_segment(&ledger[index]))
}

/// The copies that the middlebox made of an entry's packet: they follow it in the ledger.
pub(super) fn copies(ledger: &[Entry], index: usize) -> impl Iterator<Item = usize> {
    (index + 1..ledger.len()).take_while(|&next| ledger[next].done == Done::Duplicate)
}

/// The further pieces that an entry's packet was cut in: they follow it in the ledger.
pub(super) fn pieces(ledger: &[Entry], index: usize) -> impl Iterator<Item = usize> {
    (index + 1..ledger.len()).take_while(|&next| ledger[next].done == Done::Piece)
}

/// The packet that an entry is, or is a copy or a piece of.
pub(super) fn original(ledger: &[Entry], mut index: usize) -> usize {
    while index > 0 && matches!(ledger[index].done, Done::Duplicate | Done::Piece) {
        index -= 1;
    }
    index
}

/// Whether a packet is a bare one: it carries no octet of sequence space.
pub(super) fn is_bare_entry(entry: &Entry) -> bool {
    entry.payload_len == 0 && entry.flags.0 & (TcpFlags::SYN.0 | TcpFlags::FIN.0) == 0
}
