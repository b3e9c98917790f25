//! Keeping an analysis as a session, for `show`.

use crate::error::CliError;
use correlate_agent::batch::{BatchBuilder, Compressor};
use correlate_coordinator::recording::{RecordedPoint, SessionMeta};
use correlate_coordinator::{Recording, RecordingError};
use correlate_proto::convert::Sidecar;
use correlate_proto::report::Report;
use correlate_proto::{CapturePointId, Local, PointStats, Record, Timestamp, wire};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Batches that are recorded in one commit: a few megabytes, so that few commits wait for the disk.
const BATCHES_PER_COMMIT: usize = 128;

/// What a database leaves beside its file while it is written.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];

/// A session file being written. Dropped before [`Saving::finish`] it is removed: half a session misleads.
#[derive(Debug)]
pub(super) struct Saving {
    recording: Option<Recording>,
    path: PathBuf,
    builders: Vec<BatchBuilder>,
    waiting: Vec<(CapturePointId, wire::SealedBatch)>,
}

impl Saving {
    /// A new file at `path`, which must not exist.
    pub(super) fn create(
        path: &Path,
        meta: &SessionMeta,
        points: &[RecordedPoint],
    ) -> Result<Self, CliError> {
        let mut recording = Recording::create(path, meta).map_err(|error| failed(&error))?;
        let written = recording.write_points(points);
        let saving = Self {
            recording: Some(recording),
            path: path.to_owned(),
            builders: points.iter().map(|_| BatchBuilder::new(Compressor::zstd())).collect(),
            waiting: Vec::new(),
        };
        written.map_err(|error| failed(&error))?;
        Ok(saving)
    }

    /// Keeps the next records of `point`, up to where its capture is delivered with them.
    pub(super) fn records(
        &mut self,
        point: CapturePointId,
        records: &[Record],
        watermark: Option<Timestamp<Local>>,
    ) -> Result<(), CliError> {
        let Some(builder) = self.builders.get_mut(usize::from(point.0)) else { return Ok(()) };
        for record in records {
            // Nobody waits for a batch of a file, so it has no age.
            builder.push(record, Duration::ZERO);
            if builder.is_full() {
                self.waiting.push((point, builder.seal(&Sidecar::default())));
            }
        }
        self.waiting.push((point, builder.seal(&Sidecar { watermark, ..Sidecar::default() })));
        if self.waiting.len() >= BATCHES_PER_COMMIT { self.commit() } else { Ok(()) }
    }

    /// The capture of `point` was read to its end.
    pub(super) fn ended(&mut self, point: CapturePointId, stats: &PointStats) -> Result<(), CliError> {
        self.commit()?;
        self.with(|recording| recording.write_end_of_file(point, stats))
    }

    /// Adds the report and leaves one plain file.
    pub(super) fn finish(mut self, report: &Report) -> Result<(), CliError> {
        self.commit()?;
        self.with(|recording| recording.write_report(report))?;
        let Some(recording) = self.recording.take() else { return Ok(()) };
        recording.close().map_err(|error| failed(&error))
    }

    fn commit(&mut self) -> Result<(), CliError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.with(|recording| recording.write_batches(&waiting))
    }

    fn with(
        &mut self,
        write: impl FnOnce(&mut Recording) -> Result<(), RecordingError>,
    ) -> Result<(), CliError> {
        self.recording.as_mut().map_or(Ok(()), write).map_err(|error| failed(&error))
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        if self.recording.take().is_some() {
            for companion in COMPANIONS {
                let mut path = self.path.clone().into_os_string();
                path.push(companion);
                // What cannot be removed is at least no whole session, and `show` says so.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

fn failed(error: &RecordingError) -> CliError {
    CliError::remedied(&error.to_string(), "check the directory of the file that --save names")
}

#[cfg(test)]
mod tests {
    use super::*;
    use correlate_coordinator::replay;
    use correlate_proto::{CaptureKind, CapturePoint, Role, Span};
    use std::fs;

    fn point() -> RecordedPoint {
        let point = CapturePoint {
            id: CapturePointId(0),
            role: Role::Client,
            host: "a.pcap".into(),
            kind: CaptureKind::File,
            interfaces: Vec::new(),
            link_type: "EN10MB".into(),
            vouched: false,
        };
        RecordedPoint { point, rough_offset: Span(0), began: Timestamp::from_ns(0) }
    }

    #[test]
    fn half_a_session_is_removed_and_a_whole_one_is_one_plain_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("session");
        let count = || fs::read_dir(dir.path()).expect("a directory").count();
        let begun = || {
            let mut saving = Saving::create(&path, &SessionMeta::default(), &[point()]).expect("a new file");
            saving.records(CapturePointId(0), &[], None).expect("room");
            saving.ended(CapturePointId(0), &PointStats::default()).expect("room");
            saving
        };
        let half = begun();
        assert!(count() > 0);
        drop(half);
        assert_eq!(count(), 0);
        begun().finish(&crate::render::sample::report()).expect("room");
        assert_eq!(count(), 1);
        assert_eq!(replay(&path).expect("a session").capture_points.len(), 1);
        let again = Saving::create(&path, &SessionMeta::default(), &[]).expect_err("it exists");
        assert!(again.to_string().contains("exists\nhint: "), "{again}");
        assert_eq!(count(), 1, "what was there stays");
    }
}
