//! Times during which a receiver's window was closed, as one capture point sees them.

use super::window::Arrival;
use crate::connection::PacketRef;

/// How many stalls of a direction are kept as they were, the longest ones. The others are counted and added up.
const MAX_KEPT: usize = 8;

/// A host probes a closed window for the first time after its retransmission timeout (RFC 9293 §3.8.6.1), which is a
/// fifth of a second and a round trip for most. Keep-alives come after a second of silence at the earliest.
const EARLY_PROBE_NS: i64 = 900_000_000;

/// A window that was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stall {
    /// The packet that closed it.
    pub(crate) closed: PacketRef,
    /// The packet that opened it again.
    pub(crate) opened: Option<PacketRef>,
    /// When the first new data came that the closed window had no room for.
    pub(crate) resumed: Option<i64>,
    /// Probes of the sender while it was closed.
    pub(crate) probes: u32,
    /// Probes after it had been opened: the sender did not know.
    pub(crate) late_probes: u32,
    /// When the first and the last probe came.
    probed: Option<(i64, i64)>,
    /// The packet that opened it is known to have been lost on the path.
    pub(crate) update_lost: bool,
    /// Behind the last octet that the closed window allows.
    edge: i64,
}

impl Stall {
    /// A window that `closed` has closed, with `edge` behind the last octet that is still allowed.
    pub(crate) const fn new(closed: PacketRef, edge: i64) -> Self {
        Self {
            closed,
            opened: None,
            resumed: None,
            probes: 0,
            late_probes: 0,
            probed: None,
            update_lost: false,
            edge,
        }
    }

    /// How long the receiver kept the window closed; until new data came where the capture lacks the packet that
    /// opened it, and until `end` where it was never opened.
    pub(crate) fn closed_ns(&self, end: i64) -> i64 {
        let until = self.opened.map(|packet| packet.at).or(self.resumed).unwrap_or(end);
        until.saturating_sub(self.closed.at)
    }

    /// How long no new data came after the window had been opened; 0 if it was not.
    pub(crate) fn silent_ns(&self, end: i64) -> i64 {
        self.opened.map_or(0, |opened| self.resumed.unwrap_or(end).saturating_sub(opened.at))
    }

    /// Whether the sender had more to send while the window was closed: it went on within `soon` of the opening, or
    /// of the last probe. Where it never went on, its probes are told from keep-alives by coming early and again.
    pub(crate) fn was_felt(&self, soon: i64) -> bool {
        match (self.resumed, self.probed) {
            (Some(_), _) if self.opened.is_none() || self.silent_ns(i64::MAX) <= soon => true,
            (Some(_), _) => self.was_told_by_probe(soon),
            (None, Some((first, last))) => first < last && first - self.closed.at < EARLY_PROBE_NS,
            (None, None) => false,
        }
    }

    /// Whether the sender learned of the opened window by a probe: it went on within `soon` of the last one.
    pub(crate) fn was_told_by_probe(&self, soon: i64) -> bool {
        let since = self.resumed.zip(self.probed).map(|(resumed, (_, last))| resumed.saturating_sub(last));
        self.late_probes > 0 && since.is_some_and(|since| since <= soon)
    }

    fn lasted(&self) -> i64 {
        self.resumed.unwrap_or(self.closed.at).saturating_sub(self.closed.at)
    }
}

/// The stalls of one direction.
#[derive(Debug, Default)]
pub(crate) struct Stalls {
    current: Option<Stall>,
    kept: Vec<Stall>,
    /// Stalls beyond those that are kept, all of them shorter, and how long they lasted.
    pub(crate) others: u64,
    pub(crate) others_ns: i64,
}

impl Stalls {
    /// The window was closed.
    pub(super) fn close(&mut self, stall: Stall) {
        match &mut self.current {
            Some(current) if current.opened.is_none() => current.edge = current.edge.max(stall.edge),
            _ => {
                self.retire();
                self.current = Some(stall);
            }
        }
    }

    /// The window was told to be open.
    pub(super) fn open(&mut self, packet: PacketRef) {
        if let Some(current) = &mut self.current {
            current.opened.get_or_insert(packet);
        }
    }

    /// A packet of the direction came.
    pub(super) fn arrive(&mut self, arrival: Arrival) {
        let Some(current) = &mut self.current else { return };
        let is_new = arrival.highest.is_none_or(|highest| arrival.start >= highest);
        let end = arrival.start + i64::from(arrival.payload);
        // Some systems probe with one new octet instead of an old one.
        if arrival.is_probe() || (is_new && arrival.payload == 1 && end > current.edge) {
            let probes =
                if current.opened.is_some() { &mut current.late_probes } else { &mut current.probes };
            *probes = probes.saturating_add(1);
            current.probed = Some((current.probed.map_or(arrival.at, |(first, _)| first), arrival.at));
        } else if is_new && arrival.payload > 0 && (current.opened.is_some() || end > current.edge) {
            current.resumed = Some(arrival.at);
            self.retire();
        }
    }

    /// The update `packet` of this capture point was lost.
    pub(super) fn lose_update(&mut self, packet: u64) {
        let all = self.current.iter_mut().chain(&mut self.kept);
        for stall in all.filter(|stall| stall.opened.is_some_and(|opened| opened.packet == packet)) {
            stall.update_lost = true;
        }
    }

    /// The stalls that are kept, in no order of time.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Stall> {
        self.kept.iter().chain(&self.current)
    }

    fn retire(&mut self) {
        let Some(done) = self.current.take() else { return };
        self.kept.push(done);
        if self.kept.len() <= MAX_KEPT {
            return;
        }
        let shortest = self.kept.iter().enumerate().min_by_key(|(_, stall)| stall.lasted());
        if let Some((place, _)) = shortest {
            let dropped = self.kept.remove(place);
            self.others += 1;
            self.others_ns = self.others_ns.saturating_add(dropped.lasted());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(at: i64) -> PacketRef {
        PacketRef { at, packet: at.unsigned_abs(), point: 0 }
    }

    fn data(start: i64, payload: u32, highest: i64, at: i64) -> Arrival {
        Arrival { start, payload, highest: Some(highest), acked: Some(highest), at }
    }

    fn closed(at: i64, edge: i64) -> Stalls {
        let mut stalls = Stalls::default();
        stalls.close(Stall::new(packet(at), edge));
        stalls
    }

    #[test]
    fn a_stall_lasts_from_the_first_closing_ack_to_the_update() {
        let mut stalls = closed(10, 100);
        stalls.close(Stall::new(packet(20), 100));
        stalls.arrive(data(99, 0, 100, 30));
        stalls.open(packet(50));
        stalls.open(packet(55));
        stalls.arrive(data(100, 1000, 100, 70));
        let stall = *stalls.all().next().unwrap();
        assert_eq!((stall.closed.at, stall.opened, stall.resumed), (10, Some(packet(50)), Some(70)));
        assert_eq!((stall.probes, stall.late_probes), (1, 0));
        assert_eq!((stall.closed_ns(999), stall.silent_ns(999)), (40, 20));
        assert!(stall.was_felt(20) && !stall.was_felt(19));
    }

    #[test]
    fn probes_after_the_update_say_that_it_is_not_known() {
        let mut stalls = closed(10, 100);
        stalls.open(packet(20));
        stalls.arrive(data(99, 0, 100, 220));
        stalls.arrive(data(100, 1, 100, 230));
        stalls.arrive(data(101, 1000, 101, 240));
        stalls.lose_update(20);
        let stall = stalls.all().next().unwrap();
        assert_eq!((stall.late_probes, stall.silent_ns(0), stall.update_lost), (2, 220, true));
        assert!(stall.was_told_by_probe(10) && !stall.was_told_by_probe(9));
    }

    #[test]
    fn data_that_was_under_way_resumes_nothing_and_data_beyond_the_edge_does() {
        let mut stalls = closed(10, 5000);
        stalls.arrive(data(1000, 1000, 1000, 15));
        assert_eq!(stalls.all().next().unwrap().resumed, None);
        stalls.arrive(data(4500, 1000, 4500, 90));
        let stall = stalls.all().next().unwrap();
        assert_eq!((stall.opened, stall.closed_ns(999)), (None, 80), "the capture lacks the update");
    }

    #[test]
    fn a_window_that_closes_when_all_was_sent_is_not_felt() {
        let mut stalls = closed(10, 100);
        stalls.open(packet(5000));
        stalls.arrive(data(100, 1000, 100, 9000));
        assert!(!stalls.all().next().unwrap().was_felt(100));
        let mut stalls = closed(10, 100);
        for second in 1..5 {
            stalls.arrive(data(99, 0, 100, 10 + second * 1_000_000_000));
        }
        assert!(!stalls.all().next().unwrap().was_felt(100), "keep-alives");
        let mut stalls = closed(10, 100);
        stalls.arrive(data(99, 0, 100, 210_000_000));
        assert!(!stalls.all().next().unwrap().was_felt(100), "one alone may be anything");
        stalls.arrive(data(99, 0, 100, 610_000_000));
        assert!(stalls.all().next().unwrap().was_felt(100));
        assert_eq!(closed(10, 100).all().next().unwrap().closed_ns(700), 690);
    }

    #[test]
    fn at_the_bound_the_longest_stalls_are_kept_and_the_others_added_up() {
        let mut stalls = Stalls::default();
        for n in 1..=20 {
            stalls.close(Stall::new(packet(n * 1000), 0));
            stalls.open(packet(n * 1000 + n));
            stalls.arrive(data(n, 9, n, n * 1000 + n));
        }
        let mut kept: Vec<i64> = stalls.all().map(|stall| stall.closed_ns(0)).collect();
        kept.sort_unstable();
        assert_eq!(kept, (13..=20).collect::<Vec<_>>());
        assert_eq!((stalls.others, stalls.others_ns), (12, (1..=12).sum()));
    }
}
