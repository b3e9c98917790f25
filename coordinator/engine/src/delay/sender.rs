//! Why a sender took time between two new segments, as its own capture point shows.

use std::collections::VecDeque;

/// Reasons that last less are not told from the sending itself.
const LEAST_NS: i64 = 100_000;

/// How many gaps wait for their segment to be matched. At the bound the two oldest become one.
const MAX_GAPS: usize = 32;

/// Time of one direction by what it went to, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Parts {
    /// The receiver's window was closed, or full.
    pub(crate) window: i64,
    /// Nothing new was sent while something was sent again.
    pub(crate) recovery: i64,
    /// All was acknowledged, there was room, and nothing was sent.
    pub(crate) pause: i64,
    /// The rest.
    pub(crate) sending: i64,
}

impl Parts {
    pub(crate) const fn total(&self) -> i64 {
        self.window + self.recovery + self.pause + self.sending
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            window: self.window + other.window,
            recovery: self.recovery + other.recovery,
            pause: self.pause + other.pause,
            sending: self.sending + other.sending,
        }
    }

    /// What of them fits into `ns`, and the rest of that as sending.
    pub(crate) fn within(self, ns: i64) -> Self {
        let window = self.window.clamp(0, ns);
        let recovery = self.recovery.clamp(0, ns - window);
        let pause = self.pause.clamp(0, ns - window - recovery);
        Self { window, recovery, pause, sending: ns - window - recovery - pause }
    }

    /// Without the last `ns` of them; what was being sent goes first.
    pub(crate) fn without(mut self, ns: i64) -> Self {
        let mut left = ns;
        for part in [&mut self.sending, &mut self.pause, &mut self.recovery, &mut self.window] {
            let taken = left.clamp(0, *part);
            (*part, left) = (*part - taken, left - taken);
        }
        self
    }
}

/// A segment as it leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving {
    pub(crate) at: i64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// End of the highest octet sent before it, and highest one acknowledged.
    pub(crate) highest: Option<i64>,
    pub(crate) acked: Option<i64>,
    /// After it the receiver's window has no room for another.
    pub(crate) is_full: bool,
}

/// One direction at its sender's capture point.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sender {
    /// When the last new octets were sent.
    last_new: Option<i64>,
    idle_since: Option<i64>,
    full_since: Option<i64>,
    /// Time with a full window since then.
    full: i64,
    /// Something was sent again since then.
    again: bool,
    /// Offset of the segment behind each gap that has a reason.
    gaps: VecDeque<(i64, Parts)>,
}

impl Sender {
    /// A segment with payload was sent.
    pub(crate) fn sent(&mut self, leaving: Leaving) {
        let Leaving { at, end, .. } = leaving;
        if leaving.highest.is_some_and(|highest| end <= highest) {
            // What was acknowledged long ago is sent again by keep-alives and probes.
            self.again |= leaving.acked.is_none_or(|acked| acked < end);
            return;
        }
        if let Some(last) = self.last_new {
            self.note_gap(leaving.start, at.saturating_sub(last).max(0), at);
        }
        self.last_new = Some(at);
        (self.idle_since, self.full, self.again) = (None, 0, false);
        self.full_since = leaving.is_full.then_some(at);
    }

    fn note_gap(&mut self, start: i64, gap: i64, at: i64) {
        let window = self.full.clamp(0, gap);
        let pause = self.idle_since.map_or(0, |since| at.saturating_sub(since)).clamp(0, gap - window);
        let recovery = if self.again { gap - window - pause } else { 0 };
        if window + pause + recovery < LEAST_NS {
            return;
        }
        if self.gaps.len() >= MAX_GAPS
            && let Some((_, oldest)) = self.gaps.pop_front()
            && let Some((_, next)) = self.gaps.front_mut()
        {
            *next = next.plus(oldest);
        }
        self.gaps.push_back((start, Parts { window, recovery, pause, sending: 0 }));
    }

    /// An acknowledgement came: whether all that was sent is acknowledged now, and whether the window has no room.
    pub(crate) fn heard(&mut self, at: i64, all_acked: bool, is_full: bool) {
        if !all_acked {
            self.idle_since = None;
        } else if self.idle_since.is_none() {
            self.idle_since = Some(at);
        }
        if is_full {
            self.full_since.get_or_insert(at);
        } else if let Some(since) = self.full_since.take() {
            self.full = self.full.saturating_add(at.saturating_sub(since).max(0));
            self.idle_since = self.idle_since.map(|_| at);
        }
    }

    /// The reasons of all gaps before the segments up to the one that begins at `start`.
    pub(crate) fn take_until(&mut self, start: i64) -> Parts {
        let mut all = Parts::default();
        while let Some(&(before, parts)) = self.gaps.front()
            && before <= start
        {
            self.gaps.pop_front();
            all = all.plus(parts);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn segment(at: i64, number: i64) -> Leaving {
        let start = number * 100;
        Leaving { at, start, end: start + 100, highest: Some(start), acked: Some(0), is_full: false }
    }

    fn sender() -> Sender {
        let mut sender = Sender::default();
        sender.sent(segment(0, 0));
        sender
    }

    #[test]
    fn nothing_under_way_and_nothing_sent_is_a_pause() {
        let mut sender = sender();
        sender.heard(10 * MS, true, false);
        sender.sent(segment(50 * MS, 1));
        assert_eq!(sender.take_until(100), Parts { pause: 40 * MS, ..Parts::default() });
        assert_eq!(sender.take_until(100), Parts::default());
    }

    #[test]
    fn waiting_for_acknowledgements_is_no_pause() {
        let mut sender = sender();
        sender.heard(10 * MS, false, false);
        sender.sent(segment(50 * MS, 1));
        assert_eq!(sender.take_until(100), Parts::default());
    }

    #[test]
    fn a_full_window_counts_until_it_opens_and_the_pause_begins_then() {
        let mut sender = sender();
        sender.heard(10 * MS, true, true);
        sender.heard(30 * MS, true, false);
        sender.sent(segment(35 * MS, 1));
        assert_eq!(sender.take_until(100), Parts { window: 20 * MS, pause: 5 * MS, ..Parts::default() });
    }

    #[test]
    fn a_gap_in_which_something_is_sent_again_is_recovery_and_probes_are_not() {
        let mut lossy = sender();
        lossy.sent(Leaving { highest: Some(100), ..segment(200 * MS, 0) });
        lossy.sent(segment(240 * MS, 1));
        assert_eq!(lossy.take_until(100), Parts { recovery: 240 * MS, ..Parts::default() });
        let mut probing = sender();
        let probe = Leaving { start: 99, highest: Some(100), acked: Some(100), ..segment(200 * MS, 0) };
        probing.sent(Leaving { end: 100, ..probe });
        probing.sent(segment(240 * MS, 1));
        assert_eq!(probing.take_until(100), Parts::default());
    }

    #[test]
    fn at_the_bound_the_oldest_gaps_become_one_and_nothing_is_forgotten() {
        let mut sender = sender();
        let count = 3 * i64::try_from(MAX_GAPS).unwrap();
        for number in 1..=count {
            sender.heard(number * 10 * MS - MS, true, false);
            sender.sent(segment(number * 10 * MS, number));
        }
        assert!(sender.gaps.len() <= MAX_GAPS);
        assert_eq!(sender.take_until(i64::MAX).pause, count * MS);
    }

    #[test]
    fn parts_are_fitted_into_a_span() {
        let parts = Parts { window: 5, recovery: 7, pause: 9, sending: 0 };
        for ns in [0, 3, 11, 30] {
            assert_eq!(parts.within(ns).total(), ns);
        }
        assert_eq!(parts.within(30).sending, 9);
        let cut = parts.within(30).without(12);
        assert_eq!(cut, Parts { window: 5, recovery: 7, pause: 6, sending: 0 });
        assert_eq!(cut.without(100), Parts::default());
    }
}
