//! Finding connections by what their opening packets bear.

use crate::connection::{Connection, Offer};
use correlate_proto::SeqNum;
use rustc_hash::FxHashMap;

/// How many connections with one mark are remembered. Chance brings two with one initial sequence number together
/// once in 2³² pairs; more are forged, and the later ones are not paired by it.
const MAX_SAME: usize = 16;

/// Connections by the opener's initial sequence number, and those that one end alone has seen by their other marks.
/// Looked up only, never iterated.
#[derive(Debug, Default)]
pub(crate) struct SynIndex {
    by_isn: FxHashMap<u32, Vec<u32>>,
    by_mark: FxHashMap<Mark, Vec<u32>>,
}

/// What an opening packet bears beside its sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mark {
    /// The opener's timestamp: in a SYN its own, in a SYN-ACK the one that it echoes.
    Stamp(u32),
    /// IP ID of a SYN.
    IpId(u16),
}

fn marks(offer: &Offer) -> impl Iterator<Item = Mark> {
    let stamp = offer.stamps.map(|(value, echo)| Mark::Stamp(if offer.answers { echo } else { value }));
    let id = offer.ip_id.filter(|&id| id != 0 && !offer.answers).map(Mark::IpId);
    stamp.into_iter().chain(id)
}

impl SynIndex {
    /// Enters a connection under the opener's initial sequence number.
    pub(super) fn insert(&mut self, isn: SeqNum, index: u32) {
        add(self.by_isn.entry(isn.0).or_default(), index);
    }

    /// The connections with this initial sequence number of their opener.
    pub(super) fn candidates(&self, isn: SeqNum) -> &[u32] {
        self.by_isn.get(&isn.0).map_or(&[], Vec::as_slice)
    }

    /// Enters a connection that one end alone has seen under the marks of an opening packet.
    pub(super) fn mark(&mut self, offer: &Offer, index: u32) {
        for mark in marks(offer) {
            add(self.by_mark.entry(mark).or_default(), index);
        }
    }

    /// The connections that share a mark with `offer`.
    pub(super) fn marked(&self, offer: &Offer) -> impl Iterator<Item = u32> {
        marks(offer).filter_map(|mark| self.by_mark.get(&mark)).flatten().copied()
    }

    /// Forgets the marks of a connection.
    pub(super) fn unmark(&mut self, index: u32, connection: &Connection) {
        for offer in connection.handshake.iter().flat_map(|log| log.offers.iter()) {
            for mark in marks(offer) {
                remove(&mut self.by_mark, mark, index);
            }
        }
    }

    /// Forgets a connection.
    pub(crate) fn remove(&mut self, index: u32, connection: &Connection) {
        for flow in connection.seen_flows() {
            if let Some((_, isn)) = flow.opening {
                remove(&mut self.by_isn, isn.0, index);
            }
        }
        self.unmark(index, connection);
    }
}

fn add(entry: &mut Vec<u32>, index: u32) {
    if entry.len() < MAX_SAME && !entry.contains(&index) {
        entry.push(index);
    }
}

fn remove<K: std::hash::Hash + Eq + Copy>(map: &mut FxHashMap<K, Vec<u32>>, key: K, index: u32) {
    if let Some(entry) = map.get_mut(&key) {
        entry.retain(|&other| other != index);
        if entry.is_empty() {
            map.remove(&key);
        }
    }
}
