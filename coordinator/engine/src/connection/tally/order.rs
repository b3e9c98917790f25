//! Reordering within one direction of a connection (RFC 4737).
//!
//! A segment is reordered if it arrives behind one that was sent after it. Matches come in the order of arrival, or,
//! where the clocks are not aligned, in the order of sending, and must give the same counts either way. Arrivals that
//! follow each other as they were sent are one run, so that a direction in order is one run however long it is.

/// How many runs are remembered. Each segment out of order makes three; beyond the bound the oldest is forgotten, and
/// extents are only counted up to it.
const MAX_RUNS: usize = 64;

/// Arrivals in a row whose places in the order of sending and in that of arrival both count on by one.
#[derive(Debug, Clone, Copy)]
struct Run {
    sent: u64,
    arrived: u64,
    len: u64,
    /// How many of them, from the last one backwards, are known to be late.
    late: u64,
    /// Packet number of the first one where it arrived.
    packet: u64,
    /// Octets of all of them.
    octets: (i64, i64),
}

/// What one match adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Late {
    /// Segments that turn out to be late, this one or earlier ones.
    pub(crate) count: u64,
    /// Packet number of one of them, where it arrived.
    pub(crate) packet: u64,
}

/// One match as this is concerned with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// Place in the order of sending.
    pub(crate) sent: u64,
    /// Place in the order of arrival.
    pub(crate) arrived: u64,
    /// Packet number where it arrived.
    pub(crate) packet: u64,
    /// Its octets.
    pub(crate) octets: (i64, i64),
}

/// The order of one direction.
#[derive(Debug, Default)]
pub(crate) struct Order {
    runs: Vec<Run>,
    /// The newest of all: of those that were sent, the last; and where it arrived.
    newest: Option<(u64, u64)>,
    /// Largest extent (RFC 4737 §4.2.1): how many packets lie between a late one and the first that overtook it.
    pub(crate) largest_extent: u64,
}

impl Order {
    /// Takes in a match. With `singly` every match is remembered by itself, so that each late one can be named.
    pub(crate) fn note(&mut self, arrival: Arrival, singly: bool) -> Late {
        let (in_turn, newest) = match self.newest {
            None => (true, (arrival.sent, arrival.arrived)),
            Some((sent, arrived)) => (
                arrival.sent >= sent && arrival.arrived >= arrived,
                if arrival.sent >= sent { (arrival.sent, arrival.arrived) } else { (sent, arrived) },
            ),
        };
        let late = if in_turn { Late::default() } else { self.compare(&arrival) };
        self.newest = Some(newest);
        let own = late.count > 0 && late.packet == arrival.packet;
        match self.runs.last_mut() {
            Some(run) if !singly && !own && run.late == 0 && run.continues(&arrival) => {
                run.len += 1;
                run.octets.1 = run.octets.1.max(arrival.octets.1);
            }
            _ => self.begin(&arrival, own),
        }
        late
    }

    /// Whether one of `[start, end)` came late, as far as is remembered.
    pub(crate) fn was_late(&self, start: i64, end: i64) -> bool {
        self.runs.iter().any(|run| run.late > 0 && run.octets.0 < end && start < run.octets.1)
    }

    /// Largest place in the order of sending that arrived.
    pub(crate) fn newest_sent(&self) -> Option<u64> {
        self.newest.map(|(sent, _)| sent)
    }

    fn compare(&mut self, arrival: &Arrival) -> Late {
        if let Some(by) = self.first_to_overtake(arrival) {
            self.largest_extent = self.largest_extent.max(arrival.arrived - by);
            return Late { count: 1, packet: arrival.packet };
        }
        let mut late = Late::default();
        for run in &mut self.runs {
            let (found, extent) = run.overtaken_by(arrival);
            if found > run.late {
                late = Late { count: late.count + found - run.late, packet: run.packet };
                run.late = found;
            }
            self.largest_extent = self.largest_extent.max(extent);
        }
        late
    }

    /// Where the first of those arrived that were sent after `arrival` and came before it.
    fn first_to_overtake(&self, arrival: &Arrival) -> Option<u64> {
        let known = self.runs.iter().filter_map(|run| run.first_sent_after(arrival.sent)).min();
        let newest = self.newest.filter(|&(sent, _)| sent > arrival.sent).map(|(_, arrived)| arrived);
        known.into_iter().chain(newest).min().filter(|&arrived| arrived < arrival.arrived)
    }

    fn begin(&mut self, arrival: &Arrival, late: bool) {
        if self.runs.len() >= MAX_RUNS {
            self.runs.remove(0);
        }
        self.runs.push(Run {
            sent: arrival.sent,
            arrived: arrival.arrived,
            len: 1,
            late: u64::from(late),
            packet: arrival.packet,
            octets: arrival.octets,
        });
    }
}

impl Run {
    const fn continues(&self, arrival: &Arrival) -> bool {
        arrival.sent == self.sent + self.len && arrival.arrived == self.arrived + self.len
    }

    /// Where the first of the run arrived that was sent after `sent`.
    const fn first_sent_after(&self, sent: u64) -> Option<u64> {
        let skipped = (sent + 1).saturating_sub(self.sent);
        if skipped < self.len { Some(self.arrived + skipped) } else { None }
    }

    /// How many at the end of the run were sent before `arrival` and came after it, and the largest extent of them.
    const fn overtaken_by(&self, arrival: &Arrival) -> (u64, u64) {
        let last = self.arrived + self.len - 1;
        if self.sent + self.len > arrival.sent || last <= arrival.arrived {
            return (0, 0);
        }
        let first = if self.arrived > arrival.arrived { self.arrived } else { arrival.arrived + 1 };
        (last - first + 1, last - arrival.arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arrival(sent: u64, arrived: u64) -> Arrival {
        Arrival { sent, arrived, packet: arrived, octets: (0, 1) }
    }

    fn late(matches: &[(u64, u64)], singly: bool) -> (u64, u64) {
        let mut order = Order::default();
        let count = matches.iter().map(|&(sent, arrived)| order.note(arrival(sent, arrived), singly).count);
        (count.sum(), order.largest_extent)
    }

    #[test]
    fn a_direction_in_order_is_one_run_whatever_is_lost() {
        let mut order = Order::default();
        for n in 0..100_000u64 {
            assert_eq!(order.note(arrival(n + n / 1000, n), false).count, 0);
        }
        assert!(order.runs.len() <= MAX_RUNS);
    }

    #[test]
    fn the_extent_is_that_of_rfc_4737() {
        // RFC 4737 §7.1: sent 1 to 10, 4 arrives behind 5, 6, 7 and 8.
        let arrived = [1, 2, 3, 5, 6, 7, 8, 4, 9, 10];
        let matches: Vec<(u64, u64)> = arrived.into_iter().zip(1..).collect();
        assert_eq!(late(&matches, false), (1, 4));
    }

    #[test]
    fn beyond_what_is_remembered_a_late_one_is_still_late() {
        let mut order = Order::default();
        for n in 1..1000 {
            order.note(arrival(2 * n, n), false);
        }
        assert_eq!(order.note(arrival(1, 1000), false).count, 1);
    }

    proptest! {
        #[test]
        fn counts_do_not_depend_on_the_order_in_which_matches_come(
            delays in prop::collection::vec(0u64..12, 1..60), singly: bool,
        ) {
            let mut by_arrival: Vec<(u64, u64)> = Vec::new();
            for (sent, delay) in (0..).zip(&delays) {
                by_arrival.push((sent, sent * 4 + delay * 3));
            }
            by_arrival.sort_by_key(|&(sent, at)| (at, sent));
            let by_arrival: Vec<(u64, u64)> =
                by_arrival.into_iter().map(|(sent, _)| sent).zip(0..).collect();
            let mut by_sending = by_arrival.clone();
            by_sending.sort_unstable();
            let overtaken = |&(sent, arrived): &(u64, u64)| {
                by_arrival.iter().filter(|&&(s, a)| s > sent && a < arrived).map(|&(_, a)| arrived - a).max()
            };
            let extents: Vec<u64> = by_arrival.iter().filter_map(overtaken).collect();
            let due = (u64::try_from(extents.len()).unwrap(), extents.iter().copied().max().unwrap_or(0));
            prop_assert_eq!(late(&by_arrival, singly), due);
            prop_assert_eq!(late(&by_sending, singly), due);
        }
    }
}
