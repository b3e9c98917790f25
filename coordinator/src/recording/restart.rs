//! Captures that were lost with their agent, and those that began in their place.

use super::error::RecordingError;
use super::open::Recording;
use super::write::signed;
use crate::arrivals::Watermark;
use crate::body::BatchOpener;
use correlate_proto::convert::{BatchContents, stats_from_wire, stats_to_wire};
use correlate_proto::{CapturePointId, ClockSample, Coverage, Local, PointStats, Record, Timestamp, wire};
use prost::Message as _;
use rusqlite::{OptionalExtension as _, Row};

/// The first version that has the table.
const SINCE: u32 = 3;

/// Where a capture that was lost left off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeftOff {
    /// Number of its newest batch.
    pub(crate) batch: u64,
    /// Number of its newest packet; 0 if it had none.
    pub(crate) packet: u64,
    /// Up to when it is known to have run.
    pub(crate) until: Watermark,
}

/// A capture that began in place of one that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Restart {
    /// Which of the point's captures it is.
    pub(crate) incarnation: u32,
    /// Where the one before left off.
    pub(crate) left: LeftOff,
    /// When it began, by the clock that stamps its packets.
    pub(crate) began: Timestamp<Local>,
}

impl Recording {
    /// The intervals in which nothing was captured at the point, as its agent had lost its capture: from when the one
    /// before is last known to have run to when the next began, by the clock that stamps its packets.
    pub fn gaps(&self, point: CapturePointId) -> Result<Vec<Coverage>, RecordingError> {
        if !self.has_restarts()? {
            return Ok(Vec::new());
        }
        let select = "SELECT lost_ns, began_ns FROM restarts WHERE point = ?1 ORDER BY after_seq";
        let mut select = self.db.prepare_cached(select)?;
        let stamp = |row: &Row<'_>, column| row.get(column).map(Timestamp::from_ns);
        let gaps =
            select.query_map([point.0], |row| Ok(Coverage { from: stamp(row, 0)?, to: stamp(row, 1)? }))?;
        Ok(gaps.collect::<Result<_, _>>()?)
    }

    /// Every packet of the point in the order in which it was recorded, all in memory.
    pub fn records(&self, point: CapturePointId) -> Result<Vec<Record>, RecordingError> {
        let (mut records, mut through) = (Vec::new(), 0);
        while let Some(sealed) = self.batch_after(point, through)? {
            records.extend(self.opened_after(point, through)?.into_iter().flat_map(|opened| opened.records));
            through = sealed.sequence;
        }
        Ok(records)
    }

    /// Where the point's capture left off; `None` if nothing of it is recorded.
    pub(crate) fn left_off(&self, point: CapturePointId) -> Result<Option<LeftOff>, RecordingError> {
        let newest = self.newest_batch(point)?;
        let Some(before) = newest.checked_sub(1) else { return Ok(None) };
        let sidecar = self.opened_after(point, before)?.map(|opened| opened.sidecar).unwrap_or_default();
        let until = Watermark { stamp: sidecar.watermark, raw_ns: sidecar.watermark_raw_ns };
        let with_packets = "SELECT max(seq) FROM batches WHERE point = ?1 AND records > 0";
        let with_packets: Option<i64> = self.db.query_row(with_packets, [point.0], |row| row.get(0))?;
        let before = with_packets.and_then(|seq| u64::try_from(seq).ok()).and_then(|seq| seq.checked_sub(1));
        let opened = before.map(|before| self.opened_after(point, before)).transpose()?.flatten();
        let packets = opened.iter().flat_map(|opened| &opened.records).map(Record::packet);
        Ok(Some(LeftOff { batch: newest, packet: packets.max().unwrap_or(0), until }))
    }

    /// Records that a capture began in place of one that was lost; `stats` are the counters of all before.
    pub(crate) fn write_restart(
        &self,
        point: CapturePointId,
        restart: &Restart,
        stats: &PointStats,
    ) -> Result<(), RecordingError> {
        let Restart { incarnation, left, began } = restart;
        let lost_ns = left.until.stamp.unwrap_or(*began).as_ns();
        self.db.execute(
            "INSERT OR REPLACE INTO restarts (point, after_seq, incarnation, lost_ns, lost_raw_ns, began_ns, stats)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                point.0,
                signed(left.batch),
                incarnation,
                lost_ns,
                left.until.raw_ns,
                began.as_ns(),
                stats_to_wire(stats).encode_to_vec(),
            ),
        )?;
        Ok(())
    }

    /// The restart behind which the point's batch of that number is the first; `None` if there was none.
    pub(crate) fn restart_before(
        &self,
        point: CapturePointId,
        sequence: u64,
    ) -> Result<Option<Restart>, RecordingError> {
        if !self.has_restarts()? {
            return Ok(None);
        }
        let select = "SELECT after_seq, incarnation, lost_ns, lost_raw_ns, began_ns FROM restarts
                      WHERE point = ?1 AND after_seq = ?2";
        let mut select = self.db.prepare_cached(select)?;
        Ok(select.query_row((point.0, signed(sequence.saturating_sub(1))), restart).optional()?)
    }

    /// The point's newest restart, with the counters of all captures before it.
    pub(crate) fn newest_restart(
        &self,
        point: CapturePointId,
    ) -> Result<Option<(Restart, PointStats)>, RecordingError> {
        if !self.has_restarts()? {
            return Ok(None);
        }
        let select = "SELECT after_seq, incarnation, lost_ns, lost_raw_ns, began_ns, stats FROM restarts
                      WHERE point = ?1 ORDER BY after_seq DESC LIMIT 1";
        let row = self.db.query_row(select, [point.0], |row| Ok((restart(row)?, row.get::<_, Vec<u8>>(5)?)));
        let Some((restart, stats)) = row.optional()? else { return Ok(None) };
        let damaged = |reason: String| RecordingError::Damaged {
            place: format!("restarts, point {}", point.0),
            reason,
        };
        let stats = wire::PointStats::decode(&*stats).map_err(|error| damaged(error.to_string()))?;
        let stats = stats_from_wire(&stats).map_err(|error| damaged(error.to_string()))?;
        Ok(Some((restart, stats)))
    }

    /// The point's newest reading of its host's clocks.
    pub(crate) fn newest_clock_sample(
        &self,
        point: CapturePointId,
    ) -> Result<Option<ClockSample>, RecordingError> {
        let select = "SELECT raw_ns, realtime_ns, width_ns, stepped FROM clock_samples
                      WHERE point = ?1 ORDER BY rowid DESC LIMIT 1";
        let sample = self.db.query_row(select, [point.0], |row| {
            Ok(ClockSample {
                raw_ns: row.get(0)?,
                realtime: Timestamp::from_ns(row.get(1)?),
                width_ns: row.get(2)?,
                stepped: row.get(3)?,
            })
        });
        Ok(sample.optional()?)
    }

    fn has_restarts(&self) -> Result<bool, RecordingError> {
        let version: u32 = self.db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(version >= SINCE)
    }

    fn opened_after(
        &self,
        point: CapturePointId,
        sequence: u64,
    ) -> Result<Option<BatchContents>, RecordingError> {
        let Some(sealed) = self.batch_after(point, sequence)? else { return Ok(None) };
        let opened = BatchOpener::new().open(&sealed).map_err(|error| RecordingError::Damaged {
            place: format!("batches, point {}, seq {}", point.0, sealed.sequence),
            reason: error.to_string(),
        })?;
        Ok(Some(opened))
    }
}

fn restart(row: &Row<'_>) -> rusqlite::Result<Restart> {
    let until = Watermark { stamp: Some(Timestamp::from_ns(row.get(2)?)), raw_ns: row.get(3)? };
    let batch = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
    Ok(Restart {
        incarnation: row.get(1)?,
        left: LeftOff { batch, packet: 0, until },
        began: Timestamp::from_ns(row.get(4)?),
    })
}
