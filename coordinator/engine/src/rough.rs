//! A first, cheap look at two captures: how far apart their clocks are, roughly, and which of the two is nearer to
//! the host that opens connections.
//!
//! Handshake packets that both captures show give both. A handshake takes longer at the opener's end, where its
//! SYN waits for the answer, than at the other end; and a packet's TTL is never higher behind a router than
//! before it. Where a device rewrites sequence numbers or timestamps, so that no packet is known again, the first
//! handshakes of equal addresses and ports stand in.

use correlate_proto::{FourTuple, Record, Segment, SeqNum, Span, TcpFlags};
use std::collections::BTreeMap;

/// Handshakes that both captures show: so many are enough for a verdict.
const ENOUGH: usize = 64;

/// How many handshake packets of one capture are remembered; later ones are not looked at.
const MAX_REMEMBERED: usize = 50_000;

/// A handshake must take this much longer at one end for the ends to be told apart by it: below it is the noise
/// of two captures on one machine.
const LEAST_GAP_NS: i64 = 20_000;

/// What two captures' handshakes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoughAlignment {
    /// Clock of the second capture less clock of the first; absent if nothing is common to both.
    pub offset: Option<Span>,
    /// Every connection that tells was opened from the second capture's end: the two have been exchanged, or only
    /// that end opens connections.
    pub opened_from_second: bool,
}

/// Takes in the beginnings of two captures.
#[derive(Debug, Default)]
pub struct RoughAligner {
    ends: [BTreeMap<Key, Sight>; 2],
    /// The first packet of each kind by addresses and ports, with its number; absent once there was another number.
    by_tuple: [BTreeMap<(FourTuple, bool), Option<First>>; 2],
    common: usize,
}

/// Identifies a handshake packet whatever its addresses: the opener's initial sequence number, the kind of packet,
/// and its timestamp or, without one, its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    isn: u32,
    is_answer: bool,
    mark: u32,
}

#[derive(Debug, Clone, Copy)]
struct First {
    isn: u32,
    at: i64,
}

#[derive(Debug, Clone, Copy)]
struct Sight {
    at: i64,
    ttl: u8,
}

impl RoughAligner {
    /// Takes in a record of capture 0 or 1.
    pub fn take(&mut self, capture: usize, record: &Record) {
        let Record::Segment(segment) = record else { return };
        let Some(key) = key(segment) else { return };
        let Some(own) = self.ends.get_mut(capture) else { return };
        if own.len() >= MAX_REMEMBERED || own.contains_key(&key) {
            return;
        }
        own.insert(key, Sight { at: segment.at.as_ns(), ttl: segment.ip.ttl });
        self.by_tuple[capture]
            .entry((segment.tuple, key.is_answer))
            .and_modify(|first| *first = first.filter(|first| first.isn == key.isn))
            .or_insert(Some(First { isn: key.isn, at: segment.at.as_ns() }));
        if self.ends[1 - capture].contains_key(&key) {
            self.common += 1;
        }
    }

    /// Whether more records would change little.
    #[must_use]
    pub const fn is_enough(&self) -> bool {
        self.common >= ENOUGH
    }

    /// What they tell.
    #[must_use]
    pub fn finish(&self) -> RoughAlignment {
        RoughAlignment { offset: self.offset(), opened_from_second: self.opened_from_second() }
    }

    fn pairs(&self) -> impl Iterator<Item = (Key, Sight, Sight)> {
        let [first, second] = &self.ends;
        first.iter().filter_map(|(&key, &a)| second.get(&key).map(|&b| (key, a, b)))
    }

    /// Half-way between what packets of the two directions say.
    fn offset(&self) -> Option<Span> {
        let known = self.pairs().map(|(key, a, b)| (key.is_answer, b.at.saturating_sub(a.at)));
        middle(known.collect()).or_else(|| middle(self.differences_by_tuple())).map(Span)
    }

    fn differences_by_tuple(&self) -> Vec<(bool, i64)> {
        let [first, second] = &self.by_tuple;
        let differences = first.iter().filter_map(|(key, a)| {
            let (a, b) = ((*a)?, (*second.get(key)?)?);
            Some((key.1, b.at.saturating_sub(a.at)))
        });
        differences.collect()
    }

    fn opened_from_second(&self) -> bool {
        let (mut first, mut second) = (0u32, 0u32);
        for (key, a, b) in self.pairs() {
            // A SYN's TTL is highest at the opener, a SYN-ACK's lowest.
            let (near, far) = if key.is_answer { (b.ttl, a.ttl) } else { (a.ttl, b.ttl) };
            first += u32::from(near > far);
            second += u32::from(far > near);
        }
        if first + second > 0 {
            return first == 0;
        }
        for isn in self.pairs().filter(|(key, _, _)| !key.is_answer).map(|(key, _, _)| key) {
            let Some((here, there)) = self.handshake_times(isn) else { continue };
            first += u32::from(here > there + LEAST_GAP_NS);
            second += u32::from(there > here + LEAST_GAP_NS);
        }
        second > 0 && first == 0
    }

    /// How long the handshake opened by `syn` took at each end, if it was answered and neither packet was repeated
    /// with a later timestamp.
    fn handshake_times(&self, syn: Key) -> Option<(i64, i64)> {
        let answers =
            Key { is_answer: true, mark: 0, ..syn }..=Key { is_answer: true, mark: u32::MAX, ..syn };
        let [first, second] = &self.ends;
        let (mut a, mut b) = (first.range(answers.clone()), second.range(answers));
        let (answer_a, answer_b) = (a.next()?, b.next()?);
        if answer_a.0 != answer_b.0 || a.next().is_some() || b.next().is_some() {
            return None;
        }
        Some((answer_a.1.at - first.get(&syn)?.at, answer_b.1.at - second.get(&syn)?.at))
    }
}

/// Half-way between the medians of SYNs and of answers: against mistaken pairs.
fn middle(differences: Vec<(bool, i64)>) -> Option<i64> {
    let [mut there, mut back] = [Vec::new(), Vec::new()];
    for (is_answer, difference) in differences {
        if is_answer { back.push(difference) } else { there.push(difference) }
    }
    let median = |values: &mut Vec<i64>| {
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    };
    match (median(&mut there), median(&mut back)) {
        (Some(there), Some(back)) => Some(there.midpoint(back)),
        (one, other) => one.or(other),
    }
}

fn key(segment: &Segment) -> Option<Key> {
    if segment.flags.has(TcpFlags::RST) || !segment.flags.has(TcpFlags::SYN) {
        return None;
    }
    let is_answer = segment.flags.has(TcpFlags::ACK);
    let SeqNum(isn) = if is_answer { segment.ack.add(u32::MAX) } else { segment.seq };
    let mark =
        segment.options.timestamps.map_or_else(|| u32::from(segment.ip.id.unwrap_or(0)), |(value, _)| value);
    Some(Key { isn, is_answer, mark })
}
