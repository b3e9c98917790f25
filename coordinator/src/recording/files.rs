//! Recording captures that were read from files: all of it is there already, and nobody waits for a commit.

use super::error::RecordingError;
use super::open::Recording;
use super::write::Entry;
use correlate_proto::{CapturePointId, PointStats, wire};

impl Recording {
    /// Records batches, numbered from 1 without a gap for each point, in one commit. The points must have been
    /// recorded before.
    pub fn write_batches(
        &mut self,
        batches: &[(CapturePointId, wire::SealedBatch)],
    ) -> Result<(), RecordingError> {
        let entries: Vec<Entry<'_>> = batches
            .iter()
            .map(|(point, batch)| Entry::Batch {
                point: *point,
                batch,
                clock_samples: &[],
                host_counters: &[],
            })
            .collect();
        self.write(&entries)
    }

    /// Records that a file was read to its end, and its counters.
    pub fn write_end_of_file(
        &mut self,
        point: CapturePointId,
        stats: &PointStats,
    ) -> Result<(), RecordingError> {
        let how = wire::EndReason::SourceEnded.as_str_name();
        self.write(&[Entry::Stats(point, Box::new(stats.clone())), Entry::Ended(point, how)])
    }
}
