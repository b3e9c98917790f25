//! A report from a recording: the same bytes as the live session gave.

use crate::arrivals::Arrivals;
use crate::feeding::{self, FeedError, Observer};
use crate::recording::{Recording, RecordingError};
use correlate_engine::{Event, Progress};
use correlate_proto::CapturePointId;
use correlate_proto::report::Report;
use std::path::Path;

/// Why a recording gives no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// Its session never began: there is nothing to judge.
    #[error("the session in {0} never began to capture; there is nothing to report")]
    NeverBegan(String),
}

/// Runs the engine over the recording at `path`.
pub fn replay(path: &Path) -> Result<Report, ReplayError> {
    replay_recording(&Recording::open(path)?)
}

/// Runs the engine over a recording.
pub fn replay_recording(recording: &Recording) -> Result<Report, ReplayError> {
    replay_with(recording, feeding::engine)
}

pub(crate) fn replay_with(
    recording: &Recording,
    make: impl FnOnce(
        &crate::recording::SessionMeta,
        &[crate::recording::RecordedPoint],
    ) -> Box<dyn feeding::Consumer>,
) -> Result<Report, ReplayError> {
    let (meta, points) = (recording.meta()?, recording.points()?);
    if points.is_empty() {
        return Err(ReplayError::NeverBegan(recording.path().display().to_string()));
    }
    let newest = points.iter().map(|point| recording.newest_batch(point.point.id));
    let arrivals = Arrivals::complete(&newest.collect::<Result<Vec<_>, _>>()?);
    let consumer = make(&meta, &points);
    match feeding::run(recording, &points, &arrivals, consumer, &mut Silent) {
        Ok(mut report) => {
            report.session.command = recording.command()?;
            Ok(report)
        }
        Err(FeedError::Recording(error)) => Err(error.into()),
        // Nobody holds these arrivals who could abort them.
        Err(FeedError::Aborted) => Err(ReplayError::NeverBegan(recording.path().display().to_string())),
    }
}

/// A replay tells nothing but its report.
struct Silent;

impl Observer for Silent {
    fn event(&mut self, _event: Event) {}
    fn read(&mut self, _point: CapturePointId, _sequence: u64, _progress: Progress) {}
}
