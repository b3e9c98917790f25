//! What a host's own interfaces show of packets that died between two of them (ALGORITHMS §4.1).

use super::Odds;
use crate::point::{Point, Window};
use crate::sightings::{Place, Usual};
use crate::stats::real;
use correlate_proto::report::Confidence;
use correlate_proto::{CaptureKind, Heard};

/// What counts packets that a host dropped between its interfaces.
const DROPPED_INSIDE: [&str; 12] = [
    "IpInDiscards",
    "IpOutDiscards",
    "IpOutNoRoutes",
    "IpExtInNoRoutes",
    "IpFragFails",
    "Ip6InDiscards",
    "Ip6OutDiscards",
    "Ip6OutNoRoutes",
    "Ip6InTooBigErrors",
    "conntrack:drop",
    "conntrack:insert_failed",
    "conntrack:early_drop",
];
/// What counts those that an interface of it dropped, behind the interface's name.
const DROPPED_BY_INTERFACE: [&str; 6] =
    ["rx_dropped", "rx_errors", "tx_dropped", "tx_errors", "qdisc_drops", "ingress_drops"];

/// What to do about a host that loses packets between two of its interfaces.
pub(super) const NEXT_STEP: &str = "on that host look at what stands between the two interfaces: its packet filter's own counters (`nft list ruleset`), queues (`tc -s qdisc`), `ip -s link`";

/// Packets that were seen last at one place of a host while others of their kind go on to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopped {
    pub(super) last: Place,
    pub(super) usual: Usual,
    pub(super) packets: u64,
}

impl Stopped {
    /// The odds against it being the capture alone that lacks where they went: it lacks others too, which show how many.
    pub(super) fn odds(&self) -> Odds {
        let Usual { went, missed, .. } = self.usual;
        Odds::of(real(self.packets) * ((real(went) + real(missed) + 2.0) / (real(missed) + 1.0)).ln())
    }

    /// Where they were seen and where not, behind "seen last".
    pub(super) fn words(&self, point: &Point) -> String {
        let Usual { end, went, .. } = self.usual;
        format!("{} and never {}, as {went} others were", place(point, self.last), place(point, end))
    }
}

/// A place of `point`'s host in words.
pub(super) fn place(point: &Point, place: Place) -> String {
    let interface = point.info.interfaces.get(usize::from(place.interface));
    let name = match interface.filter(|interface| !interface.name.is_empty()) {
        Some(interface) => interface.name.clone(),
        None => match interface.map(|interface| interface.index).filter(|&index| index > 0) {
            Some(index) => format!("interface {index}"),
            None => format!("interface #{}", place.interface),
        },
    };
    match place.heard {
        Heard::Unknown => format!("on {name}"),
        Heard::Out => format!("going out on {name}"),
        Heard::In => format!("coming in on {name}"),
    }
}

/// What else can explain it, if anything.
pub(super) fn alternative(point: &Point) -> Option<String> {
    let all = matches!(point.info.kind, CaptureKind::Live { all_interfaces: true });
    (!all).then(|| "these packets left by an interface of that host that was not captured".to_owned())
}

/// Whether nothing is known to be missing from `point`'s capture: it dropped nothing, and ran without a pause.
pub(super) fn shows_all(point: &Point) -> bool {
    !point.is_suspect() && point.gaps.is_empty()
}

/// Whether these odds are worth accusing a host.
pub(super) fn is_sure(grade: Confidence) -> bool {
    grade >= Confidence::Strong
}

/// What the host's counters say of `window`, as a part of a sentence.
pub(super) fn counters(point: &Point, window: Window) -> String {
    let tells = |name: &str| {
        let by_interface = |(_, kind): (&str, &str)| DROPPED_BY_INTERFACE.contains(&kind);
        DROPPED_INSIDE.contains(&name) || name.rsplit_once(':').is_some_and(by_interface)
    };
    let moved = point.all_moved(window).into_iter().filter(|&(name, by)| by > 0 && tells(name));
    let moved: Vec<String> = moved.map(|(name, by)| format!("{name} +{by}")).collect();
    if !moved.is_empty() {
        format!("of the host's counters {} moved at that time", moved.join(", "))
    } else if point.has_counters(window) {
        "none of the host's counters that would tell why moved; a packet filter keeps its own".to_owned()
    } else {
        super::wording::NO_COUNTERS.to_owned()
    }
}
