//! Traces of two hosts with known clocks and delays.

use crate::clock::{ClockInput, PairClock};
use correlate_proto::{Local, Timestamp};

pub(super) const SECOND: i64 = 1_000_000_000;
pub(super) const MS: i64 = 1_000_000;
pub(super) const US: i64 = 1_000;

/// `SplitMix64` (Steele, Lea, Flood 2014): small, seeded, good enough for delays.
#[derive(Debug, Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In (0, 1].
    pub(super) fn unit(&mut self) -> f64 {
        (f64::from(u32::try_from(self.next() >> 32).unwrap()) + 1.0) / 4_294_967_296.0
    }

    /// Exponential with this mean.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "delays of a test")]
    pub(super) fn exponential(&mut self, mean: i64) -> i64 {
        (-self.unit().ln() * mean as f64) as i64
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// A pair of hosts and what lies between them. Spans in nanoseconds, instants on A's clock.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) start: i64,
    pub(super) offset: i64,
    pub(super) skew_ppb: i64,
    /// The rate swings by so much around the skew, once in ten minutes.
    pub(super) swing_ppb: i32,
    /// B steps by `.1` at `.0`.
    pub(super) steps: Vec<(i64, i64)>,
    /// From `.0` on the forward minimum delay is longer by `.1`.
    pub(super) reroute_forward: Option<(i64, i64)>,
    /// The same for the reverse direction.
    pub(super) reroute_reverse: Option<(i64, i64)>,
    pub(super) min_forward: i64,
    pub(super) min_reverse: i64,
    pub(super) jitter: i64,
}

/// A matched packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packet {
    Forward { a: i64, b: i64 },
    Reverse { b: i64, a: i64 },
}

impl Packet {
    pub(super) fn a(self) -> i64 {
        match self {
            Self::Forward { a, .. } | Self::Reverse { a, .. } => a,
        }
    }
}

impl World {
    pub(super) fn plain() -> Self {
        Self {
            start: 1_700_000_000 * SECOND + 123_456_789,
            offset: 37 * SECOND,
            skew_ppb: 50_000,
            swing_ppb: 0,
            steps: Vec::new(),
            reroute_forward: None,
            reroute_reverse: None,
            min_forward: 5 * MS,
            min_reverse: 5 * MS,
            jitter: 150 * US,
        }
    }

    /// B minus A at the instant `x`.
    pub(super) fn truth(&self, x: i64) -> i64 {
        let drift = i128::from(x - self.start) * i128::from(self.skew_ppb) / 1_000_000_000;
        let stepped: i64 = self.steps.iter().filter(|(at, _)| x >= *at).map(|(_, by)| by).sum();
        self.offset + stepped + i64::try_from(drift).unwrap() + self.swung(x)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "milliseconds at most")]
    fn swung(&self, x: i64) -> i64 {
        let radians_per_ns = core::f64::consts::TAU / 600e9;
        let phase = (x - self.start) as f64 * radians_per_ns;
        (f64::from(self.swing_ppb) * 1e-9 / radians_per_ns * (1.0 - phase.cos())) as i64
    }

    /// By how much the forward minimum delay is longer, as B's clock measures it: that is the one which times the
    /// flight both ways, by its reading on arrival or on sending against the offset when A had the packet.
    pub(super) fn asymmetry(&self) -> i64 {
        let by = self.min_forward - self.min_reverse;
        by + i64::try_from(i128::from(by) * i128::from(self.skew_ppb) / 1_000_000_000).unwrap()
    }

    fn delay(&self, min: i64, reroute: Option<(i64, i64)>, x: i64, random: &mut Random) -> i64 {
        let longer = reroute.filter(|(at, _)| x >= *at).map_or(0, |(_, by)| by);
        let tail = if random.below(50) == 0 { 10 } else { 1 };
        min + longer + random.exponential(self.jitter * tail)
    }

    pub(super) fn forward(&self, a: i64, random: &mut Random) -> Packet {
        let arrives = a + self.delay(self.min_forward, self.reroute_forward, a, random);
        Packet::Forward { a, b: arrives + self.truth(arrives) }
    }

    pub(super) fn reverse(&self, a: i64, random: &mut Random) -> Packet {
        let sent = a - self.delay(self.min_reverse, self.reroute_reverse, a, random);
        Packet::Reverse { b: sent + self.truth(sent), a }
    }

    /// Packets each way at `per_second` on average for so many nanoseconds, ordered by A's clock.
    pub(super) fn trace(&self, length: i64, per_second: i64, random: &mut Random) -> Vec<Packet> {
        let mut packets = Vec::new();
        for way in 0..2 {
            let mut a = self.start;
            loop {
                a += random.exponential(SECOND / per_second);
                if a >= self.start + length {
                    break;
                }
                packets.push(if way == 0 { self.forward(a, random) } else { self.reverse(a, random) });
            }
        }
        packets.sort_by_key(|p| p.a());
        packets
    }
}

pub(super) fn at(ns: i64) -> Timestamp<Local> {
    Timestamp::from_ns(ns)
}

pub(super) fn push(clock: &mut PairClock, packet: Packet) {
    match packet {
        Packet::Forward { a, b } => clock.forward(at(a), at(b)),
        Packet::Reverse { b, a } => clock.reverse(at(b), at(a)),
    }
}

/// Feeds packets in the order given and advances with the newest stamp.
pub(super) fn feed(clock: &mut PairClock, packets: &[Packet]) {
    let mut newest = i64::MIN;
    for packet in packets {
        push(clock, *packet);
        let second = packet.a().div_euclid(SECOND);
        if second > newest {
            newest = second;
            clock.advance(at(packet.a() - 10 * MS));
        }
    }
}

pub(super) fn learned(packets: &[Packet]) -> PairClock {
    let mut clock = PairClock::new(ClockInput::Realtime);
    feed(&mut clock, packets);
    clock.finish();
    clock
}

/// Panics unless the bounds at `x` contain the truth.
pub(super) fn assert_contains(clock: &PairClock, world: &World, x: i64) {
    let (found, truth) = (clock.offset_at(at(x)), world.truth(x));
    let lo = found.lo.map_or(i64::MIN, correlate_proto::Span::as_ns);
    let hi = found.hi.map_or(i64::MAX, correlate_proto::Span::as_ns);
    assert!(lo <= truth && truth <= hi, "{truth} is outside [{lo}, {hi}] at {} ns", x - world.start);
}
