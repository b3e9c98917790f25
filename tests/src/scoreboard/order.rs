//! Packets that overtook others, and packets that were sent in vain: counted by connection.

use super::packets::{Class, Shown};
use super::score::Counts;
use super::sightings::Spot;
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
    let mut arrivals: Vec<(Spot, Spot, usize)> = Vec::new();
    for (index, entry) in shown.ledger.iter().enumerate() {
        if is_sent(entry)
            && let (Some(sent), Some(arrived)) = (shown.sent(index), shown.arrived(index))
        {
            arrivals.push((arrived, sent, index));
        }
    }
    arrivals.sort_unstable();
    let mut states: BTreeMap<Way, State> = BTreeMap::new();
    let mut found = Found::new();
    for (_, sent, index) in arrivals {
        let entry = &shown.ledger[index];
        let way = way(entry);
        let segments = u64::try_from(entry.wire_segments).unwrap_or(0);
        let state = states.entry(way.clone()).or_default();
        let counts = found.entry(way).or_default();
        counts[0] += if state.newest.is_some_and(|newest| sent < newest) { segments } else { 0 };
        state.newest = state.newest.max(Some(sent));
        counts[1] += state.arrive(entry, sent);
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
    /// Takes in an arrival; gives how many of its wire segments bring nothing new and were sent after what did.
    fn arrive(&mut self, entry: &Entry, sent: Spot) -> u64 {
        let syn = u32::from(entry.flags.has(TcpFlags::SYN));
        let len =
            u32::try_from(entry.payload_len).unwrap_or(0) + syn + u32::from(entry.flags.has(TcpFlags::FIN));
        if syn > 0 && self.arrived.first().is_some_and(|(first, _, _)| *first != entry.seq) {
            // The ports are used again.
            *self = Self { newest: self.newest, ..Self::default() };
        }
        let size = if entry.gso_size == 0 { len } else { u32::from(entry.gso_size) };
        let mut in_vain = 0;
        let mut offset = 0;
        while offset < len {
            // A FIN is no segment of its own.
            let end = if len - offset <= size + 1 { len } else { offset + size };
            in_vain += u64::from(self.has(entry.seq.wrapping_add(offset), end - offset, sent));
            offset = end;
        }
        if len > 0 {
            self.arrived.push((entry.seq, len, sent));
            let end = entry.seq.wrapping_add(len);
            if self.top.is_none_or(|top| end.wrapping_sub(top).cast_signed() > 0) {
                self.top = Some(end);
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

fn way(entry: &Entry) -> Way {
    let tuple = entry.connection;
    let name = |end: Endpoint| end_name(&end.addr.to_string(), end.port);
    (name(tuple.src), name(tuple.dst), entry.direction)
}

fn end_name(address: &str, port: u16) -> String {
    format!("{address} {port}")
}
