//! What the engine knows of each capture point.

use crate::readings::Readings;
use crate::sightings::Sightings;
use crate::steady::{SteadyClock, WallStep};
use crate::twins::Twins;
use correlate_proto::convert::Sidecar;
use correlate_proto::{CaptureKind, CapturePoint, Coverage, PointStats, Role, Timestamp};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// An agent reads its capture's counters once a second, a busy one later. Of so long before a capture broke off nobody
/// knows what the kernel dropped of it.
pub(crate) const UNCOUNTED_NS: i64 = 1_500_000_000;

/// A capture point with its state.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) info: CapturePoint,
    /// Place on the path: 0 is the client's end.
    pub(crate) position: usize,
    /// Name in the report.
    pub(crate) label: String,
    pub(crate) stats: PointStats,
    /// When the capture is proven to have begun, by its own clock.
    pub(crate) covers_from: Option<i64>,
    /// When the capture did not run though it had begun and was not over.
    pub(crate) gaps: Vec<Window>,
    /// Until when the capture is known to have run, once it is over.
    pub(crate) ran_until: Option<i64>,
    /// It was over before anyone had ended it: of its end there are no counters.
    pub(crate) broke_off: bool,
    /// Everything up to here has been delivered.
    pub(crate) watermark: Option<i64>,
    /// All there is has been delivered, of every point.
    pub(crate) ended: bool,
    /// Added to this point's stamps it puts them on a common time, to within a second or so.
    pub(crate) rough_offset: i64,
    /// Its clock less that of the first client, as last estimated.
    pub(crate) reference_offset: i64,
    /// Records taken in.
    pub(crate) records: u64,
    /// Earliest and latest stamp of a record.
    pub(crate) span: Option<(i64, i64)>,
    /// Wire segments with octets of payload: what acknowledgements vouch for.
    pub(crate) verifiable: u64,
    /// Packets proven to have passed though the capture lacks them, while the other end has them.
    pub(crate) missed: u64,
    /// Of those, packets that were found one by one: the other end's capture has them.
    pub(crate) identified: u64,
    /// Octet ranges that neither end's capture has though they were acknowledged.
    pub(crate) missed_by_all: u64,
    /// What the host's counters show, as far as the session has come.
    readings: Readings,
    /// What puts the stamps of a live capture on a clock that nobody sets or slews; all times of the point are steady
    /// then. Absent for files, whose stamps are taken as they are.
    pub(crate) steady: Option<SteadyClock>,
    /// Packets that were dropped on their way into the capture, as far as the session has come.
    dropped: u64,
    /// Where one packet may be seen more than once.
    pub(crate) sightings: Sightings,
    /// The newest packets that arrived here.
    pub(crate) twins: Twins,
}

/// Which stretch of time a question is about, by the asked point's own clock, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Point {
    /// The state of a point that has delivered nothing yet.
    pub(crate) fn new(info: CapturePoint, position: usize, label: String) -> Self {
        let sightings = Sightings::at(&info);
        Self {
            info,
            position,
            label,
            stats: PointStats::default(),
            covers_from: None,
            gaps: Vec::new(),
            ran_until: None,
            broke_off: false,
            watermark: None,
            ended: false,
            rough_offset: 0,
            reference_offset: 0,
            records: 0,
            span: None,
            verifiable: 0,
            missed: 0,
            identified: 0,
            missed_by_all: 0,
            readings: Readings::default(),
            steady: None,
            dropped: 0,
            sightings,
            twins: Twins::default(),
        }
    }

    /// Whether the capture is proven to have run during all of `window`, and to have told what it dropped. `vouched`
    /// captures always ran.
    pub(crate) fn covers(&self, window: Window) -> bool {
        if self.info.vouched {
            return true;
        }
        if self.gaps.iter().any(|gap| gap.from - UNCOUNTED_NS <= window.to && window.from <= gap.to) {
            return false;
        }
        let within = |from: i64, to: i64| from <= window.from && window.to <= to;
        if self.ended && !self.stats.coverage.is_empty() {
            let mut proven = self.stats.coverage.iter();
            return proven.any(|interval| within(interval.from.as_ns(), interval.to.as_ns()));
        }
        let from = self.covers_from.or_else(|| self.span.map(|(first, _)| first));
        matches!((from, self.covered_to()), (Some(from), Some(to)) if within(from, to))
    }

    /// Until when the capture is known to have run, as far as the session has come. A live capture says so with its
    /// watermarks, a file only with its records, and with all else that was in it once everything has been read:
    /// what the counters say may come at any time, and must not change what is judged before.
    pub(crate) fn covered_to(&self) -> Option<i64> {
        match self.info.kind {
            CaptureKind::Live { .. } if !self.ended || self.steady.is_some() => {
                let uncounted = if self.broke_off { UNCOUNTED_NS } else { 0 };
                let ran_until = self.ran_until.map_or(i64::MAX, |until| until.saturating_sub(uncounted));
                self.watermark.map(|watermark| watermark.min(ran_until))
            }
            CaptureKind::Live { .. } | CaptureKind::File => self.span.map(|(_, last)| last),
        }
    }

    /// Packets that have had the time to cross the host are not waited for elsewhere any more, however silent it is since.
    pub(crate) fn end_crossings(&mut self) {
        let proven = self.stats.coverage.iter().map(|interval| interval.to.as_ns()).max();
        let last = self.span.map(|(_, last)| last);
        let ran_until = self.ran_until.unwrap_or(i64::MAX);
        match (self.ended, self.watermark.map(|watermark| watermark.min(ran_until))) {
            (true, watermark) => {
                if let Some(now) = proven.max(watermark).max(last) {
                    self.sightings.end(now);
                }
            }
            (false, Some(watermark)) => self.sightings.let_go(watermark),
            (false, None) => {}
        }
    }

    /// Whether the capture may lack packets: the kernel or the agent counted drops, or acknowledgements prove
    /// octets that are not in it.
    pub(crate) fn is_suspect(&self) -> bool {
        self.counted_drops() > 0 || self.missed > 0
    }

    /// Packets that were counted as dropped, as far as the session has come.
    pub(crate) fn counted_drops(&self) -> u64 {
        self.stats.dropped_by_kernel.saturating_add(self.stats.dropped_by_agent).max(self.dropped)
    }

    /// Whether `address` is one of the host's own, as far as its interfaces are known.
    pub(crate) fn owns(&self, address: IpAddr) -> Option<bool> {
        let mut known = self.info.interfaces.iter().flat_map(|interface| &interface.addresses).peekable();
        known.peek()?;
        Some(known.any(|&own| own == address))
    }

    /// Whether packets to `address` would cross a captured interface, as far as that is known.
    pub(crate) fn captures_traffic_of(&self, address: IpAddr) -> Option<bool> {
        let interfaces = &self.info.interfaces;
        if matches!(self.info.kind, CaptureKind::Live { all_interfaces: true }) {
            return Some(true);
        }
        if interfaces.iter().all(|interface| interface.addresses.is_empty()) {
            return None;
        }
        Some(interfaces.iter().any(|interface| interface.captured && interface.addresses.contains(&address)))
    }

    /// Whether the capture would have shown a packet between `peer` and `own` had there been one: a live capture
    /// on the right interface whose counters show frames, a covering file with frames of both hosts, or the
    /// user's word.
    pub(crate) fn would_have_seen(&self, peer: IpAddr, own: IpAddr) -> bool {
        if self.info.vouched {
            return true;
        }
        match self.info.kind {
            CaptureKind::Live { .. } => {
                let alive = self.records > 0 || self.stats.interface_frames.is_some_and(|frames| frames > 0);
                alive && self.captures_traffic_of(own).unwrap_or(self.records > 0)
            }
            CaptureKind::File => {
                let seen = &self.stats.addresses_seen;
                seen.binary_search(&peer).is_ok() && seen.binary_search(&own).is_ok()
            }
        }
    }

    /// Takes in what was told beside records, its times by the clock by which the point's are.
    pub(crate) fn take_sidecar(&mut self, sidecar: &Sidecar) {
        for counters in &sidecar.host_counters {
            self.readings.add(counters);
        }
        let lost = sidecar.losses.iter().map(|loss| loss.count);
        self.dropped = lost.fold(self.dropped, u64::saturating_add);
    }

    /// The capture did not run during `gap`, nor were the host's counters read.
    pub(crate) fn interrupt(&mut self, gap: Window) {
        self.gaps.push(gap);
        self.readings.interrupt((gap.from, gap.to));
    }

    /// Takes in the capture's counters as they now stand.
    pub(crate) fn take_stats(&mut self, mut stats: PointStats) {
        if let Some(clock) = &self.steady {
            let steady = |at: Timestamp<_>| Timestamp::from_ns(clock.of_wall(at.as_ns()));
            for window in &mut stats.drop_windows {
                let (from, to) = (steady(window.from), steady(window.to));
                *window = Coverage { from: from.min(to), to: from.max(to) };
            }
            // By the wall clock, which may have been set meanwhile; what the watermarks prove is better.
            stats.coverage = Vec::new();
        }
        self.stats = stats;
    }

    /// What the host's own clock showed at `at`: the stamp of a packet of that time.
    pub(crate) fn own_time(&self, at: i64) -> i64 {
        self.steady.as_ref().map_or(at, |clock| clock.wall(at))
    }

    /// When the host's clock was set, as its agent noted.
    pub(crate) fn steps(&self) -> &[WallStep] {
        self.steady.as_ref().map_or(&[], SteadyClock::steps)
    }

    /// Whether the time of that packet is not certain, as the host's clock was set just then.
    pub(crate) fn is_doubtful(&self, packet: u64) -> bool {
        self.steady.as_ref().is_some_and(|clock| clock.is_doubtful(packet))
    }

    /// How much a counter of the host moved during `window`: `TcpExtListenOverflows`, `eth0:rx_dropped`. Counters are
    /// read once a second, so what moved up to a second before or after is in it. `None` if that is not known: no
    /// counters of that time, or none of that name on this host. `Some(0)`: it was read and stood still.
    pub(crate) fn moved(&self, window: Window, name: &str) -> Option<u64> {
        self.readings.moved((window.from, window.to), name)
    }

    /// Every counter of the host that moved during `window`, by name, as [`Point::moved`] counts.
    pub(crate) fn all_moved(&self, window: Window) -> BTreeMap<&str, u64> {
        self.readings.all_moved((window.from, window.to))
    }

    /// Whether the host's counters were read over all of `window`, so that one that did not move is known to have
    /// stood still. A check that rests on it at the end of a session may miss the last second.
    pub(crate) fn has_counters(&self, window: Window) -> bool {
        self.readings.cover((window.from, window.to))
    }
}

/// Positions on the path by role: every client is at the first, every server at the last, and each point between
/// has a place of its own. Points at one position are alternatives.
pub(crate) fn positions(points: &[CapturePoint]) -> (Vec<usize>, usize) {
    let vias = points.iter().filter(|point| point.role == Role::Via).count();
    let mut next_via = 0;
    let places = points
        .iter()
        .map(|point| match point.role {
            Role::Client => 0,
            Role::Via => {
                next_via += 1;
                next_via
            }
            Role::Server => vias + 1,
        })
        .collect();
    (places, vias + 2)
}

/// Names of the points in the report: the role, numbered from the second of a role on.
pub(crate) fn labels(points: &[CapturePoint]) -> Vec<String> {
    let mut count = [0usize; 3];
    points
        .iter()
        .map(|point| {
            let (slot, name) = match point.role {
                Role::Client => (0, "client"),
                Role::Via => (1, "via"),
                Role::Server => (2, "server"),
            };
            count[slot] += 1;
            if count[slot] == 1 { name.to_owned() } else { format!("{name}-{}", count[slot]) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_not_covered_and_what_was_read_around_it_says_nothing_of_it() {
        let info = CapturePoint {
            id: correlate_proto::CapturePointId(0),
            role: Role::Server,
            host: "db".to_owned(),
            kind: CaptureKind::Live { all_interfaces: true },
            interfaces: Vec::new(),
            link_type: "EN10MB".to_owned(),
            vouched: false,
        };
        let mut point = Point::new(info, 1, "server".to_owned());
        let tenths = |at: i64| at * 100_000_000;
        (point.covers_from, point.watermark) = (Some(0), Some(tenths(100)));
        let read =
            |at| correlate_proto::HostCounters { at_ns: tenths(at), deltas: [("x".to_owned(), 0)].into() };
        for at in [0, 40, 60, 100] {
            point.take_sidecar(&Sidecar { host_counters: vec![read(at)], ..Sidecar::default() });
        }
        let window = |from, to| Window { from: tenths(from), to: tenths(to) };
        assert!(point.covers(window(30, 70)) && point.has_counters(window(30, 70)));
        point.interrupt(window(40, 60));
        // What the kernel dropped just before the gap was never read; the host's counters were.
        for (from, to, counted, covered) in [
            (0, 24, true, true),
            (0, 26, true, false),
            (61, 100, true, true),
            (0, 40, false, false),
            (50, 55, false, false),
            (60, 80, false, false),
        ] {
            assert_eq!(point.covers(window(from, to)), covered, "{from} to {to}");
            assert_eq!(point.has_counters(window(from, to)), counted, "{from} to {to}");
        }
        assert_eq!(point.moved(window(45, 50), "x"), None);
        // Event time goes on without a capture that is over.
        (point.ran_until, point.watermark) = (Some(tenths(90)), Some(tenths(500)));
        assert!(point.covers(window(70, 90)) && !point.covers(window(80, 91)));
        point.broke_off = true;
        assert!(point.covers(window(65, 75)) && !point.covers(window(65, 76)));
    }
}
