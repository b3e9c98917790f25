//! A pair of capture files of one invented, healthy path: what the client host and the server host would have
//! captured of the same connections. Deterministic: the same plan gives the same octets.
//!
//! The traffic is as Linux makes it: random initial sequence numbers, per-connection IP identifications that
//! count up (0 on a SYN-ACK), timestamps option in milliseconds from a random base, window scaling, slow start
//! from ten segments, an ACK for every second segment, a close by FIN on both sides. Nothing is lost, repeated
//! or overtaken.

mod connection;
mod frame;
mod pcap;

use connection::{Connection, Packet};
use core::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

/// What to make.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Packets in each file, roughly: connections end when they have had their share.
    pub packets: u64,
    /// Connections, all open at the same time; at most 20,000.
    pub connections: u32,
    /// Seed of everything random.
    pub seed: u64,
    /// Octets captured of each frame.
    pub snaplen: u32,
    /// Stamps in nanoseconds instead of microseconds.
    pub nanoseconds: bool,
    /// Delay of the path in each direction without any queue, in nanoseconds.
    pub path_delay_ns: u64,
    /// Largest random addition to that delay, in nanoseconds.
    pub jitter_ns: u64,
    /// Server host's clock less client host's clock at the start, in nanoseconds.
    pub clock_offset_ns: i64,
    /// How much faster the server host's clock runs, in parts per billion.
    pub clock_skew_ppb: i64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            packets: 100_000,
            connections: 32,
            seed: 1,
            snaplen: 96,
            nanoseconds: false,
            path_delay_ns: 2_000_000,
            jitter_ns: 60_000,
            clock_offset_ns: 3_217_000,
            clock_skew_ppb: 4_000,
        }
    }
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Made {
    /// Packets in each of the two files.
    pub packets: u64,
    /// Connections that were opened and closed.
    pub connections: u64,
}

/// Which of the two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }
}

/// Splitmix64 (Steele, Lea and Flood, 2014): short, seeded, good enough to scatter numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..below`; `below` must not be 0.
    fn below(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    /// A number in `0..below`; `below` must not be 0.
    fn below32(&mut self, below: u32) -> u32 {
        self.bits32() % below
    }

    fn bits32(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.next().to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    fn bits16(&mut self) -> u16 {
        low16(self.bits32())
    }
}

/// The low half of a number.
fn low16(number: u32) -> u16 {
    let [_, _, high, low] = number.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// What happens at an instant of true time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The connection's host sends whatever it may send now.
    Wake(Side),
    /// A packet arrives at that host.
    Arrive(Side, Packet),
}

/// Where the connections stand, what is on its way, and the two files.
struct World<W: Write> {
    plan: Plan,
    random: Random,
    connections: Vec<Connection>,
    /// Ordered by time, then by the order of their making, so that equal times give one order.
    events: BinaryHeap<Reverse<(u64, u64, u32, Event)>>,
    made_events: u64,
    /// When the link towards each side is free again.
    link_free: [u64; 2],
    files: [pcap::Writer<W>; 2],
    made: Made,
}

/// Time on the wire of a full frame at 10 Gbit/s, in nanoseconds.
const SERIALISATION_NS: u64 = 1_200;
/// 2026-01-01T00:00:00Z.
const START_NS: u64 = 1_767_225_600_000_000_000;

/// Writes the client host's and the server host's captures.
///
/// An error is that of the writers.
pub fn write_pair<W: Write>(plan: &Plan, client: W, server: W) -> io::Result<Made> {
    let mut random = Random(plan.seed);
    let count = plan.connections.clamp(1, 20_000);
    let share = plan.packets / u64::from(count);
    let connections = (0..count).map(|index| Connection::new(index, share, &mut random)).collect();
    let files = [pcap::Writer::new(client, plan)?, pcap::Writer::new(server, plan)?];
    let mut world = World {
        plan: *plan,
        random,
        connections,
        events: BinaryHeap::new(),
        made_events: 0,
        link_free: [0; 2],
        files,
        made: Made { packets: 0, connections: u64::from(count) },
    };
    for index in 0..count {
        let at = START_NS + world.random.below(50_000_000);
        world.schedule(at, index, Event::Wake(Side::Client));
    }
    while let Some(Reverse((now, _, index, event))) = world.events.pop() {
        world.handle(now, index, event)?;
    }
    world.files.iter_mut().try_for_each(pcap::Writer::flush)?;
    Ok(world.made)
}

impl<W: Write> World<W> {
    fn schedule(&mut self, at: u64, index: u32, event: Event) {
        self.made_events += 1;
        self.events.push(Reverse((at, self.made_events, index, event)));
    }

    fn handle(&mut self, now: u64, index: u32, event: Event) -> io::Result<()> {
        let connection = &mut self.connections[index as usize];
        match event {
            Event::Wake(side) => {
                let Some(packet) = connection.send(side, now, &mut self.random) else { return Ok(()) };
                let more = connection.may_send(side);
                self.record(now, side, index, &packet, true)?;
                self.made.packets += 1;
                self.transmit(now, side, index, packet);
                if more {
                    let gap = SERIALISATION_NS + self.random.below(800);
                    self.schedule(now + gap, index, Event::Wake(side));
                }
            }
            Event::Arrive(side, packet) => {
                let wake = connection.receive(side, &packet, &mut self.random);
                self.record(now, side, index, &packet, false)?;
                if wake {
                    let think = 3_000 + self.random.below(25_000);
                    self.schedule(now + think, index, Event::Wake(side));
                }
            }
        }
        Ok(())
    }

    /// Puts a packet on its way; the path is first in, first out.
    fn transmit(&mut self, now: u64, from: Side, index: u32, packet: Packet) {
        let to = from.other();
        let jitter = self.random.below(self.plan.jitter_ns.max(1));
        let arrival = (now + self.plan.path_delay_ns + jitter).max(self.link_free[to.index()]);
        self.link_free[to.index()] = arrival + SERIALISATION_NS;
        self.schedule(arrival, index, Event::Arrive(to, packet));
    }

    fn record(&mut self, now: u64, at: Side, index: u32, packet: &Packet, sent: bool) -> io::Result<()> {
        let stamp = match at {
            Side::Client => now,
            Side::Server => {
                let elapsed = i64::try_from(now - START_NS).unwrap_or(i64::MAX);
                let skew = elapsed / 1_000 * self.plan.clock_skew_ppb / 1_000_000;
                now.saturating_add_signed(self.plan.clock_offset_ns + skew)
            }
        };
        let frame = frame::build(index, packet, sent);
        self.files[at.index()].write(stamp, &frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_plan_gives_the_same_octets() {
        let plan = Plan { packets: 2_000, connections: 7, ..Plan::default() };
        let run = || {
            let (mut client, mut server) = (Vec::new(), Vec::new());
            let made = write_pair(&plan, &mut client, &mut server).unwrap();
            (made, client, server)
        };
        let (made, client, server) = run();
        assert_eq!((made, client.clone(), server.clone()), run());
        assert!((1_900..2_500).contains(&made.packets), "{}", made.packets);
        assert_eq!(client.len(), server.len(), "nothing is lost, so both files hold the same packets");
        assert_ne!(client, server);
    }
}
