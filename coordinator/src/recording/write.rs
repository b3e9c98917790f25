//! Writing into a recording.

use super::command;
use super::error::RecordingError;
use super::open::Recording;
use super::read::{Omitted, RecordedPoint};
use correlate_proto::convert::{capture_point_to_wire, stats_to_wire};
use correlate_proto::report::Report;
use correlate_proto::{CapturePointId, ClockSample, HostCounters, PointStats, Role, wire};
use prost::Message as _;

/// Something to record.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    /// A batch that is not recorded yet, with what came beside its packets.
    Batch {
        point: CapturePointId,
        batch: &'a wire::SealedBatch,
        clock_samples: &'a [ClockSample],
        host_counters: &'a [HostCounters],
    },
    /// A batch for which there is no room.
    Omitted(CapturePointId, Omitted),
    /// A point's counters as they now stand.
    Stats(CapturePointId, Box<PointStats>),
    /// A point's capture is over.
    Ended(CapturePointId, &'a str),
}

impl Recording {
    /// Records all of `entries`, or nothing. When this returns they are on disk.
    pub(crate) fn write(&mut self, entries: &[Entry<'_>]) -> Result<(), RecordingError> {
        let transaction = self.db.transaction()?;
        for entry in entries {
            match entry {
                Entry::Batch { point, batch, clock_samples, host_counters } => {
                    write_batch(&transaction, *point, batch)?;
                    write_samples(&transaction, *point, clock_samples)?;
                    write_counters(&transaction, *point, host_counters)?;
                }
                Entry::Omitted(point, omitted) => write_omitted(&transaction, *point, omitted)?,
                Entry::Stats(point, stats) => {
                    transaction
                        .prepare_cached("INSERT OR REPLACE INTO stats (point, message) VALUES (?1, ?2)")?
                        .execute((point.0, stats_to_wire(stats).encode_to_vec()))?;
                }
                Entry::Ended(point, how) => {
                    transaction
                        .prepare_cached("UPDATE capture_points SET ended = ?2 WHERE point = ?1")?
                        .execute((point.0, how))?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Records where frames are taken. A point that is recorded already is replaced.
    pub fn write_points(&mut self, points: &[RecordedPoint]) -> Result<(), RecordingError> {
        let transaction = self.db.transaction()?;
        for RecordedPoint { point, rough_offset, began } in points {
            let role = match point.role {
                Role::Client => "client",
                Role::Via => "via",
                Role::Server => "server",
            };
            transaction.execute(
                "INSERT OR REPLACE INTO capture_points (point, role, host, message, rough_offset_ns, began_ns)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (point.id.0, role, &point.host, capture_point_to_wire(point).encode_to_vec(), rough_offset.0, began.as_ns()),
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Records the report, its findings and the command that ran meanwhile, in place of any before.
    pub fn write_report(&mut self, report: &Report) -> Result<(), RecordingError> {
        let json = |error: serde_json::Error| RecordingError::Damaged {
            place: "the report".to_owned(),
            reason: error.to_string(),
        };
        let transaction = self.db.transaction()?;
        let document = serde_json::to_string(report).map_err(json)?;
        transaction.execute("INSERT OR REPLACE INTO report (id, json) VALUES (1, ?1)", [document])?;
        command::write(&transaction, report.session.command.as_ref())?;
        transaction.execute("DELETE FROM findings", ())?;
        for finding in &report.findings {
            let value = serde_json::to_value(finding).map_err(json)?;
            let text = |name: &str| value.get(name).and_then(|text| text.as_str()).unwrap_or("").to_owned();
            transaction.execute(
                "INSERT OR REPLACE INTO findings (id, code, severity, confidence, sentence, json)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (
                    text("id"),
                    text("code"),
                    text("severity"),
                    text("confidence"),
                    text("sentence"),
                    value.to_string(),
                ),
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Deletes a point's batches up to that number: they were read, and nobody asked to keep them.
    pub(crate) fn delete_batches(
        &mut self,
        point: CapturePointId,
        through: u64,
    ) -> Result<(), RecordingError> {
        self.db
            .prepare_cached("DELETE FROM batches WHERE point = ?1 AND seq <= ?2")?
            .execute((point.0, signed(through)))?;
        Ok(())
    }
}

fn write_batch(
    db: &rusqlite::Connection,
    point: CapturePointId,
    batch: &wire::SealedBatch,
) -> Result<(), RecordingError> {
    db.prepare_cached(
        "INSERT INTO batches (point, seq, records, first_at_ns, last_at_ns, compression, body_len, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        point.0,
        signed(batch.sequence),
        batch.records,
        batch.first_at_ns,
        batch.last_at_ns,
        batch.compression,
        batch.body_len,
        &batch.body,
    ))?;
    Ok(())
}

fn write_samples(
    db: &rusqlite::Connection,
    point: CapturePointId,
    samples: &[ClockSample],
) -> Result<(), RecordingError> {
    let mut insert = db.prepare_cached(
        "INSERT INTO clock_samples (point, raw_ns, realtime_ns, width_ns, stepped) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for sample in samples {
        insert.execute((point.0, sample.raw_ns, sample.realtime.as_ns(), sample.width_ns, sample.stepped))?;
    }
    Ok(())
}

fn write_counters(
    db: &rusqlite::Connection,
    point: CapturePointId,
    readings: &[HostCounters],
) -> Result<(), RecordingError> {
    let mut insert =
        db.prepare_cached("INSERT INTO counters (point, at_ns, name, delta) VALUES (?1, ?2, ?3, ?4)")?;
    for reading in readings {
        for (name, delta) in &reading.deltas {
            insert.execute((point.0, reading.at_ns, name, signed(*delta)))?;
        }
    }
    Ok(())
}

fn write_omitted(
    db: &rusqlite::Connection,
    point: CapturePointId,
    omitted: &Omitted,
) -> Result<(), RecordingError> {
    let stamp = |at: Option<correlate_proto::Timestamp<correlate_proto::Local>>| {
        at.map(correlate_proto::Timestamp::as_ns)
    };
    db.prepare_cached(
        "INSERT INTO omitted (point, batches, records, first_at_ns, last_at_ns) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (point) DO UPDATE SET batches = batches + excluded.batches,
            records = records + excluded.records,
            first_at_ns = min(ifnull(first_at_ns, excluded.first_at_ns), ifnull(excluded.first_at_ns, first_at_ns)),
            last_at_ns = max(ifnull(last_at_ns, excluded.last_at_ns), ifnull(excluded.last_at_ns, last_at_ns))",
    )?
    .execute((
        point.0,
        signed(omitted.batches),
        signed(omitted.records),
        stamp(omitted.first_at),
        stamp(omitted.last_at),
    ))?;
    Ok(())
}

/// The integers of `SQLite` are signed; no count here comes near the limit but a hostile one.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
