//! A batch on its way into a recording.

use correlate_proto::{ClockSample, HostCounters, wire};

/// Octets that a row of the recording takes beside what it holds, about.
const ROW_BYTES: usize = 40;

/// A batch that was opened and found good.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) sealed: wire::SealedBatch,
    pub(crate) clock_samples: Vec<ClockSample>,
    pub(crate) host_counters: Vec<HostCounters>,
}

impl Batch {
    /// Octets that it takes of a recording, about: rows cost something too, so whoever sends empty batches, or little
    /// but samples, comes to the recording's limit as well.
    pub(super) fn cost(&self) -> u64 {
        let counters: usize = self.host_counters.iter().map(|reading| reading.deltas.len()).sum();
        let rows = 1 + self.clock_samples.len() + counters;
        u64::try_from(self.sealed.body.len() + rows * ROW_BYTES).unwrap_or(u64::MAX)
    }
}
