//! The exchanges of a connection together, in bounded memory.

use super::exchange::{Exchange, Sums};
use super::figures::queueing_of;
use super::leg::{Mark, Way};
use crate::clock::PairClock;
use correlate_proto::Direction;
use correlate_proto::report::TimeSplit;

/// An answer, or a next request, that takes longer is slow.
pub(crate) const SLOW_NS: i64 = 200_000_000;

/// A silence between exchanges that is longer is no part of a dialogue: the end that asks has nothing to ask.
pub(crate) const IDLE_NS: i64 = 10_000_000_000;

/// How many groups the packets that complete exchanges are kept in, and how long the first ones last. The clocks are
/// known only later; within a group their rate counts as constant.
const MAX_GROUPS: usize = 4;
const GROUP_NS: i64 = 1_000_000_000;

/// How much of its own time an end took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Slow {
    /// How often it was slow.
    pub(crate) times: u64,
    /// For how long, those times together.
    pub(crate) ns: i64,
    /// The longest: from which packet to which, in its own capture.
    pub(crate) longest: Option<(Mark, Mark)>,
}

impl Slow {
    fn add(&mut self, ns: i64, from: Mark, to: Mark) {
        if ns < SLOW_NS {
            return;
        }
        self.times += 1;
        self.ns = self.ns.saturating_add(ns);
        if self.longest.is_none_or(|(a, b)| b.at.saturating_sub(a.at) < ns) {
            self.longest = Some((from, to));
        }
    }
}

/// Packets of one way within some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Group {
    count: i64,
    /// Sums of sending stamps, in ms, and of apparent delays, both relative to the first packet of all.
    sent_ms: i64,
    delay: i64,
    /// Sending stamp of the first packet in it, relative as well.
    from: i64,
}

/// The packets that complete the requests, or the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Completions {
    first: Option<(i64, i64)>,
    groups: [Group; MAX_GROUPS],
    used: usize,
    /// How often the time of a group was doubled.
    doubled: u32,
}

const MS: i64 = 1_000_000;

impl Completions {
    fn add(&mut self, way: Way) {
        let (sent, received) = *self.first.get_or_insert((way.sent, way.received));
        let from = way.sent.saturating_sub(sent);
        let delay = (way.received - way.sent).saturating_sub(received - sent);
        while !self.fits(from) && self.used == MAX_GROUPS {
            self.halve();
        }
        if !self.fits(from) {
            self.groups[self.used] = Group { from, ..Group::default() };
            self.used += 1;
        }
        let group = &mut self.groups[self.used - 1];
        group.count += 1;
        group.sent_ms = group.sent_ms.saturating_add(from / MS);
        group.delay = group.delay.saturating_add(delay);
    }

    fn fits(&self, from: i64) -> bool {
        let span = GROUP_NS << self.doubled.min(32);
        self.used > 0 && from.saturating_sub(self.groups[self.used - 1].from) < span
    }

    fn halve(&mut self) {
        self.doubled += 1;
        let old = self.groups;
        self.used = 0;
        for group in old {
            if self.fits(group.from) {
                let into = &mut self.groups[self.used - 1];
                into.count += group.count;
                into.sent_ms = into.sent_ms.saturating_add(group.sent_ms);
                into.delay = into.delay.saturating_add(group.delay);
            } else {
                self.groups[self.used] = group;
                self.used += 1;
            }
        }
    }

    /// Sum of the apparent delays, and of what of them was queueing.
    fn sums(&self, clock: &PairClock, direction: Direction) -> Option<(i64, i64)> {
        let (sent, received) = self.first?;
        let (mut transit, mut queueing) = (0, 0);
        for group in &self.groups[..self.used] {
            let mean_sent = sent.saturating_add(group.sent_ms / group.count.max(1) * MS);
            let mean_delay = (received - sent).saturating_add(group.delay / group.count.max(1));
            let waited = queueing_of(clock, direction, (mean_sent, mean_sent.saturating_add(mean_delay)))?;
            queueing += waited.saturating_mul(group.count);
            transit += (received - sent).saturating_mul(group.count).saturating_add(group.delay);
        }
        Some((transit, queueing))
    }
}

/// All exchanges of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) count: u64,
    pub(crate) incomplete: u64,
    pub(crate) overlapping: u64,
    sums: Sums,
    completions: [Completions; 2],
    /// What neither host took for itself.
    pub(crate) network: i64,
    pub(crate) slowest: Option<Exchange>,
    /// The end that answers was slow to answer.
    pub(crate) slow_answers: Slow,
    /// The end that asks was slow to ask again.
    pub(crate) slow_requests: Slow,
    /// The end that asks paused within a request.
    pub(crate) slow_pauses: Slow,
}

impl Totals {
    /// Adds an exchange; `before` is the last packet of the answer before it.
    pub(crate) fn add(&mut self, exchange: Exchange, before: Option<Mark>) {
        self.count += 1;
        self.sums = self.sums.plus(exchange.sums());
        self.completions[0].add(exchange.request);
        self.completions[1].add(exchange.answer);
        self.network = self.network.saturating_add(exchange.network());
        if self.slowest.is_none_or(|slowest| slowest.took() < exchange.took()) {
            self.slowest = Some(exchange);
        }
        self.slow_answers.add(exchange.served, exchange.heard, exchange.answered);
        if let Some(before) = before.filter(|_| exchange.thought < IDLE_NS) {
            self.slow_requests.add(exchange.thought, before, exchange.asked);
        }
        let sent = Mark { at: exchange.request.sent, packet: exchange.asked.packet };
        self.slow_pauses.add(exchange.request.parts.pause, exchange.asked, sent);
    }

    /// Whether requests and answers overlap, so that what is left of exchanges tells little.
    pub(crate) const fn is_overlapping(&self) -> bool {
        self.overlapping * 4 > self.count
    }

    /// What the two ends took to think: the one that asks, and the one that answers.
    pub(crate) const fn think(&self) -> [i64; 2] {
        self.sums.think
    }

    /// The time of all of them.
    pub(crate) fn split(&self, clock: &PairClock, asks: Direction) -> Option<TimeSplit> {
        let (there, waited_there) = self.completions[0].sums(clock, asks)?;
        let (back, waited_back) = self.completions[1].sums(clock, asks.reversed())?;
        let mut queueing = [0; 2];
        queueing[asks.index()] = waited_there;
        queueing[asks.reversed().index()] = waited_back;
        Some(self.sums.split(asks, there + back, queueing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(sent: i64, received: i64) -> Way {
        Way { sent, received, ..Way::default() }
    }

    #[test]
    fn groups_hold_every_packet_however_long_it_goes_on() {
        let mut all = Completions::default();
        let mut truth = 0;
        for k in 0..100_000_i64 {
            let delay = 5_000_000 + (k * 7919) % 1_000_000;
            truth += delay;
            all.add(way(k * 300 * MS, k * 300 * MS + delay));
        }
        assert!(all.used <= MAX_GROUPS);
        assert_eq!(all.groups[..all.used].iter().map(|group| group.count).sum::<i64>(), 100_000);
        let total: i64 =
            all.groups[..all.used].iter().map(|group| group.delay + group.count * 5_000_000).sum();
        assert_eq!(total, truth);
    }

    #[test]
    fn mean_stamps_of_groups_are_those_of_their_packets() {
        let mut all = Completions::default();
        for k in 0..10_i64 {
            all.add(way(k * 100 * MS, k * 100 * MS + 1));
        }
        assert_eq!((all.used, all.groups[0].sent_ms / all.groups[0].count), (1, 450));
    }

    #[test]
    fn only_long_times_are_slow_and_the_longest_is_named() {
        let mark = |at| Mark { at, packet: at.unsigned_abs() };
        let mut slow = Slow::default();
        for (from, to) in [(0, SLOW_NS - 1), (10, 10 + SLOW_NS), (20, 20 + 3 * SLOW_NS), (0, 2 * SLOW_NS)] {
            slow.add(to - from, mark(from), mark(to));
        }
        assert_eq!((slow.times, slow.ns), (3, 6 * SLOW_NS));
        assert_eq!(slow.longest, Some((mark(20), mark(20 + 3 * SLOW_NS))));
    }
}
