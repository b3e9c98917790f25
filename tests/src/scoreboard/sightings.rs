//! Which packet of which capture is which line of the ledger.

use super::arrivals::Arrivals;
use super::departures::Departures;
use super::recording::Recording;
use crate::frames::{Packet, read};
use correlate_lab::{ClockError, Done, Entry, Leg, Protocol};
use correlate_proto::Direction;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A packet of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Place of the capture in the list: 0 is the client's.
    pub tap: usize,
    /// Number in it, from 1.
    pub packet: u64,
}

/// Where the ledger's packets are in the captures.
#[derive(Debug, Default)]
pub struct Sightings {
    /// By entry: where its host's capture shows it. Absent for what no host sent, and where the capture did not run.
    pub sent: Vec<Option<Spot>>,
    /// By entry: where the other host's capture shows that it arrived, each with how many of its wire segments. Of a
    /// super-packet that the way cut, several.
    pub arrived: Vec<Vec<(Spot, u64)>>,
    /// By entry: whether the other host's capture ran when it was due.
    pub watched: Vec<bool>,
    /// By tap of a server: the shortest way from the client to it, and back, in ns of true time.
    pub shortest_ns: Vec<[i64; 2]>,
    entries: BTreeMap<Spot, Vec<usize>>,
    /// By packet: its true stamp.
    stamps: BTreeMap<Spot, i64>,
    /// By packet: further sightings of it in the same capture, by number.
    again: BTreeMap<Spot, Vec<u64>>,
    /// By further sighting: the packet.
    first: BTreeMap<Spot, Spot>,
    /// By packet: its further fragments, by number.
    parts: BTreeMap<Spot, Vec<u64>>,
    /// TCP packets of the captures that no entry explains: none, or this is no truth.
    pub unexplained: Vec<Spot>,
}

impl Sightings {
    /// Looks for every packet of the captures in the ledger.
    pub fn of(recording: &Recording) -> Self {
        let ledger = recording.ledger();
        let mut found = Self {
            sent: vec![None; ledger.len()],
            arrived: vec![Vec::new(); ledger.len()],
            watched: vec![false; ledger.len()],
            shortest_ns: Vec::new(),
            entries: BTreeMap::new(),
            stamps: BTreeMap::new(),
            again: BTreeMap::new(),
            first: BTreeMap::new(),
            parts: BTreeMap::new(),
            unexplained: Vec::new(),
        };
        for (tap, (plan, made)) in recording.plans().zip(&recording.outcome.taps).enumerate() {
            let packets = read(&made.path);
            let window = window(&packets, plan.clock, made.clock_origin_ns);
            found.watch(ledger, tap, window);
            found.note_further(tap, &packets);
            let stamp = |packet: &Packet| true_time(plan.clock, made.clock_origin_ns, packet.at_ns);
            let stamped = packets.iter().map(|packet| (Spot { tap, packet: packet.number }, stamp(packet)));
            found.stamps.extend(stamped);
            let own =
                if tap == 0 { recording.scenario.ip.client() } else { recording.scenario.ip.server(tap - 1) };
            let true_ns = |packet: &Packet| true_time(plan.clock, made.clock_origin_ns, packet.at_ns);
            found.find_sent(ledger, tap, &packets, own, true_ns);
            found.find_arrived(ledger, tap, &packets, own, true_ns);
        }
        found.find_joined(ledger);
        found.shortest_ns =
            (1..recording.outcome.taps.len()).map(|tap| found.shortest(ledger, tap)).collect();
        found
    }

    fn shortest(&self, ledger: &[Entry], tap: usize) -> [i64; 2] {
        let mut shortest = [i64::MAX; 2];
        for (index, entry) in ledger.iter().enumerate().filter(|(_, entry)| entry.server + 1 == tap) {
            let stamp = |spot: &Spot| self.stamps.get(spot);
            let (sent, arrived) = (self.sent[index].as_ref(), self.arrived[index].first());
            if let (Some(sent), Some(arrived)) =
                (sent.and_then(stamp), arrived.and_then(|(spot, _)| stamp(spot)))
            {
                let way = &mut shortest[entry.direction.index()];
                *way = (*way).min(arrived - sent);
            }
        }
        shortest
    }

    /// What the middlebox joined to an earlier packet arrived with that one.
    fn find_joined(&mut self, ledger: &[Entry]) {
        for index in (0..ledger.len()).filter(|&index| ledger[index].done == Done::Absorb) {
            let carrier = ledger[..index].iter().rposition(|earlier| carries(earlier, &ledger[index]));
            let segments = u64::try_from(ledger[index].wire_segments).unwrap_or(0);
            if let Some(&(spot, _)) = carrier.and_then(|carrier| self.arrived[carrier].first()) {
                self.arrived[index] = vec![(spot, segments)];
                self.entries.entry(spot).or_default().push(index);
            }
        }
    }

    /// Keeps what belongs to packets beside their first frame.
    fn note_further(&mut self, tap: usize, packets: &[Packet]) {
        for packet in packets {
            let spot = Spot { tap, packet: packet.number };
            if !packet.again.is_empty() {
                self.first.extend(packet.again.iter().map(|&number| (Spot { tap, packet: number }, spot)));
                self.again.insert(spot, packet.again.clone());
            }
            if !packet.parts.is_empty() {
                self.parts.insert(spot, packet.parts.clone());
            }
        }
    }

    /// The packet that a frame is a sighting of.
    pub fn packet(&self, sighting: Spot) -> Spot {
        self.first.get(&sighting).copied().unwrap_or(sighting)
    }

    /// Whether a capture of which these packets are left still shows a packet, on whichever interface.
    pub fn shows(&self, spot: Spot, kept: &[Vec<u64>]) -> bool {
        let is_kept = |number: &u64| kept[spot.tap].binary_search(number).is_ok();
        is_kept(&spot.packet) || self.again.get(&spot).is_some_and(|again| again.iter().any(is_kept))
    }

    /// Whether one of a packet's further fragments is not left.
    pub fn lacks_part(&self, spot: Spot, kept: &[Vec<u64>]) -> bool {
        let is_kept = |number: &u64| kept[spot.tap].binary_search(number).is_ok();
        self.parts.get(&spot).is_some_and(|parts| !parts.iter().all(is_kept))
    }

    /// The entries that a captured packet is: several where the receiver's host joined segments.
    pub fn entries(&self, spot: Spot) -> &[usize] {
        self.entries.get(&spot).map_or(&[], Vec::as_slice)
    }

    fn watch(&mut self, ledger: &[Entry], tap: usize, (from, to): (i64, i64)) {
        for (entry, watched) in ledger.iter().zip(&mut self.watched) {
            let due_ns = entry.at_in_ns + i64::try_from(entry.delay_ns).unwrap_or(0);
            *watched |= goes_to(entry, tap) && (from..=to).contains(&due_ns);
        }
    }

    fn find_sent(
        &mut self,
        ledger: &[Entry],
        tap: usize,
        packets: &[Packet],
        own: IpAddr,
        true_ns: impl Fn(&Packet) -> i64,
    ) {
        let is_from_here =
            |entry: &Entry| entry.is_by_host() && entry.protocol == Protocol::Tcp && comes_from(entry, tap);
        let from_here = (0..ledger.len()).filter(|&index| is_from_here(&ledger[index]));
        let mut departures = Departures::new(ledger, from_here);
        for packet in packets.iter().filter(|packet| packet.key.src.0 == own) {
            let spot = Spot { tap, packet: packet.number };
            let entries = departures.take(ledger, &packet.key, true_ns(packet));
            if entries.is_empty() {
                self.unexplained.push(spot);
            }
            for &index in &entries {
                self.sent[index] = Some(spot);
            }
            self.entries.insert(spot, entries);
        }
    }

    fn find_arrived(
        &mut self,
        ledger: &[Entry],
        tap: usize,
        packets: &[Packet],
        own: IpAddr,
        true_ns: impl Fn(&Packet) -> i64,
    ) {
        let mut released: Vec<usize> = (0..ledger.len())
            .filter(|&index| {
                let entry = &ledger[index];
                entry.protocol == Protocol::Tcp && entry.at_out_ns.is_some() && goes_to(entry, tap)
            })
            .collect();
        released.sort_by_key(|&index| (ledger[index].at_out_ns, index));
        let mut arrivals = Arrivals::new(ledger, &released);
        for packet in packets.iter().filter(|packet| packet.key.src.0 != own) {
            let spot = Spot { tap, packet: packet.number };
            let entries = arrivals.take(ledger, &packet.key, true_ns(packet));
            if entries.is_empty() {
                self.unexplained.push(spot);
            }
            for &(index, segments) in &entries {
                self.arrived[index].push((spot, segments));
            }
            self.entries.insert(spot, entries.into_iter().map(|(index, _)| index).collect());
        }
    }
}

/// Whether the payload of `joined`, which did not go on by itself, left with `earlier`.
fn carries(earlier: &Entry, joined: &Entry) -> bool {
    let (Ok(len), Ok(own)) = (u32::try_from(earlier.payload_len_left), u32::try_from(joined.payload_len))
    else {
        return false;
    };
    let from = joined.seq.wrapping_sub(earlier.seq_left);
    let same = (earlier.connection, earlier.direction) == (joined.connection, joined.direction);
    same && own > 0 && earlier.at_out_ns.is_some() && from < len && own <= len - from
}

/// Whether the entry's packet goes to the host of that tap, if it passes.
fn goes_to(entry: &Entry, tap: usize) -> bool {
    match entry.direction {
        Direction::ClientToServer => tap == entry.server + 1 && entry.leg != Leg::Near,
        Direction::ServerToClient => tap == 0 && entry.leg != Leg::Far,
    }
}

/// Whether the entry's packet comes from the host of that tap.
fn comes_from(entry: &Entry, tap: usize) -> bool {
    match entry.direction {
        Direction::ClientToServer => tap == 0 && entry.leg != Leg::Far,
        Direction::ServerToClient => tap == entry.server + 1 && entry.leg != Leg::Near,
    }
}

/// The first and the last true stamp of a capture.
fn window(packets: &[Packet], clock: ClockError, origin_ns: i64) -> (i64, i64) {
    let stamps = || packets.iter().map(|packet| true_time(clock, origin_ns, packet.at_ns));
    (stamps().min().unwrap_or(i64::MAX), stamps().max().unwrap_or(i64::MIN))
}

/// The true instant at which the clock showed `shown_ns`.
pub fn true_time(clock: ClockError, origin_ns: i64, shown_ns: i64) -> i64 {
    // The error changes by parts per million, so each round takes off six digits.
    (0..3).fold(shown_ns, |at_ns, _| shown_ns - (clock.shows(at_ns, origin_ns) - at_ns))
}
