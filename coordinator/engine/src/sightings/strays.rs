//! Packets that did not come where others of their kind do.

use super::ways::{Place, WayId, Ways};
use correlate_proto::SeqNum;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Strays that are remembered. Beyond it the oldest is forgotten: it is then no loss inside the host, and speaks
/// against the way's being known.
const MAX_STRAYS: usize = 1 << 14;

/// Strays of one direction of a connection that a retransmission is compared with, the newest.
const COMPARED: usize = 256;

/// Retransmissions remembered until the packets before them have had time to cross the host; beyond it the oldest is
/// forgotten, and does not show that what it repeats was lost.
const MAX_REPEATS: usize = 1024;

/// Octets of a direction of a connection, in one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Octets {
    /// Which direction of which connection, as this point shows it.
    pub(super) flow: u64,
    pub(crate) seq: SeqNum,
    pub(crate) len: u32,
    pub(crate) packet: u64,
    pub(crate) at: i64,
}

impl Octets {
    /// Behind the last of them.
    pub(crate) const fn end(&self) -> SeqNum {
        self.seq.add(self.len)
    }

    fn overlaps(&self, other: &Self) -> bool {
        let ahead = other.seq.since(self.seq);
        let (own, theirs) = (i64::from(self.len), i64::from(other.len));
        self.flow == other.flow && i64::from(ahead) < own && -i64::from(ahead) < theirs
    }
}

/// A packet that did not come where most of its kind do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stray {
    pub(crate) octets: Octets,
    pub(crate) way: WayId,
    pub(crate) last: Place,
    pub(crate) payload_len: u32,
    pub(crate) ip_len: u32,
    /// The way's counts have it: a SYN or RST is none of them.
    pub(super) counted: bool,
    /// Known to be lost: entered in the way's counts.
    pub(super) lost: bool,
    /// Its octets came again, so its sender takes it for lost.
    pub(crate) repeated: bool,
}

impl Stray {
    pub(super) const fn new(octets: Octets, way: WayId, last: Place) -> Self {
        let (payload_len, ip_len) = (0, 0);
        Self { octets, way, last, payload_len, ip_len, counted: true, lost: false, repeated: false }
    }

    /// Where it was seen last.
    pub(crate) const fn spot(&self) -> Spot {
        Spot { way: self.way, last: self.last }
    }
}

/// Where packets of a kind were seen last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) way: WayId,
    pub(crate) last: Place,
}

impl PartialOrd for Spot {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Spot {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.way, self.last.order()).cmp(&(other.way, other.last.order()))
    }
}

/// The strays of one capture point.
#[derive(Debug, Default)]
pub(super) struct Strays {
    by_packet: BTreeMap<u64, Stray>,
    by_flow: BTreeSet<(u64, u64)>,
    repeats: VecDeque<Octets>,
}

impl Strays {
    /// Remembers `stray`, of which the ways tell that it ended where few do.
    pub(super) fn add(&mut self, mut stray: Stray, ways: &mut Ways) {
        let octets = stray.octets;
        let again = |repeat: &Octets| repeat.packet > octets.packet && repeat.overlaps(&octets);
        if octets.len > 0 && self.repeats.iter().any(again) {
            repeat(&mut stray, ways);
        }
        if self.by_packet.len() >= MAX_STRAYS
            && let Some((packet, oldest)) = self.by_packet.pop_first()
        {
            self.by_flow.remove(&(oldest.octets.flow, packet));
        }
        if let Some(same) = self.by_packet.insert(octets.packet, stray) {
            self.by_flow.remove(&(same.octets.flow, octets.packet));
        }
        self.by_flow.insert((octets.flow, octets.packet));
    }

    /// `octets` came to this host again; packets that came before `since` have crossed it by now.
    pub(super) fn note_repeat(&mut self, octets: Octets, since: i64, ways: &mut Ways) {
        let before = self.by_flow.range((octets.flow, 0)..(octets.flow, octets.packet));
        for &(_, packet) in before.rev().take(COMPARED) {
            if let Some(stray) = self.by_packet.get_mut(&packet)
                && stray.octets.overlaps(&octets)
            {
                repeat(stray, ways);
            }
        }
        while self.repeats.front().is_some_and(|oldest| oldest.at < since)
            || self.repeats.len() >= MAX_REPEATS
        {
            self.repeats.pop_front();
        }
        self.repeats.push_back(octets);
    }

    /// The packet of that number, which was lost, if it is a stray.
    pub(super) fn lose(&mut self, packet: u64, ways: &mut Ways) -> Option<Spot> {
        let stray = self.by_packet.get_mut(&packet)?;
        lose(stray, ways);
        Some(stray.spot())
    }

    /// The packet of that number, if it is a stray.
    pub(super) fn find(&self, packet: u64) -> Option<&Stray> {
        self.by_packet.get(&packet)
    }

    /// Those of a direction of a connection whose octets came again.
    pub(super) fn repeated(&self, flow: u64) -> impl Iterator<Item = &Stray> {
        let packets = self.by_flow.range((flow, 0)..=(flow, u64::MAX));
        packets.filter_map(|(_, packet)| self.by_packet.get(packet)).filter(|stray| stray.repeated)
    }
}

fn repeat(stray: &mut Stray, ways: &mut Ways) {
    stray.repeated = true;
    lose(stray, ways);
}

fn lose(stray: &mut Stray, ways: &mut Ways) {
    if !core::mem::replace(&mut stray.lost, true) && stray.counted {
        ways.note_lost(stray.way);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use correlate_proto::Heard;

    const HERE: Place = Place { interface: 0, heard: Heard::In };

    fn octets(flow: u64, seq: u32, packet: u64) -> Octets {
        Octets { flow, seq: SeqNum(seq), len: 100, packet, at: 0 }
    }

    fn packets(strays: &Strays, flow: u64) -> Vec<u64> {
        strays.repeated(flow).map(|stray| stray.octets.packet).collect()
    }

    #[test]
    fn a_stray_is_repeated_by_a_later_packet_with_some_of_its_octets_whichever_is_known_first() {
        let mut ways = Ways::default();
        let mut strays = Strays::default();
        strays.add(Stray::new(octets(1, u32::MAX - 20, 1), 0, HERE), &mut ways);
        strays.note_repeat(octets(2, 10, 5), 0, &mut ways);
        strays.note_repeat(octets(1, 79, 6), 0, &mut ways);
        assert!(packets(&strays, 1).is_empty());
        strays.note_repeat(octets(1, 78, 7), 0, &mut ways);
        assert_eq!(packets(&strays, 1), [1]);
        strays.add(Stray::new(octets(2, 100, 4), 0, HERE), &mut ways);
        strays.add(Stray::new(octets(2, 20, 8), 0, HERE), &mut ways);
        assert_eq!(packets(&strays, 2), [4], "what came later repeats nothing");
    }

    #[test]
    fn beyond_the_bound_the_oldest_are_forgotten() {
        let mut ways = Ways::default();
        let mut strays = Strays::default();
        for packet in 0..20_000 {
            strays.add(Stray::new(octets(packet % 7, 0, packet), 0, HERE), &mut ways);
            strays.note_repeat(octets(9, 0, packet), 0, &mut ways);
        }
        assert_eq!((strays.by_packet.len(), strays.by_flow.len()), (MAX_STRAYS, MAX_STRAYS));
        assert_eq!(strays.repeats.len(), MAX_REPEATS);
        assert!(strays.find(0).is_none() && strays.find(19_999).is_some());
    }
}
