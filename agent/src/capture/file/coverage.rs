//! What is counted while a file is read, and which time it proves.

use super::Found;
use correlate_proto::{Coverage, Local, PointStats, Timestamp};
use std::collections::BTreeMap;

/// Windows of drops that are kept apart; once full, the last one is stretched.
const MAX_DROP_WINDOWS: usize = 1_024;

/// Counters of one file.
#[derive(Debug, Default)]
pub(super) struct Tally {
    frames: u64,
    bytes: u64,
    truncated: u64,
    first: Option<Timestamp<Local>>,
    last: Option<Timestamp<Local>>,
    newest: Option<Timestamp<Local>>,
    /// Frames that packet blocks say were lost.
    lost: u64,
    drop_windows: Vec<Coverage>,
    /// By interface: when its capture ran, and how many frames it dropped (interface statistics).
    statistics: BTreeMap<u16, Statistics>,
    ended_early: Option<String>,
}

/// What the interface statistics of one interface say; the last block counts, as they are cumulative.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Statistics {
    pub(super) ran: Option<Coverage>,
    pub(super) dropped: u64,
}

impl Tally {
    /// Counts a frame; its stamp, or that of the frame before where it carries none.
    #[inline]
    pub(super) fn frame(&mut self, found: &Found) -> Timestamp<Local> {
        self.frames += 1;
        self.bytes += u64::from(found.wire_len);
        let captured = found.place.1 - found.place.0;
        self.truncated += u64::from(captured < usize::try_from(found.wire_len).unwrap_or(usize::MAX));
        let Some(at) = found.at else {
            return self.newest.unwrap_or(Timestamp::from_ns(0));
        };
        if found.lost_before > 0 {
            self.note_loss(found.lost_before, at);
        }
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        self.newest = Some(at);
        at
    }

    #[cold]
    fn note_loss(&mut self, count: u32, at: Timestamp<Local>) {
        self.lost += u64::from(count);
        let before = self.newest.unwrap_or(at);
        let window = Coverage { from: before.min(at), to: before.max(at) };
        if self.drop_windows.len() < MAX_DROP_WINDOWS {
            self.drop_windows.push(window);
        } else if let Some(last) = self.drop_windows.last_mut() {
            last.to = last.to.max(window.to);
        }
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    pub(super) fn end_early(&mut self, reason: String) {
        self.ended_early = Some(reason);
    }

    pub(super) fn statistics(&mut self, interface: u16, statistics: Statistics) {
        self.statistics.insert(interface, statistics);
    }

    pub(super) fn stats(&self) -> PointStats {
        let dropped: u64 = self.statistics.values().map(|each| each.dropped).sum();
        PointStats {
            frames: self.frames,
            bytes: self.bytes,
            // Both say the same thing at different places of a file; it is not added up.
            dropped_by_kernel: dropped.max(self.lost),
            truncated: self.truncated,
            first_at: self.first,
            last_at: self.last,
            coverage: self.coverage(),
            drop_windows: self.drop_windows.clone(),
            ended_early: self.ended_early.clone(),
            ..PointStats::default()
        }
    }

    /// From the first frame to the last; and the time that every interface with statistics claims to have been
    /// captured in.
    fn coverage(&self) -> Vec<Coverage> {
        let frames = self.first.zip(self.last).map(|(from, to)| Coverage { from, to });
        let claims = self.statistics.values().filter_map(|each| each.ran);
        let claimed = claims.reduce(|a, b| Coverage { from: a.from.max(b.from), to: a.to.min(b.to) });
        let mut intervals: Vec<Coverage> =
            [frames, claimed].into_iter().flatten().filter(|each| each.from <= each.to).collect();
        intervals.sort_by_key(|each| each.from);
        match intervals[..] {
            [a, b] if b.from <= a.to => vec![Coverage { from: a.from, to: a.to.max(b.to) }],
            _ => intervals,
        }
    }
}
