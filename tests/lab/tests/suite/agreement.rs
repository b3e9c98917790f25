//! Holding the ledger against what independent taps saw.
#![expect(clippy::unwrap_used, reason = "this is test code, only not in a test function")]

use crate::capture::packets;
use correlate_lab::{Entry, Leg, Offloads, Outcome, Protocol, Scenario};
use correlate_proto::{Direction, FourTuple};
use std::collections::BTreeMap;
use std::path::Path;

/// What identifies a TCP packet well enough: ports, addresses' last octets, numbers, flags, length, `IPID`.
pub(crate) type Key = (String, u32, u32, u16, usize, Option<u16>);

/// The key of a captured frame, if it is TCP.
pub(crate) fn key_of_frame(frame: &[u8]) -> Option<Key> {
    let (tcp, ip_len, header_len, id) = match frame[12..14] {
        [8, 0] if frame[23] == 6 => {
            let id = u16::from_be_bytes([frame[18], frame[19]]);
            (34, usize::from(u16::from_be_bytes([frame[16], frame[17]])), 20, Some(id))
        }
        [0x86, 0xdd] if frame[20] == 6 => {
            (54, usize::from(u16::from_be_bytes([frame[18], frame[19]])) + 40, 40, None)
        }
        _ => return None,
    };
    let word = |at: usize| u32::from_be_bytes(frame[tcp + at..tcp + at + 4].try_into().unwrap());
    let half = |at: usize| u16::from_be_bytes([frame[tcp + at], frame[tcp + at + 1]]);
    let (src, dst) = if header_len == 20 { (frame[29], frame[33]) } else { (frame[37], frame[53]) };
    let payload = ip_len - header_len - usize::from(frame[tcp + 12] >> 4) * 4;
    let ends = format!("{src}:{}>{dst}:{}", half(0), half(2));
    Some((ends, word(4), word(8), half(12) & 0xfff, payload, id))
}

/// The key of a ledger's entry as it came in.
pub(crate) fn key_as_it_came(entry: &Entry) -> Key {
    (ends(entry.came), entry.seq, entry.ack, entry.flags.0, entry.payload_len, entry.ip_id)
}

/// The key of a ledger's entry as it left.
pub(crate) fn key_as_it_left(entry: &Entry) -> Key {
    let flags = entry.flags_left.0;
    (ends(entry.left), entry.seq_left, entry.ack_left, flags, entry.payload_len_left, entry.ip_id_left)
}

fn ends(tuple: FourTuple) -> String {
    let last = |addr: std::net::IpAddr| match addr {
        std::net::IpAddr::V4(v4) => v4.octets()[3],
        std::net::IpAddr::V6(v6) => v6.octets()[15],
    };
    let (src, dst) = (tuple.src, tuple.dst);
    format!("{}:{}>{}:{}", last(src.addr), src.port, last(dst.addr), dst.port)
}

/// Which packets there were, and how often each.
#[derive(Debug, Default)]
pub(crate) struct Bag {
    /// Packets of their own.
    packets: BTreeMap<Key, i64>,
    /// Where super-packets cross the same octets may be cut anew at each place: at which sequence number of which
    /// direction how many more packets begin than end.
    octets: BTreeMap<(String, u32), i64>,
}

impl Bag {
    fn put(&mut self, key: Key, offloads: Offloads) {
        if offloads == Offloads::Off || key.4 == 0 {
            *self.packets.entry(key).or_default() += 1;
        } else {
            let end = key.1.wrapping_add(u32::try_from(key.4).expect("a packet's length"));
            *self.octets.entry((key.0.clone(), key.1)).or_default() += 1;
            *self.octets.entry((key.0, end)).or_default() -= 1;
        }
    }

    /// What is here and not, or not as often, there.
    fn beyond(&self, other: &Self) -> Vec<String> {
        let packets = self.packets.iter().filter(|(key, n)| other.packets.get(key) != Some(n));
        let octets =
            self.octets.iter().filter(|(place, n)| other.octets.get(place).copied().unwrap_or(0) != **n);
        packets.map(|some| format!("{some:?}")).chain(octets.map(|some| format!("{some:?}"))).collect()
    }

    fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.octets.is_empty()
    }
}

/// What a tap saw of TCP.
pub(crate) fn seen_by(path: &Path, offloads: Offloads) -> Bag {
    let mut bag = Bag::default();
    for key in packets(path).iter().filter_map(|record| key_of_frame(&record.frame)) {
        bag.put(key, offloads);
    }
    bag
}

/// What the ledger says that a tap of the client (`None`) or of a server must have seen of TCP.
pub(crate) fn due_at(ledger: &[Entry], server: Option<usize>, offloads: Offloads) -> Bag {
    let (away, unseen) = match server {
        None => (Direction::ClientToServer, Leg::Far),
        Some(_) => (Direction::ServerToClient, Leg::Near),
    };
    let mut bag = Bag::default();
    for entry in ledger.iter().filter(|entry| entry.protocol == Protocol::Tcp && entry.leg != unseen) {
        if server.is_some_and(|server| server != entry.server) {
            continue;
        }
        if entry.direction == away && entry.is_by_host() {
            bag.put(key_as_it_came(entry), offloads);
        }
        if entry.direction != away && entry.at_out_ns.is_some() {
            bag.put(key_as_it_left(entry), offloads);
        }
    }
    bag
}

/// Asserts that every tap saw exactly what the ledger says, and that nothing was lost without a rule.
pub(crate) fn assert_ledger_agrees(scenario: &Scenario, outcome: &Outcome) {
    let (name, offloads) = (scenario.name, scenario.offloads);
    assert_eq!(outcome.middlebox_drops, 0, "{name}: the middlebox lost frames");
    for (index, tap) in outcome.taps.iter().enumerate() {
        assert_eq!(tap.drops, 0, "{name}: a tap lost frames");
        let due = due_at(&outcome.ledger, index.checked_sub(1), offloads);
        let seen = seen_by(&tap.path, offloads);
        let (missing, extra) = (due.beyond(&seen), seen.beyond(&due));
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{name}, tap {index}: due {:?}, seen {:?}",
            &missing[..missing.len().min(9)],
            &extra[..extra.len().min(9)]
        );
        assert!(!seen.is_empty(), "{name}, tap {index}: nothing was compared");
    }
}
