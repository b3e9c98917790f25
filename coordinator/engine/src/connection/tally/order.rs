//! Reordering within one direction of a connection (RFC 4737).
//!
//! A segment is reordered if it arrives behind one that was sent after it. Matches come in the order of arrival, or,
//! where the clocks are not aligned, in the order of sending, and must give the same counts either way. Arrivals that
//! follow each other as they were sent are one run, so that a direction in order is one run however long it is.

/// How many runs are remembered. Each segment out of order makes three; beyond the bound the oldest is forgotten, and
/// extents are only counted up to it.
const MAX_RUNS: usize = 64;

/// After arrivals that are missing, or still to be told of, so many are remembered one by one: if they turn out to be
/// late, each can be named.
const SINGLY: u64 = 32;

/// Arrivals in a row whose places in the order of sending and in that of arrival both count on by one.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: Arrival,
    len: u64,
    /// How many of them, from the last one backwards, are known to be late.
    late: u64,
    /// Octets of all of them.
    octets: (i64, i64),
}

/// One match as this is concerned with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Place in the order of sending.
    pub(crate) sent: u64,
    /// Place in the order of arrival.
    pub(crate) arrived: u64,
    /// Packet number and time where it was sent.
    pub(crate) sent_as: (u64, i64),
    /// Packet number and time where it arrived.
    pub(crate) received_as: (u64, i64),
    /// Its octets.
    pub(crate) octets: (i64, i64),
    /// Octets of its IP packet.
    pub(crate) ip_len: u32,
    /// Wire segments that it stands for.
    pub(crate) wire: u32,
}

/// The order of one direction.
#[derive(Debug, Default)]
pub(crate) struct Order {
    runs: Vec<Run>,
    /// The newest of all: of those that were sent, the last; and where it arrived.
    newest: Option<(u64, u64)>,
    /// Behind the last gap in the order of arrival, if there was one.
    gap_at: Option<u64>,
    /// Largest extent (RFC 4737 §4.2.1): how many packets lie between a late one and the first that overtook it.
    pub(crate) largest_extent: u64,
}

impl Order {
    /// Takes in a match. Gives how many turn out to be late, it or earlier ones, and each that can be named to `late`.
    pub(crate) fn note(&mut self, arrival: Arrival, mut late: impl FnMut(&Arrival)) -> u64 {
        let (in_turn, newest) = match self.newest {
            None => (true, (arrival.sent, arrival.arrived)),
            Some((sent, arrived)) => (
                arrival.sent >= sent && arrival.arrived >= arrived,
                if arrival.sent >= sent { (arrival.sent, arrival.arrived) } else { (sent, arrived) },
            ),
        };
        let is_late = !in_turn && self.is_late(&arrival);
        let count = match (in_turn, is_late) {
            (true, _) => 0,
            (false, true) => {
                late(&arrival);
                1
            }
            (false, false) => self.find_overtaken(&arrival, late),
        };
        self.newest = Some(newest);
        // Arrivals are numbered from 1.
        let next = self.runs.last().map_or(arrival.arrived.min(1), |run| run.first.arrived + run.len);
        if next != arrival.arrived {
            self.gap_at = Some(arrival.arrived);
        }
        let singly = self.gap_at.is_some_and(|gap| arrival.arrived.abs_diff(gap) < SINGLY);
        match self.runs.last_mut() {
            Some(run) if !singly && !is_late && run.late == 0 && run.continues(&arrival) => {
                run.len += 1;
                run.octets.1 = run.octets.1.max(arrival.octets.1);
            }
            _ => self.begin(arrival, is_late),
        }
        count
    }

    /// Whether one of `[start, end)` came late, as far as is remembered.
    pub(crate) fn was_late(&self, start: i64, end: i64) -> bool {
        self.runs.iter().any(|run| run.late > 0 && run.octets.0 < end && start < run.octets.1)
    }

    /// Largest place in the order of sending that arrived.
    pub(crate) fn newest_sent(&self) -> Option<u64> {
        self.newest.map(|(sent, _)| sent)
    }

    fn is_late(&mut self, arrival: &Arrival) -> bool {
        let Some(by) = self.first_to_overtake(arrival) else { return false };
        self.largest_extent = self.largest_extent.max(arrival.arrived - by);
        true
    }

    fn find_overtaken(&mut self, arrival: &Arrival, mut late: impl FnMut(&Arrival)) -> u64 {
        let mut count = 0;
        for run in &mut self.runs {
            let (found, extent) = run.overtaken_by(arrival);
            if found > run.late {
                count += found - run.late;
                run.late = found;
                if run.len == 1 {
                    late(&run.first);
                }
            }
            self.largest_extent = self.largest_extent.max(extent);
        }
        count
    }

    /// Where the first of those arrived that were sent after `arrival` and came before it.
    fn first_to_overtake(&self, arrival: &Arrival) -> Option<u64> {
        let known = self.runs.iter().filter_map(|run| run.first_sent_after(arrival.sent)).min();
        let newest = self.newest.filter(|&(sent, _)| sent > arrival.sent).map(|(_, arrived)| arrived);
        known.into_iter().chain(newest).min().filter(|&arrived| arrived < arrival.arrived)
    }

    fn begin(&mut self, first: Arrival, late: bool) {
        if self.runs.len() >= MAX_RUNS {
            self.runs.remove(0);
        }
        self.runs.push(Run { first, len: 1, late: u64::from(late), octets: first.octets });
    }
}

impl Run {
    const fn continues(&self, arrival: &Arrival) -> bool {
        arrival.sent == self.first.sent + self.len && arrival.arrived == self.first.arrived + self.len
    }

    /// Where the first of the run arrived that was sent after `sent`.
    const fn first_sent_after(&self, sent: u64) -> Option<u64> {
        let skipped = (sent + 1).saturating_sub(self.first.sent);
        if skipped < self.len { Some(self.first.arrived + skipped) } else { None }
    }

    /// How many at the end of the run were sent before `arrival` and came after it, and the largest extent of them.
    const fn overtaken_by(&self, arrival: &Arrival) -> (u64, u64) {
        let (arrived, last) = (self.first.arrived, self.first.arrived + self.len - 1);
        if self.first.sent + self.len > arrival.sent || last <= arrival.arrived {
            return (0, 0);
        }
        let first = if arrived > arrival.arrived { arrived } else { arrival.arrived + 1 };
        (last - first + 1, last - arrival.arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arrival(sent: u64, arrived: u64) -> Arrival {
        let at = (arrived, 0);
        Arrival { sent, arrived, sent_as: at, received_as: at, octets: (0, 1), ip_len: 40, wire: 1 }
    }

    /// How many are late, those that are named, and the largest extent.
    fn late(matches: &[(u64, u64)]) -> (u64, Vec<u64>, u64) {
        let mut order = Order::default();
        let (mut count, mut named) = (0, Vec::new());
        for &(sent, arrived) in matches {
            count += order.note(arrival(sent, arrived), |late| named.push(late.arrived));
        }
        named.sort_unstable();
        (count, named, order.largest_extent)
    }

    #[test]
    fn a_direction_in_order_is_one_run_and_with_losses_few() {
        for every in [1_000_000, 1000] {
            let mut order = Order::default();
            for n in 0..100_000u64 {
                assert_eq!(order.note(arrival(n + n / every, n), |_| {}), 0);
            }
            assert!(order.runs.len() <= if every > 100_000 { 1 } else { MAX_RUNS });
        }
    }

    #[test]
    fn the_extent_is_that_of_rfc_4737() {
        // RFC 4737 §7.1: sent 1 to 10, 4 arrives behind 5, 6, 7 and 8.
        let arrived = [1, 2, 3, 5, 6, 7, 8, 4, 9, 10];
        let matches: Vec<(u64, u64)> = arrived.into_iter().zip(1..).collect();
        assert_eq!(late(&matches), (1, vec![8], 4));
    }

    #[test]
    fn beyond_what_is_remembered_a_late_one_is_still_late() {
        let mut order = Order::default();
        for n in 1..1000 {
            order.note(arrival(2 * n, n), |_| {});
        }
        assert_eq!(order.note(arrival(1, 1000), |_| {}), 1);
    }

    proptest! {
        #[test]
        fn nothing_depends_on_the_order_in_which_matches_come(delays in prop::collection::vec(0u64..12, 1..60)) {
            let mut by_arrival: Vec<(u64, u64)> = Vec::new();
            for (sent, delay) in (0..).zip(&delays) {
                by_arrival.push((sent, sent * 4 + delay * 3));
            }
            by_arrival.sort_by_key(|&(sent, at)| (at, sent));
            let by_arrival: Vec<(u64, u64)> =
                by_arrival.into_iter().map(|(sent, _)| sent).zip(1..).collect();
            let mut by_sending = by_arrival.clone();
            by_sending.sort_unstable();
            let overtaken = |&(sent, arrived): &(u64, u64)| {
                let before = by_arrival.iter().filter(|&&(s, a)| s > sent && a < arrived);
                before.map(|&(_, a)| arrived - a).max().map(|extent| (arrived, extent))
            };
            let due: Vec<(u64, u64)> = by_arrival.iter().filter_map(overtaken).collect();
            let places: Vec<u64> = due.iter().map(|&(arrived, _)| arrived).collect();
            let largest = due.iter().map(|&(_, extent)| extent).max().unwrap_or(0);
            let due = (u64::try_from(due.len()).unwrap(), places, largest);
            prop_assert_eq!(&late(&by_arrival), &due);
            prop_assert_eq!(&late(&by_sending), &due);
        }
    }
}
