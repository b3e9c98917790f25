//! A host's counters over time: which of them moved, when, and by how much.
//!
//! A reading tells what moved since the one before it, so it speaks of the time between the two, and of no instant in
//! it. A window is answered by all readings that touch it: what moved may have moved just outside.

use correlate_proto::HostCounters;
use std::collections::{BTreeMap, VecDeque};

/// Readings kept: more than an hour of one each second, in about 2 MB of what a busy host moves. Beyond it the older
/// half is joined two by two: nothing that moved is forgotten, it is only told less exactly when.
const MAX_READINGS: usize = 4096;

/// Counters that are told apart: an agent lists 512 in a reading, and interfaces come and go. Further ones are not
/// kept, and count as not read.
const MAX_NAMES: usize = 1024;

/// The counters of one capture point's host.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    names: BTreeMap<String, u16>,
    /// In order, each beginning where the one before ends.
    intervals: VecDeque<Reading>,
    /// When they were read last.
    read_at: Option<i64>,
    /// When nobody read.
    unread: Vec<Between>,
}

/// What moved between two instants.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reading {
    from: i64,
    to: i64,
    /// By name, sorted.
    moved: Vec<(u16, u64)>,
}

/// A stretch of time, both ends included, in nanoseconds of the point's own clock.
type Between = (i64, i64);

impl Readings {
    /// Takes in a reading. The first one only says which counters there are, and since when.
    pub(crate) fn add(&mut self, counters: &HostCounters) {
        let mut moved: Vec<(u16, u64)> = Vec::with_capacity(counters.deltas.len());
        for (name, &by) in &counters.deltas {
            if let Some(id) = self.id(name)
                && by > 0
            {
                moved.push((id, by));
            }
        }
        moved.sort_unstable();
        // A clock that went back must not make an interval that ends before it begins.
        let from = self.read_at.unwrap_or(counters.at_ns);
        let at = counters.at_ns.max(from);
        if self.read_at.is_some() || !moved.is_empty() {
            self.intervals.push_back(Reading { from, to: at, moved });
        }
        self.read_at = Some(at);
        if self.intervals.len() > MAX_READINGS {
            self.thin();
        }
    }

    /// Nobody read between these instants: what moved then is not known.
    pub(crate) fn interrupt(&mut self, unread: Between) {
        self.unread.push(unread);
    }

    /// How much the counter of that name moved in the readings that touch the time; `None` if that is not known:
    /// there is no such counter, or it was not read all the time and is not known to have moved in what was read.
    pub(crate) fn moved(&self, time: Between, name: &str) -> Option<u64> {
        let id = *self.names.get(name)?;
        let by = self.touching(time).filter_map(|reading| reading.of(id)).fold(0, u64::saturating_add);
        (by > 0 || self.cover(time)).then_some(by)
    }

    /// Every counter that moved in the readings that touch the time, by name.
    pub(crate) fn all_moved(&self, time: Between) -> BTreeMap<&str, u64> {
        let mut by_id: BTreeMap<u16, u64> = BTreeMap::new();
        for &(id, by) in self.touching(time).flat_map(|reading| &reading.moved) {
            let sum = by_id.entry(id).or_default();
            *sum = sum.saturating_add(by);
        }
        self.names.iter().filter_map(|(name, id)| by_id.get(id).map(|&by| (name.as_str(), by))).collect()
    }

    /// Whether counters were read over all of the time.
    pub(crate) fn cover(&self, (from, to): Between) -> bool {
        if self.unread.iter().any(|&(begin, end)| begin <= to && from <= end) {
            return false;
        }
        let begun = self.intervals.front().map(|first| first.from);
        begun.is_some_and(|begun| begun <= from) && self.read_at.is_some_and(|read_at| to <= read_at)
    }

    /// A reading speaks of the time after the one before it, up to itself.
    fn touching(&self, (from, to): Between) -> impl Iterator<Item = &Reading> {
        let first = self.intervals.partition_point(|reading| reading.to < from);
        self.intervals.range(first..).take_while(move |reading| reading.from < to)
    }

    fn id(&mut self, name: &str) -> Option<u16> {
        if let Some(&id) = self.names.get(name) {
            return Some(id);
        }
        let id = u16::try_from(self.names.len()).ok().filter(|&id| usize::from(id) < MAX_NAMES)?;
        self.names.insert(name.to_owned(), id);
        Some(id)
    }

    /// Joins the older half two by two.
    fn thin(&mut self) {
        let older: Vec<Reading> = self.intervals.drain(..MAX_READINGS / 2).collect();
        for pair in older.chunks(2).rev() {
            let joined = match pair {
                [one, other] => one.joined(other),
                _ => pair[0].clone(),
            };
            self.intervals.push_front(joined);
        }
    }
}

impl Reading {
    fn of(&self, id: u16) -> Option<u64> {
        let place = self.moved.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        Some(self.moved[place].1)
    }

    fn joined(&self, later: &Self) -> Self {
        let mut moved: BTreeMap<u16, u64> = self.moved.iter().copied().collect();
        for &(id, by) in &later.moved {
            let sum = moved.entry(id).or_default();
            *sum = sum.saturating_add(by);
        }
        Self { from: self.from, to: later.to, moved: moved.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn counters(at_ns: i64, deltas: &[(&str, u64)]) -> HostCounters {
        let deltas = deltas.iter().map(|&(name, by)| (name.to_owned(), by)).collect();
        HostCounters { at_ns, deltas }
    }

    /// Read at 10 s, 11 s, …; `TcpOutRsts` moved by 3 between 11 and 12 s and by 4 between 14 and 15 s.
    fn seven() -> Readings {
        let mut readings = Readings::default();
        readings.add(&counters(10 * SECOND, &[("TcpOutRsts", 0), ("TcpExtListenDrops", 0)]));
        for second in 11..=17 {
            let moved: &[(&str, u64)] = match second {
                12 => &[("TcpOutRsts", 3)],
                15 => &[("TcpOutRsts", 4), ("eth0:rx_dropped", 1)],
                _ => &[],
            };
            readings.add(&counters(second * SECOND, moved));
        }
        readings
    }

    #[test]
    fn what_moved_is_told_for_the_time_between_two_readings() {
        let readings = seven();
        let moved = |from: i64, to: i64, name| readings.moved((from * SECOND / 10, to * SECOND / 10), name);
        assert_eq!(moved(112, 118, "TcpOutRsts"), Some(3));
        assert_eq!(moved(100, 170, "TcpOutRsts"), Some(7));
        assert_eq!(moved(121, 139, "TcpOutRsts"), Some(0), "read, and it stood still");
        assert_eq!(moved(121, 139, "TcpExtListenDrops"), Some(0));
        assert_eq!(moved(145, 146, "eth0:rx_dropped"), Some(1), "an interface that came later");
        assert_eq!(moved(121, 139, "conntrack:drop"), None, "no such counter is read here");
        assert_eq!(
            readings.all_moved((112 * SECOND / 10, 146 * SECOND / 10)).into_iter().collect::<Vec<_>>(),
            [("TcpOutRsts", 7), ("eth0:rx_dropped", 1)]
        );
    }

    #[test]
    fn outside_of_what_was_read_only_what_is_known_to_have_moved_is_told() {
        let readings = seven();
        assert!(readings.cover((10 * SECOND, 17 * SECOND)));
        for time in [(9 * SECOND, 11 * SECOND), (16 * SECOND, 18 * SECOND), (20 * SECOND, 21 * SECOND)] {
            assert!(!readings.cover(time), "{time:?}");
            assert_eq!(readings.moved(time, "TcpOutRsts"), None, "{time:?}");
        }
        assert_eq!(readings.moved((5 * SECOND, 30 * SECOND), "TcpOutRsts"), Some(7));
        let never = Readings::default();
        assert_eq!((never.moved((0, SECOND), "TcpOutRsts"), never.cover((0, 0))), (None, false));
        let mut once = Readings::default();
        once.add(&counters(SECOND, &[("TcpOutRsts", 0)]));
        assert_eq!(once.moved((SECOND, SECOND), "TcpOutRsts"), None, "one reading speaks of no time");
    }

    #[test]
    fn beyond_the_bound_older_readings_are_joined_and_nothing_that_moved_is_lost() {
        let mut readings = Readings::default();
        let total = i64::try_from(MAX_READINGS).unwrap() * 5;
        for second in 0..=total {
            readings.add(&counters(second * SECOND, &[("a", 1), (&format!("n{second}"), 1)]));
        }
        assert!(readings.intervals.len() <= MAX_READINGS && readings.names.len() == MAX_NAMES);
        let all = (0, total * SECOND);
        assert!(readings.cover(all));
        assert_eq!(readings.moved(all, "a"), Some(u64::try_from(total).unwrap() + 1));
        assert!(
            readings.intervals.iter().zip(readings.intervals.iter().skip(1)).all(|(a, b)| a.to == b.from)
        );
        let latest = ((total - 9) * SECOND + 1, total * SECOND - 1);
        assert_eq!(readings.moved(latest, "a"), Some(9), "the newest are told by the second");
        assert_eq!(readings.moved(latest, &format!("n{total}")), None, "beyond the bound of names");
    }

    #[test]
    fn a_clock_that_goes_back_makes_no_interval_that_ends_before_it_begins() {
        let mut readings = Readings::default();
        for at in [5, 9, 3, 10] {
            readings.add(&counters(at * SECOND, &[("a", 1)]));
        }
        assert!(readings.intervals.iter().all(|reading| reading.from <= reading.to));
        assert_eq!(readings.moved((5 * SECOND, 10 * SECOND), "a"), Some(4));
    }
}
