//! Reading a recording.

use super::error::RecordingError;
use super::open::{Recording, SWAPPED, SessionMeta, YES};
use super::write::signed;
use correlate_proto::convert::{capture_point_from_wire, stats_from_wire};
use correlate_proto::{CapturePoint, CapturePointId, Coverage, Local, PointStats, Span, Timestamp, wire};
use prost::Message;
use rusqlite::OptionalExtension as _;

/// A capture point and how far its clock is from the coordinator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedPoint {
    /// The point.
    pub point: CapturePoint,
    /// Added to the point's stamps gives the coordinator's time, within a second or so.
    pub rough_offset: Span,
    /// When its capture began, by its own clock; of a file, the stamp of its first frame.
    pub began: Timestamp<Local>,
}

impl RecordedPoint {
    /// Since when the capture ran, as its final counters prove: a file may begin before its first frame.
    #[must_use]
    pub fn covers_from(&self, stats: &PointStats) -> Timestamp<Local> {
        stats.coverage.first().map_or(self.began, |first| first.from.min(self.began))
    }
}

/// Batches that came after the recording was full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Omitted {
    /// How many.
    pub batches: u64,
    /// Packets in them.
    pub records: u64,
    /// Stamp of the earliest of those; absent if there is none.
    pub first_at: Option<Timestamp<Local>>,
    /// Stamp of the latest.
    pub last_at: Option<Timestamp<Local>>,
}

impl Recording {
    /// What was known of the session before its first packet.
    pub fn meta(&self) -> Result<SessionMeta, RecordingError> {
        let fact = |key: &str| self.fact(key).map(Option::unwrap_or_default);
        Ok(SessionMeta {
            session: fact("session")?,
            filter: fact("filter")?,
            tool_version: fact("tool_version")?,
            swapped: fact(SWAPPED)? == YES,
        })
    }

    /// A fact of the session by its name.
    pub(super) fn fact(&self, key: &str) -> Result<Option<String>, RecordingError> {
        let mut select = self.db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(select.query_row([key], |row| row.get(0)).optional()?)
    }

    /// The capture points, by id. Empty if the session never began.
    pub fn points(&self) -> Result<Vec<RecordedPoint>, RecordingError> {
        let mut select = self
            .db
            .prepare("SELECT message, rough_offset_ns, began_ns FROM capture_points ORDER BY point")?;
        let rows = select.query_map((), |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })?;
        let mut points = Vec::new();
        for row in rows {
            let (message, rough_offset_ns, began_ns) = row?;
            let place = || format!("capture_points, point {}", points.len());
            let message: wire::CapturePoint = decode(&message, place)?;
            let point = capture_point_from_wire(&message)
                .map_err(|error| RecordingError::damaged(place(), &error))?;
            if usize::from(point.id.0) != points.len() {
                let reason = "its number is not its place".to_owned();
                return Err(RecordingError::Damaged { place: place(), reason });
            }
            points.push(RecordedPoint {
                point,
                rough_offset: Span(rough_offset_ns),
                began: Timestamp::from_ns(began_ns),
            });
        }
        Ok(points)
    }

    /// The point's first batch after that number; `None` if there is none yet.
    pub(crate) fn batch_after(
        &self,
        point: CapturePointId,
        sequence: u64,
    ) -> Result<Option<wire::SealedBatch>, RecordingError> {
        let mut select = self.db.prepare_cached(
            "SELECT seq, records, first_at_ns, last_at_ns, compression, body_len, body
             FROM batches WHERE point = ?1 AND seq > ?2 ORDER BY seq LIMIT 1",
        )?;
        let batch = select.query_row((point.0, signed(sequence)), |row| {
            Ok(wire::SealedBatch {
                sequence: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
                records: row.get(1)?,
                first_at_ns: row.get(2)?,
                last_at_ns: row.get(3)?,
                compression: row.get(4)?,
                body_len: row.get(5)?,
                body: row.get(6)?,
            })
        });
        Ok(batch.optional()?)
    }

    /// Number of the point's newest batch; 0 if there is none.
    pub(crate) fn newest_batch(&self, point: CapturePointId) -> Result<u64, RecordingError> {
        let newest: Option<i64> =
            self.db
                .query_row("SELECT max(seq) FROM batches WHERE point = ?1", [point.0], |row| row.get(0))?;
        Ok(newest.and_then(|newest| u64::try_from(newest).ok()).unwrap_or(0))
    }

    /// The point's newest counters. What came after the recording was full counts as dropped.
    pub fn stats(&self, point: CapturePointId) -> Result<PointStats, RecordingError> {
        let place = || format!("stats, point {}", point.0);
        let message: Option<Vec<u8>> = self
            .db
            .query_row("SELECT message FROM stats WHERE point = ?1", [point.0], |row| row.get(0))
            .optional()?;
        let mut stats = match message {
            Some(message) => stats_from_wire(&decode::<wire::PointStats>(&message, place)?)
                .map_err(|error| RecordingError::damaged(place(), &error))?,
            None => PointStats::default(),
        };
        let omitted = self.omitted(point)?;
        stats.dropped_by_agent = stats.dropped_by_agent.saturating_add(omitted.records);
        if let (Some(from), Some(to)) = (omitted.first_at, omitted.last_at) {
            stats.drop_windows.push(Coverage { from, to });
        }
        Ok(stats)
    }

    /// What came for the point after the recording was full.
    pub fn omitted(&self, point: CapturePointId) -> Result<Omitted, RecordingError> {
        let mut select = self
            .db
            .prepare("SELECT batches, records, first_at_ns, last_at_ns FROM omitted WHERE point = ?1")?;
        let omitted = select.query_row([point.0], |row| {
            let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
            let stamp =
                |column| row.get::<_, Option<i64>>(column).map(|ns| ns.map(Timestamp::<Local>::from_ns));
            Ok(Omitted { batches: count(0)?, records: count(1)?, first_at: stamp(2)?, last_at: stamp(3)? })
        });
        Ok(omitted.optional()?.unwrap_or_default())
    }

    /// The report as JSON, if the session came to one.
    pub fn report_json(&self) -> Result<Option<String>, RecordingError> {
        let report = self.db.query_row("SELECT json FROM report WHERE id = 1", (), |row| row.get(0));
        Ok(report.optional()?)
    }
}

fn decode<M: Message + Default>(octets: &[u8], place: impl Fn() -> String) -> Result<M, RecordingError> {
    M::decode(octets).map_err(|error| RecordingError::Damaged { place: place(), reason: error.to_string() })
}
