//! Instants by the clock that stamps a capture's frames.

use crate::capture::{FrameSource, Reader};
use correlate_proto::{Local, PointStats, Span, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

/// When the packets were dropped that the counters at `now` show and those at `before` did not, as narrow as the
/// source knows it.
pub(super) fn dropping(
    stats: &PointStats,
    before: Timestamp<Local>,
    now: Timestamp<Local>,
) -> (Timestamp<Local>, Timestamp<Local>) {
    let fresh = || stats.drop_windows.iter().filter(|window| window.to > before);
    let first = fresh().map(|window| window.from.max(before)).min().unwrap_or(before).min(now);
    let last = fresh().map(|window| window.to).max().unwrap_or(now).max(first);
    (first, last)
}

/// How far the clock that stamps a source's frames is ahead of this host's.
pub(super) fn ahead(reader: &Reader<Box<dyn FrameSource>>) -> Span {
    reader.source().remote().unwrap_or_default().ahead
}

/// This host's real-time clock.
pub(super) fn realtime() -> Timestamp<Local> {
    let now = SystemTime::now();
    let ns = match now.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    };
    Timestamp::from_ns(ns)
}
