//! What a coordinator needs to go on with a session that it did not see to its end.

use super::error::RecordingError;
use super::open::Recording;
use super::schema::{RESTARTS, VERSION};
use correlate_proto::convert::stats_from_wire;
use correlate_proto::{CapturePointId, PointStats, wire};
use prost::Message as _;
use rusqlite::OptionalExtension as _;

/// The first version whose recordings keep what the session was to be.
const SINCE: u32 = 2;
/// Name of the fact that captures were told to stop.
const STOPPING: &str = "stopping";
/// Name of the fact that the session came to nothing, and why.
const FAILED: &str = "failed";

/// How far a point's upload had come.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct PointState {
    /// Number of the newest batch that was taken, kept or counted as omitted.
    pub(crate) through: u64,
    /// Packets in the batches that were kept.
    pub(crate) records: u64,
    /// Octets of those batches.
    pub(crate) bytes: u64,
    /// There was no room for a batch.
    pub(crate) omitting: bool,
    /// Why the capture ended; absent if it did not.
    pub(crate) ended: Option<String>,
    /// Its own counters, without what was omitted.
    pub(crate) stats: PointStats,
    /// Which of the point's captures is the newest: 0 the first.
    pub(crate) incarnation: u32,
    /// The counters of those before it.
    pub(crate) stats_before: PointStats,
    /// The last batch of those before it.
    pub(crate) restarted_after: Option<u64>,
}

impl Recording {
    /// Keeps what the session is to be.
    pub(crate) fn write_spec(
        &self,
        spec: &wire::SessionSpec,
        started_at_ns: i64,
    ) -> Result<(), RecordingError> {
        self.db.execute(
            "INSERT OR REPLACE INTO spec (id, message, started_at_ns) VALUES (1, ?1, ?2)",
            (spec.encode_to_vec(), started_at_ns),
        )?;
        Ok(())
    }

    /// What the session was to be, and when it was started by the coordinator's clock. Absent in recordings that no
    /// coordinator goes on with.
    pub(crate) fn spec(&self) -> Result<Option<(wire::SessionSpec, i64)>, RecordingError> {
        let version: u32 = self.db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version < SINCE {
            return Ok(None);
        }
        let select = "SELECT message, started_at_ns FROM spec WHERE id = 1";
        let row = self.db.query_row(select, (), |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)));
        let Some((message, started_at_ns)) = row.optional()? else { return Ok(None) };
        let spec = wire::SessionSpec::decode(&*message).map_err(|error| RecordingError::Damaged {
            place: "spec".to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Some((spec, started_at_ns)))
    }

    /// Notes that captures were told to stop.
    pub(crate) fn write_stopping(&self) -> Result<(), RecordingError> {
        self.write_fact(STOPPING, "yes")
    }

    /// Whether captures were told to stop.
    pub(crate) fn is_stopping(&self) -> Result<bool, RecordingError> {
        Ok(self.fact(STOPPING)?.is_some())
    }

    /// Notes that the session came to nothing: there will be no report.
    pub(crate) fn write_failure(&self, why: &str) -> Result<(), RecordingError> {
        self.write_fact(FAILED, why)
    }

    /// Why the session came to nothing; absent if it did not.
    pub(crate) fn failure(&self) -> Result<Option<String>, RecordingError> {
        self.fact(FAILED)
    }

    /// How far the point's upload had come.
    pub(crate) fn point_state(&self, point: CapturePointId) -> Result<PointState, RecordingError> {
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        let kept = "SELECT ifnull(max(seq), 0), ifnull(sum(records), 0), ifnull(sum(length(body)), 0)
                    FROM batches WHERE point = ?1";
        let (newest, records, bytes) = self.db.query_row(kept, [point.0], |row| {
            Ok((count(row.get(0)?), count(row.get(1)?), count(row.get(2)?)))
        })?;
        let omitted = self.omitted(point)?.batches;
        let ended = "SELECT ended FROM capture_points WHERE point = ?1";
        let ended = self.db.query_row(ended, [point.0], |row| row.get(0)).optional()?.flatten();
        let stats: Option<Vec<u8>> = self
            .db
            .query_row("SELECT message FROM stats WHERE point = ?1", [point.0], |row| row.get(0))
            .optional()?;
        let damaged =
            |reason: String| RecordingError::Damaged { place: format!("stats, point {}", point.0), reason };
        let stats = match stats {
            None => PointStats::default(),
            Some(message) => {
                let message =
                    wire::PointStats::decode(&*message).map_err(|error| damaged(error.to_string()))?;
                stats_from_wire(&message).map_err(|error| damaged(error.to_string()))?
            }
        };
        // Behind a gap nothing is kept, so what was omitted came after what was kept.
        let through = newest.saturating_add(omitted);
        let restart = self.newest_restart(point)?;
        let restarted_after = restart.as_ref().map(|(restart, _)| restart.left.batch);
        let (incarnation, stats_before) =
            restart.map(|(restart, stats)| (restart.incarnation, stats)).unwrap_or_default();
        Ok(PointState {
            through,
            records,
            bytes,
            omitting: omitted > 0,
            ended,
            stats,
            incarnation,
            stats_before,
            restarted_after,
        })
    }

    fn write_fact(&self, key: &str, value: &str) -> Result<(), RecordingError> {
        self.db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", (key, value))?;
        Ok(())
    }

    /// Makes every commit safe against the loss of power again, as it was when the recording was made. A recording of
    /// an older version becomes one of the present.
    pub(crate) fn go_on(&self) -> Result<(), RecordingError> {
        self.db.execute_batch(RESTARTS)?;
        self.db.pragma_update(None, "user_version", VERSION)?;
        self.db.pragma_update(None, "journal_mode", "WAL")?;
        self.db.pragma_update(None, "synchronous", "FULL")?;
        Ok(())
    }
}
