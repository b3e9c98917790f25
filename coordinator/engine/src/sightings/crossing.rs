//! Packets on their way through a host.

use super::strays::{Octets, Spot, Stray, Strays};
use super::ways::{Place, Usual, WayId, Ways};
use correlate_proto::{CaptureKind, CapturePoint, FourTuple, Segment, TcpFlags};
use rustc_hash::{FxHashMap, FxHasher};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// A packet crosses a host within this, queues between its interfaces included; a later one that looks the same is
/// another transmission.
const CROSSING_NS: i64 = 100_000_000;

/// When a capture has ended, a packet that others overtook by so many times the slowest crossing, and this much, is not
/// waited for any more.
const TIMES_SLOWEST: i64 = 4;
const LEAST_WAIT_NS: i64 = 1_000_000;

/// How many packets are remembered for [`CROSSING_NS`]; beyond it they are forgotten early, a sighting among them
/// counts as a packet, and nothing is learnt of their way. 300,000 packets/s need 30,000.
const MAX_REMEMBERED: usize = 1 << 18;

/// Packets of the last moments at one capture point, and what became of those before them.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    /// The point may show a packet more than once.
    active: bool,
    /// Its frames do not name their interface: what looks the same is the same, if it has an IP ID (Linux uses no ID
    /// twice for a connection), and where a packet goes on to cannot be told.
    nameless: bool,
    /// By what identifies a packet: its number among all that were seen. Looked up only, never iterated.
    known: FxHashMap<u64, u64>,
    /// In the order of their first sighting.
    crossing: VecDeque<Crossing>,
    /// The number of the first of them.
    oldest: u64,
    /// How long a packet took at most to be seen last.
    slowest: i64,
    ways: Ways,
    strays: Strays,
    pub(crate) set_aside: u64,
}

/// A packet that may still be seen elsewhere.
#[derive(Debug)]
struct Crossing {
    identity: u64,
    octets: Octets,
    way: Option<WayId>,
    first: Place,
    last: Place,
    payload_len: u32,
    ip_len: u32,
    /// A SYN or RST: it may be refused where others are not.
    apart: bool,
}

impl Sightings {
    /// For `point`, with what is known before its first packet.
    pub(crate) fn at(point: &CapturePoint) -> Self {
        let captured = point.interfaces.iter().filter(|interface| interface.captured).count();
        let all = matches!(point.kind, CaptureKind::Live { all_interfaces: true });
        let nameless = point.link_type == "LINUX_SLL";
        let cooked = point.link_type.starts_with("LINUX_SLL");
        Self {
            active: all || captured > 1 || cooked || point.interfaces.len() > 1,
            nameless,
            ..Self::default()
        }
    }

    /// Whether the point may show a packet more than once.
    pub(crate) const fn are_possible(&self) -> bool {
        self.active
    }

    /// Whether `segment` was already seen on another interface, or crossing the other way, a moment ago.
    pub(crate) fn is_repeat(&mut self, segment: &Segment) -> bool {
        self.active |= segment.interface != 0;
        if !self.active {
            return false;
        }
        self.let_go(segment.at.as_ns());
        let identity = identity(segment);
        let place = Place { interface: segment.interface, heard: segment.heard };
        if let Some(&number) = self.known.get(&identity)
            && let Some(known) =
                usize::try_from(number - self.oldest).ok().and_then(|at| self.crossing.get_mut(at))
            && (known.first != place || (self.nameless && segment.ip.id.is_some_and(|id| id != 0)))
        {
            known.last = place;
            self.slowest = self.slowest.max(segment.at.as_ns().saturating_sub(known.octets.at));
            self.set_aside += 1;
            return true;
        }
        let number = self.oldest + u64::try_from(self.crossing.len()).unwrap_or(0);
        self.known.insert(identity, number);
        self.enter(segment, identity, place);
        false
    }

    /// `segment`, which is no repeat in the sense of [`Self::is_repeat`], brings octets to this host that came before.
    pub(crate) fn note_retransmission(&mut self, segment: &Segment) {
        if self.active && !self.nameless {
            let since = self.crossing.front().map_or(i64::MIN, |oldest| oldest.octets.at);
            self.strays.note_repeat(octets(segment), since, &mut self.ways);
        }
    }

    /// The packet of that number was lost behind this point. Gives where it was seen last, unless that is where most
    /// of its kind are, or it cannot be told.
    pub(crate) fn lose(&mut self, packet: u64) -> Option<Spot> {
        self.strays.lose(packet, &mut self.ways)
    }

    /// Where that packet was seen last, and where others of its kind go, if enough do and it did not.
    pub(crate) fn stopped(&self, packet: u64) -> Option<(Place, Usual)> {
        let spot = self.strays.find(packet)?.spot();
        self.usual(spot).map(|usual| (spot.last, usual))
    }

    /// Packets of `tuple` that did not come where most of their kind do, and whose octets came again.
    pub(crate) fn repeated(&self, tuple: &FourTuple) -> impl Iterator<Item = &Stray> {
        self.strays.repeated(hash(tuple))
    }

    /// Where packets of the kind go that were seen last at `spot`, if enough go there, and `spot` is elsewhere.
    pub(crate) fn usual(&self, spot: Spot) -> Option<Usual> {
        self.ways.usual(spot.way).filter(|usual| usual.end != spot.last)
    }

    fn enter(&mut self, segment: &Segment, identity: u64, first: Place) {
        let way = if self.nameless { None } else { self.ways.id(first, segment.tuple.dst.addr) };
        self.crossing.push_back(Crossing {
            identity,
            octets: octets(segment),
            way,
            first,
            last: first,
            payload_len: segment.payload_len,
            ip_len: segment.ip.len,
            apart: segment.flags.has(TcpFlags::SYN) || segment.flags.has(TcpFlags::RST),
        });
    }

    /// Lets go of packets that have had the time to cross the host at `now`.
    pub(crate) fn let_go(&mut self, now: i64) {
        self.let_go_after(CROSSING_NS, now);
    }

    /// The capture ended at `now`: lets go of packets that would have crossed the host by then if they are no slower
    /// than the others.
    pub(crate) fn end(&mut self, now: i64) {
        let slowest = self.slowest.saturating_mul(TIMES_SLOWEST).saturating_add(LEAST_WAIT_NS);
        self.let_go_after(slowest.min(CROSSING_NS), now);
    }

    fn let_go_after(&mut self, span: i64, now: i64) {
        while let Some(oldest) = self.crossing.front() {
            let crossed = now.saturating_sub(oldest.octets.at) > span;
            if !crossed && self.crossing.len() < MAX_REMEMBERED {
                break;
            }
            let Some(packet) = self.crossing.pop_front() else { break };
            if self.known.get(&packet.identity) == Some(&self.oldest) {
                self.known.remove(&packet.identity);
            }
            self.oldest += 1;
            if let Some(way) = packet.way.filter(|_| crossed) {
                self.learn(&packet, way);
            }
        }
    }

    fn learn(&mut self, packet: &Crossing, way: WayId) {
        if !packet.apart {
            self.ways.note_end(way, packet.last);
        }
        if self.ways.common_end(way) != Some(packet.last) {
            let stray = Stray {
                payload_len: packet.payload_len,
                ip_len: packet.ip_len,
                counted: !packet.apart,
                ..Stray::new(packet.octets, way, packet.last)
            };
            self.strays.add(stray, &mut self.ways);
        }
    }
}

fn octets(segment: &Segment) -> Octets {
    Octets {
        flow: hash(&segment.tuple),
        seq: segment.seq,
        len: segment.seq_len(),
        packet: segment.packet,
        at: segment.at.as_ns(),
    }
}

fn hash(tuple: &FourTuple) -> u64 {
    let mut hasher = FxHasher::default();
    tuple.hash(&mut hasher);
    hasher.finish()
}

fn identity(segment: &Segment) -> u64 {
    let mut hasher = FxHasher::default();
    segment.tuple.hash(&mut hasher);
    (segment.seq, segment.ack, segment.flags, segment.payload_len, segment.ip.id).hash(&mut hasher);
    (segment.window, segment.options.timestamps, segment.options.sack).hash(&mut hasher);
    hasher.finish()
}
