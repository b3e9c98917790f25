//! Packets that overtook others, and packets that were sent in vain: counted by connection.

use super::packets::{Class, Shown};
use super::score::Counts;
use super::sightings::Spot;
use core::ops::Range;
use correlate_lab::{Entry, Protocol};
use correlate_proto::report::{EndpointReport, Report};
use correlate_proto::{Direction, Endpoint, TcpFlags};
use std::collections::BTreeMap;

/// A direction of a connection, from client to server as the client sees it.
pub type Way = (String, String, Direction);

/// By direction: how many wire segments were reordered, and how many sent in vain.
type Found = BTreeMap<Way, [u64; 2]>;

/// One direction of which the wrong number was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongWay {
    /// Reordered or spurious.
    pub class: Class,
    /// Which connection and direction.
    pub way: Way,
    /// How many were told.
    pub told: u64,
    /// How many there are.
    pub due: u64,
}

/// Holds what the report counts against what the captures show, by the ledger.
pub fn compare(shown: &Shown<'_>, report: &Report) -> (BTreeMap<Class, Counts>, Vec<WrongWay>) {
    let due = due(shown);
    let told = told(report);
    let mut counts: BTreeMap<Class, Counts> = BTreeMap::new();
    let mut wrong = Vec::new();
    let ways: std::collections::BTreeSet<&Way> = due.keys().chain(told.keys()).collect();
    for way in ways {
        for (place, class) in [Class::Reordered, Class::Spurious].into_iter().enumerate() {
            let [due, told] = [&due, &told].map(|all| all.get(way).map_or(0, |counts| counts[place]));
            counts.entry(class).or_default().add(Counts {
                true_positive: due.min(told),
                false_positive: told.saturating_sub(due),
                false_negative: due.saturating_sub(told),
                ..Counts::default()
            });
            if due != told {
                wrong.push(WrongWay { class, way: way.clone(), told, due });
            }
        }
    }
    (counts, wrong)
}

fn told(report: &Report) -> Found {
    let mut found = Found::new();
    let name = |end: &EndpointReport| end_name(&end.address, end.port);
    for connection in &report.connections {
        let both = [&connection.directions.client_to_server, &connection.directions.server_to_client];
        for (direction, counts) in Direction::BOTH.into_iter().zip(both) {
            let way = (name(&connection.client), name(&connection.server), direction);
            let known = found.entry(way).or_default();
            known[0] += counts.reordered;
            known[1] += counts.spurious;
        }
    }
    found
}

fn due(shown: &Shown<'_>) -> Found {
    // The order is that of the captures: hosts and links of one machine may exchange packets before the middlebox.
    let mut arrivals: Vec<(Spot, Spot, usize, Range<u64>)> = Vec::new();
    for index in (0..shown.ledger.len()).filter(|&index| is_sent(&shown.ledger[index])) {
        let Some(sent) = shown.sent(index) else { continue };
        arrivals.extend(
            shown.arrivals(index).map(|(spot, place, count)| (spot, sent, index, place..place + count)),
        );
    }
    arrivals.sort_unstable_by_key(|(spot, sent, index, _)| (*spot, *sent, *index));
    let mut states: BTreeMap<Way, State> = BTreeMap::new();
    let mut found = Found::new();
    for (_, sent, index, segments) in arrivals {
        let entry = &shown.ledger[index];
        let way = way(entry);
        let state = states.entry(way.clone()).or_default();
        let counts = found.entry(way).or_default();
        let is_late = state.newest.is_some_and(|newest| sent < newest);
        counts[0] += if is_late { segments.end - segments.start } else { 0 };
        state.newest = state.newest.max(Some(sent));
        counts[1] += state.arrive(entry, sent, &segments);
    }
    found
}

fn is_sent(entry: &Entry) -> bool {
    entry.protocol == Protocol::Tcp && entry.is_by_host()
}

/// What has arrived of a direction.
#[derive(Debug, Default)]
struct State {
    /// The one that was sent last.
    newest: Option<Spot>,
    /// Where octets of sequence space begin, and how many; with the packet that brought them.
    arrived: Vec<(u32, u32, Spot)>,
    /// The highest sequence number that came, and one.
    top: Option<u32>,
}

impl State {
    /// Takes in the arrival of some of an entry's wire segments; gives how many of them bring nothing new and were sent
    /// after what did.
    fn arrive(&mut self, entry: &Entry, sent: Spot, segments: &Range<u64>) -> u64 {
        let is_syn = entry.flags.has(TcpFlags::SYN);
        if is_syn && self.arrived.first().is_some_and(|(first, _, _)| *first != entry.seq) {
            // The ports are used again.
            *self = Self { newest: self.newest, ..Self::default() };
        }
        let mut in_vain = 0;
        for place in segments.clone() {
            let (offset, len) = extent(entry, place);
            let seq = entry.seq.wrapping_add(offset);
            in_vain += u64::from(len > 0 && self.has(seq, len, sent));
            if len > 0 {
                self.arrived.push((seq, len, sent));
                let end = seq.wrapping_add(len);
                if self.top.is_none_or(|top| end.wrapping_sub(top).cast_signed() > 0) {
                    self.top = Some(end);
                }
            }
        }
        in_vain
    }

    /// Whether all these octets came with packets that were sent earlier.
    fn has(&self, seq: u32, len: u32, sent: Spot) -> bool {
        if self.top.is_none_or(|top| seq.wrapping_sub(top).cast_signed() >= 0) {
            return false;
        }
        let mut covered = 0;
        // Each round finds what continues; a handful of earlier copies overlap at the most.
        while covered < len {
            let at = seq.wrapping_add(covered);
            let reach = self
                .arrived
                .iter()
                .filter(|(_, _, by)| *by < sent)
                .filter_map(|(start, length, _)| {
                    length.checked_sub(at.wrapping_sub(*start)).filter(|left| *left > 0)
                })
                .max();
            let Some(reach) = reach else { return false };
            covered = covered.saturating_add(reach);
        }
        true
    }
}

/// Where the octets of an entry's wire segment begin, counted from its sequence number, and how many they are. A SYN
/// and a FIN are octets too; a FIN goes with the last segment.
fn extent(entry: &Entry, place: u64) -> (u32, u32) {
    let flag = |flag: TcpFlags| u32::from(entry.flags.has(flag));
    let len = u32::try_from(entry.payload_len).unwrap_or(0) + flag(TcpFlags::SYN) + flag(TcpFlags::FIN);
    let last = u64::try_from(entry.wire_segments).unwrap_or(0).saturating_sub(1);
    if last == 0 {
        return (0, len);
    }
    let size = u32::from(entry.gso_size);
    let offset = u32::try_from(place).unwrap_or(u32::MAX).saturating_mul(size).min(len);
    (offset, if place >= last { len - offset } else { size.min(len - offset) })
}

fn way(entry: &Entry) -> Way {
    let tuple = entry.connection;
    let name = |end: Endpoint| end_name(&end.addr.to_string(), end.port);
    (name(tuple.src), name(tuple.dst), entry.direction)
}

fn end_name(address: &str, port: u16) -> String {
    format!("{address} {port}")
}
