//! One packet seen on several interfaces of one host: a container's veth, the bridge, the network card.
//!
//! Counted twice it would be sent twice and arrive once, which is loss that never was. So a packet counts where it
//! is seen first; the other sightings are set aside (ALGORITHMS §2.4).

use correlate_proto::{CaptureKind, CapturePoint, Heard, Segment};
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::{Hash, Hasher};

/// A packet crosses a host within this; a later one that looks the same is another transmission.
const CROSSING_NS: i64 = 50_000_000;

/// How many packets are remembered for [`CROSSING_NS`]; beyond it they are forgotten early, and a sighting among
/// them counts as a packet. 300,000 packets/s need 15,000.
const MAX_REMEMBERED: usize = 1 << 18;

/// Packets of the last moments at one capture point, by what identifies them. Looked up only, never iterated.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    /// The point may show a packet more than once.
    active: bool,
    /// Its frames do not name their interface: what looks the same is the same, if it has an IP ID (Linux uses no ID
    /// twice for a connection).
    nameless: bool,
    recent: FxHashMap<u64, (u16, Heard)>,
    older: FxHashMap<u64, (u16, Heard)>,
    turned_at: i64,
    pub(crate) set_aside: u64,
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

    /// Whether `segment` was already seen on another interface, or crossing the other way, a moment ago.
    pub(crate) fn is_repeat(&mut self, segment: &Segment) -> bool {
        self.active |= segment.interface != 0;
        if !self.active {
            return false;
        }
        let at = segment.at.as_ns();
        if at.saturating_sub(self.turned_at) > CROSSING_NS || self.recent.len() >= MAX_REMEMBERED {
            self.older = core::mem::take(&mut self.recent);
            self.turned_at = at;
        }
        let key = identity(segment);
        let place = (segment.interface, segment.heard);
        let known = self.recent.get(&key).or_else(|| self.older.get(&key)).copied();
        let one_packet = |seen| seen != place || (self.nameless && segment.ip.id.is_some_and(|id| id != 0));
        if known.is_some_and(one_packet) {
            self.set_aside += 1;
            return true;
        }
        self.recent.insert(key, place);
        false
    }
}

fn identity(segment: &Segment) -> u64 {
    let mut hasher = FxHasher::default();
    segment.tuple.hash(&mut hasher);
    (segment.seq, segment.ack, segment.flags, segment.payload_len, segment.ip.id).hash(&mut hasher);
    (segment.window, segment.options.timestamps, segment.options.sack).hash(&mut hasher);
    hasher.finish()
}
