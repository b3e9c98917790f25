//! The network between two capture points in virtual time: what each capture records, and what the path did.
//!
//! Virtual time begins at 0 and is the same at both ends; the captures' clocks differ by what
//! [`Judge`](super::judge::Judge) adds to the stamps.

use super::rng::Rng;
use core::num::NonZeroU16;
use correlate_proto::{Direction, Heard, IcmpError, Record, Segment, TcpFlags, Timestamp};
use std::collections::BTreeMap;

pub(super) const US: i64 = 1_000;
pub(super) const MS: i64 = 1_000_000;
pub(super) const SEC: i64 = 1_000_000_000;

/// What the path does with one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    Pass,
    Lose,
    /// Arrives twice.
    Twice,
    /// Arrives so much later than usual.
    Late(i64),
}

/// A packet on its way, as the path decides over it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire {
    pub(super) direction: Direction,
    /// How many packets of its direction went before it.
    pub(super) index: u64,
    pub(super) at: i64,
    pub(super) flags: TcpFlags,
    pub(super) payload_len: u32,
    pub(super) ip_len: u32,
}

/// How a capture shows a run of segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Offload {
    /// Each wire segment by itself.
    #[default]
    None,
    /// Super-packets of at most so many segments, with their segment size.
    Known(u32),
    /// The same, without it.
    Unknown(u32),
}

type Path = Box<dyn FnMut(&Wire, &mut Rng) -> Passage>;
type Rewrite = Box<dyn FnMut(&mut Segment)>;

/// The network.
pub(super) struct Sim {
    pub(super) rng: Rng,
    /// One-way delay, by direction.
    pub(super) delay: [i64; 2],
    /// Largest random addition to it. Packets of one direction never overtake each other by it.
    pub(super) jitter: i64,
    pub(super) path: Path,
    /// What a device between the two makes of packets to the server, and of those to the client.
    pub(super) rewrite: [Rewrite; 2],
    /// Per thousand records that each capture misses.
    pub(super) misses: [u64; 2],
    /// When each capture runs.
    pub(super) running: [(i64, i64); 2],
    pub(super) offload: [Offload; 2],
    taps: [Vec<Record>; 2],
    sent: [u64; 2],
    /// By direction and ports: packets of one connection do not overtake each other unasked.
    newest_arrival: BTreeMap<(usize, u16, u16), i64>,
    /// Packets that the path lost, by direction.
    pub(super) lost: [u64; 2],
    /// Packets that the path made two of, by direction.
    pub(super) twice: [u64; 2],
}

impl Sim {
    /// A quiet path of 5 ms each way whose captures run from a second before time 0 on.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            delay: [5 * MS; 2],
            jitter: 200 * US,
            path: Box::new(|_, _| Passage::Pass),
            rewrite: [Box::new(|_| {}), Box::new(|_| {})],
            misses: [0; 2],
            running: [(-SEC, i64::MAX); 2],
            offload: [Offload::None; 2],
            taps: [Vec::new(), Vec::new()],
            sent: [0; 2],
            newest_arrival: BTreeMap::new(),
            lost: [0; 2],
            twice: [0; 2],
        }
    }

    /// A path that decides by `path`.
    pub(super) fn over(mut self, path: impl FnMut(&Wire, &mut Rng) -> Passage + 'static) -> Self {
        self.path = Box::new(path);
        self
    }

    /// Sends `segment` at its stamp; gives when it arrived at the other end, if it did.
    pub(super) fn send(&mut self, direction: Direction, segment: Segment) -> Option<i64> {
        let at = segment.at.as_ns();
        let (near, far) = (direction.index(), direction.reversed().index());
        self.taps[near].push(Record::Segment(Segment { heard: Heard::Out, ..segment }));
        let wire = Wire {
            direction,
            index: self.sent[near],
            at,
            flags: segment.flags,
            payload_len: segment.payload_len,
            ip_len: segment.ip.len,
        };
        self.sent[near] += 1;
        let passage = (self.path)(&wire, &mut self.rng);
        let late = match passage {
            Passage::Lose => {
                self.lost[near] += 1;
                return None;
            }
            Passage::Late(by) => by,
            Passage::Pass | Passage::Twice => 0,
        };
        let jitter = if self.jitter > 0 { self.rng.upto(self.jitter) } else { 0 };
        let earliest = at + self.delay[near] + jitter;
        let flow = (near, segment.tuple.src.port, segment.tuple.dst.port);
        let newest = self.newest_arrival.entry(flow).or_insert(i64::MIN);
        let arrival = if late > 0 { earliest + late } else { earliest.max(newest.saturating_add(1)) };
        if late == 0 {
            *newest = arrival;
        }
        self.arrive(direction, segment, arrival);
        if passage == Passage::Twice {
            self.twice[near] += 1;
            self.newest_arrival.insert(flow, arrival + 10 * US);
            self.arrive(direction, segment, arrival + 10 * US);
        }
        debug_assert!(far != near);
        Some(arrival)
    }

    /// Puts a packet into the receiver's capture that nobody sent; its stamp is its arrival.
    pub(super) fn forge(&mut self, direction: Direction, segment: Segment) {
        let heard = Heard::In;
        self.taps[direction.reversed().index()].push(Record::Segment(Segment { heard, ..segment }));
    }

    /// Puts an ICMP error into the capture of the end where `sender` begins.
    pub(super) fn icmp(&mut self, sender: Direction, error: IcmpError) {
        self.taps[sender.index()].push(Record::IcmpError(error));
    }

    fn arrive(&mut self, direction: Direction, mut segment: Segment, at: i64) {
        segment.at = Timestamp::from_ns(at);
        segment.heard = Heard::In;
        segment.ip.ttl = segment.ip.ttl.saturating_sub(3);
        (self.rewrite[direction.index()])(&mut segment);
        self.taps[direction.reversed().index()].push(Record::Segment(segment));
    }

    /// The two captures, in order of time and numbered from 1, with stamps in virtual time.
    pub(super) fn captures(mut self) -> [Vec<Record>; 2] {
        let taps = core::mem::take(&mut self.taps);
        let [client, server] = taps;
        [self.capture(0, client), self.capture(1, server)]
    }

    fn capture(&mut self, end: usize, mut records: Vec<Record>) -> Vec<Record> {
        records.sort_by_key(Record::at);
        let mut records = coalesce(records, self.offload[end]);
        let (from, to) = self.running[end];
        records.retain(|record| (from..=to).contains(&record.at().as_ns()));
        let misses = self.misses[end];
        records.retain(|_| !self.rng.chance(misses));
        for (number, record) in (1..).zip(&mut records) {
            match record {
                Record::Segment(segment) => segment.packet = number,
                Record::IcmpError(error) => error.packet = number,
            }
        }
        records
    }
}

/// Segments are one super-packet only if they follow each other within this.
const TOGETHER: i64 = 500 * US;

/// Merges runs of segments as TSO at the sender and GRO at the receiver show them.
fn coalesce(records: Vec<Record>, offload: Offload) -> Vec<Record> {
    let (most, known) = match offload {
        Offload::None => return records,
        Offload::Known(most) => (most, true),
        Offload::Unknown(most) => (most, false),
    };
    let mut merged: Vec<(Record, u32, u32)> = Vec::new();
    for record in records {
        if let Record::Segment(next) = &record
            && let Some((Record::Segment(run), count, size)) = merged.last_mut()
            && *count < most
            && continues(run, next, *size, *count)
        {
            run.payload_len += next.payload_len;
            run.payload_sum = None;
            run.ip.len += next.payload_len;
            run.flags = TcpFlags(run.flags.0 | next.flags.0);
            *count += 1;
            if run.heard == Heard::In {
                run.at = next.at;
            }
            if known {
                run.gso_size = NonZeroU16::new(u16::try_from(*size).unwrap());
            }
            continue;
        }
        let size = match &record {
            Record::Segment(segment) => segment.payload_len,
            Record::IcmpError(_) => 0,
        };
        merged.push((record, 1, size));
    }
    merged.into_iter().map(|(record, _, _)| record).collect()
}

/// Whether offload would append `next` to a run of `count` segments of `size` octets.
fn continues(run: &Segment, next: &Segment, size: u32, count: u32) -> bool {
    let ends = TcpFlags(TcpFlags::PSH.0 | TcpFlags::FIN.0).0;
    size > 0
        && run.tuple == next.tuple
        && run.heard == next.heard
        && run.payload_len == size * count
        && next.payload_len > 0
        && next.payload_len <= size
        && run.seq.add(run.payload_len) == next.seq
        && run.ack == next.ack
        && run.flags.0 == TcpFlags::ACK.0
        && next.flags.0 & !ends == TcpFlags::ACK.0
        && run.options == next.options
        && run.ip.id.is_none_or(|id| Some(id.wrapping_add(u16::try_from(count).unwrap())) == next.ip.id)
        && next.at.since(run.at).as_ns() < TOGETHER
}
