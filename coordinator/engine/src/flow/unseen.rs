//! What proves that a capture lacks packets which passed it (ALGORITHMS §4.2).

use std::collections::VecDeque;

/// How many ranges proven to be missing from a capture are remembered per direction; beyond it the oldest are
/// merged into one with their successor, which keeps their octets excused.
const MAX_RANGES: usize = 512;

/// How many timestamps, holes between IP IDs, repeats and D-SACKs are remembered per direction. Segments are judged
/// three seconds after they were sent, thirty in a silence; what is forgotten by then proves nothing any more.
const MAX_PROOFS: usize = 256;

/// A clock of the timestamps option that is echoed further ahead than this of all that were seen is not the sender's:
/// a device rewrites one direction only.
const MAX_STAMPS_AHEAD: u32 = 1 << 16;

/// IP IDs skipped at once beyond this number are another counter's, and tell nothing about the packets between.
const MAX_IDS_SKIPPED: u16 = 1024;

/// Octets that are proven to have passed this capture point though the capture lacks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// They had passed by then, by this point's clock.
    pub(crate) by: i64,
    /// It counts among the packets proven to be missing.
    pub(crate) counted: bool,
}

/// A packet that carried octets again, where it was sent or where it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// By this point's clock.
    pub(crate) at: i64,
    /// From the first to behind the last octet that was new, if all between are; `None` if none is, or not all.
    pub(crate) fresh: Option<(i64, i64)>,
    /// It ends where all that had passed ended.
    pub(crate) tail: bool,
    /// For how long the last of its octets had been acknowledged by the time it came; `None` if it had not been.
    pub(crate) acknowledged_for: Option<i64>,
}

/// IP IDs that the sender skipped between two packets that the capture has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Skipped {
    first: u16,
    count: u16,
    /// When the packets on either side were captured.
    from: i64,
    to: i64,
}

/// What is known to be missing from one direction of a capture.
#[derive(Debug, Default)]
pub(crate) struct Unseen {
    ranges: Vec<Missed>,
    /// Packets proven to be missing.
    pub(crate) count: u64,
    first_stamp: Option<(u32, i64)>,
    newest_stamp: Option<u32>,
    tick: Option<i64>,
    next_id: Option<(u16, i64)>,
    rare: Option<Box<Rare>>,
}

/// What few connections have.
#[derive(Debug, Default)]
struct Rare {
    stamps: VecDeque<u32>,
    skipped: VecDeque<Skipped>,
    again: VecDeque<Again>,
    duplicate_sacks: VecDeque<(i64, i64)>,
    /// Where the payload of first fragments ends.
    fragments: VecDeque<i64>,
}

/// Octets of the largest IP datagram (RFC 791 §3.1): no more can be in its fragments.
const MAX_DATAGRAM: i64 = 65_535;

impl Unseen {
    /// `[start, end)` passed before `by` and is not in the capture.
    pub(crate) fn add(&mut self, missed: Missed) {
        self.count += u64::from(missed.counted);
        if self.ranges.len() >= MAX_RANGES {
            let oldest = self.ranges.remove(0);
            if let Some(next) = self.ranges.first_mut() {
                next.start = next.start.min(oldest.start);
                next.end = next.end.max(oldest.end);
            }
        }
        self.ranges.push(missed);
    }

    /// The ranges.
    pub(crate) fn ranges(&self) -> &[Missed] {
        &self.ranges
    }

    /// The missing ranges that overlap `[start, end)`.
    pub(crate) fn overlapping(&self, start: i64, end: i64) -> impl Iterator<Item = &Missed> {
        self.ranges.iter().filter(move |missed| missed.start < end && start < missed.end)
    }

    /// Whether some of `[start, end)` is missing.
    pub(crate) fn lacks(&self, start: i64, end: i64) -> bool {
        self.overlapping(start, end).next().is_some()
    }

    /// A packet of this direction, captured at `at`, has the timestamp `value`.
    pub(crate) fn note_stamp(&mut self, value: u32, at: i64) {
        let (first, from) = *self.first_stamp.get_or_insert((value, at));
        let newest = *self.newest_stamp.get_or_insert(first);
        if value.wrapping_sub(newest).cast_signed() > 0 {
            self.newest_stamp = Some(value);
            let ticks = i64::from(value.wrapping_sub(first));
            self.tick = at.saturating_sub(from).checked_div(ticks);
        }
    }

    /// How long the sender's timestamp stands, in nanoseconds, as far as has been seen; `None` if it never moved.
    pub(crate) const fn tick(&self) -> Option<i64> {
        self.tick
    }

    /// The other end echoes the timestamp `echo`. If it is later than all that the capture has, some packet with it
    /// is missing. It counts once the other end's capture shows which one.
    pub(crate) fn take_echo(&mut self, echo: u32) {
        let Some(newest) = self.newest_stamp else { return };
        let ahead = echo.wrapping_sub(newest);
        if ahead > 0 && ahead <= MAX_STAMPS_AHEAD {
            self.newest_stamp = Some(echo);
            push(&mut self.rare().stamps, echo);
        }
    }

    /// Whether the timestamp was echoed and no packet of the capture had it.
    pub(crate) fn was_echoed(&self, stamp: u32) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.stamps.contains(&stamp))
    }

    /// The sender's capture has a packet of `wire` segments with this IP ID, at `at`.
    pub(crate) fn note_id(&mut self, id: u16, wire: u32, at: i64) {
        // Zero is what stacks that do not count write, unless the count has come round to it.
        if id == 0 && self.next_id.is_none_or(|(expected, _)| expected != 0) {
            return;
        }
        let next = id.wrapping_add(u16::try_from(wire).unwrap_or(0));
        let Some((expected, from)) = self.next_id.replace((next, at)) else { return };
        let count = id.wrapping_sub(expected);
        if count > 0 && count <= MAX_IDS_SKIPPED {
            push(&mut self.rare().skipped, Skipped { first: expected, count, from, to: at });
        }
    }

    /// Whether the sender's capture lacks the packet with this IP ID, sent between `from` and `to`: its neighbours
    /// are there, and the sender counts on by one.
    pub(crate) fn skipped(&self, id: u16, from: i64, to: i64) -> bool {
        let fits = |skipped: &Skipped| {
            id.wrapping_sub(skipped.first) < skipped.count && skipped.from <= to && from <= skipped.to
        };
        self.rare.as_ref().is_some_and(|rare| rare.skipped.iter().any(fits))
    }

    /// A packet carried octets again.
    pub(crate) fn note_again(&mut self, again: Again) {
        push(&mut self.rare().again, again);
    }

    /// What is remembered of the packet that carried the octet at `start` again, at `at`.
    pub(crate) fn again(&self, start: i64, at: i64) -> Option<Again> {
        let arrivals = self.rare.as_ref().map(|rare| rare.again.iter().rev());
        arrivals?.find(|again| again.at == at && again.start <= start && start < again.end).copied()
    }

    /// The first fragment of a datagram has the octets up to `end`; more follow in fragments without a TCP header.
    pub(crate) fn note_fragment(&mut self, end: i64) {
        push(&mut self.rare().fragments, end);
    }

    /// Whether `[start, end)` can have travelled in the later fragments of a datagram: the capture cannot show them.
    pub(crate) fn is_in_fragments(&self, start: i64, end: i64) -> bool {
        let rest = end - start <= MAX_DATAGRAM;
        rest && self.rare.as_ref().is_some_and(|rare| rare.fragments.contains(&start))
    }

    /// The receiver says at `at` that it got `[start, end)` twice (RFC 2883). Where the capture has no second arrival of
    /// any of it, one is missing.
    pub(crate) fn take_duplicate_sack(&mut self, start: i64, end: i64, at: i64) {
        if !self.came_in_vain(start, end) {
            self.add(Missed { start, end, by: at, counted: false });
        }
    }

    /// The same, as the sender's capture shows it.
    pub(crate) fn note_duplicate_sack(&mut self, start: i64, end: i64) {
        push(&mut self.rare().duplicate_sacks, (start, end));
    }

    /// Whether the receiver said of some of `[start, end)` that it got it twice.
    pub(crate) fn got_twice(&self, start: i64, end: i64) -> bool {
        let overlaps = |&(left, right): &(i64, i64)| left < end && start < right;
        self.rare.as_ref().is_some_and(|rare| rare.duplicate_sacks.iter().any(overlaps))
    }

    /// Whether a packet brought some of `[start, end)` though that was there already. What else it brought may be new: a
    /// sender may put several segments into one when it sends them again.
    pub(crate) fn came_in_vain(&self, start: i64, end: i64) -> bool {
        let suits = |again: &Again| {
            let (start, end) = (start.max(again.start), end.min(again.end));
            start < end && again.fresh.is_none_or(|(from, to)| start < from || to < end)
        };
        self.rare.as_ref().is_some_and(|rare| rare.again.iter().any(suits))
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() >= MAX_PROOFS {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_first_fragment_is_in_the_others_up_to_a_datagram() {
        let mut unseen = Unseen::default();
        unseen.note_fragment(1248);
        assert!(unseen.is_in_fragments(1248, 1448) && unseen.is_in_fragments(1248, 1248 + MAX_DATAGRAM));
        assert!(!unseen.is_in_fragments(1248, 1249 + MAX_DATAGRAM) && !unseen.is_in_fragments(1247, 1448));
    }

    #[test]
    fn an_echo_of_a_stamp_that_no_packet_has_is_a_missing_packet() {
        let mut unseen = Unseen::default();
        unseen.take_echo(5);
        assert!(!unseen.was_echoed(5), "nothing was seen yet to compare with");
        unseen.note_stamp(u32::MAX, 0);
        unseen.take_echo(u32::MAX);
        unseen.take_echo(u32::MAX - 7);
        assert!(!unseen.was_echoed(u32::MAX) && !unseen.was_echoed(u32::MAX - 7));
        unseen.take_echo(2);
        assert!(unseen.was_echoed(2));
        unseen.take_echo(0x4000_0000);
        assert!(!unseen.was_echoed(0x4000_0000), "a device rewrites it");
    }

    #[test]
    fn the_tick_of_the_stamps_is_measured() {
        let mut unseen = Unseen::default();
        for n in 0..50u32 {
            unseen.note_stamp((u32::MAX - 2).wrapping_add(n / 5), i64::from(n) * 200_000);
            assert_eq!(unseen.tick().is_some(), n >= 5);
        }
        assert_eq!(unseen.tick(), Some(1_000_000));
    }

    #[test]
    fn a_count_that_comes_round_to_zero_skips_nothing() {
        let mut unseen = Unseen::default();
        for (at, id) in [65_534, 65_535, 0, 1].into_iter().enumerate() {
            unseen.note_id(id, 1, i64::try_from(at).unwrap());
        }
        assert!([65_535, 0, 1].into_iter().all(|id| !unseen.skipped(id, 0, 9)));
    }

    #[test]
    fn ids_between_two_neighbours_are_skipped_within_their_time_only() {
        let mut unseen = Unseen::default();
        unseen.note_id(0xfffe, 1, 10);
        unseen.note_id(2, 3, 20);
        unseen.note_id(5, 1, 30);
        assert!(unseen.skipped(0xffff, 15, 16) && unseen.skipped(1, 20, 25));
        assert!(!unseen.skipped(2, 15, 16) && !unseen.skipped(0xffff, 21, 30));
        unseen.note_id(40_000, 1, 40);
        assert!(!unseen.skipped(20_000, 30, 40), "another counter");
    }

    #[test]
    fn a_duplicate_sack_is_explained_by_an_arrival_of_what_was_there() {
        let again = Again { start: 0, end: 10, at: 7, fresh: None, tail: false, acknowledged_for: None };
        let mut unseen = Unseen::default();
        unseen.note_again(again);
        unseen.take_duplicate_sack(0, 10, 8);
        assert!(!unseen.lacks(0, 10));
        unseen.note_again(Again { start: 20, end: 40, fresh: Some((30, 40)), ..again });
        unseen.take_duplicate_sack(20, 30, 8);
        assert!(!unseen.lacks(20, 40), "two segments in one, of which the first had come");
        unseen.take_duplicate_sack(30, 40, 8);
        assert!(!unseen.lacks(20, 30) && unseen.lacks(30, 31));
    }

    #[test]
    fn at_the_bound_the_oldest_ranges_become_one_and_the_oldest_proofs_go() {
        let mut unseen = Unseen::default();
        for n in 0..1000 {
            unseen.add(Missed { start: n * 10, end: n * 10 + 1, by: n, counted: true });
            unseen.note_duplicate_sack(n * 10, n * 10 + 1);
        }
        assert_eq!((unseen.ranges().len(), unseen.count), (MAX_RANGES, 1000));
        assert!(unseen.lacks(0, 1), "still excused");
        assert!(!unseen.got_twice(0, 1) && unseen.got_twice(9990, 9991));
    }
}
