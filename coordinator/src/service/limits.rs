//! What an agent may send, beyond what its messages may hold. Whoever exceeds it is cut off.

use core::time::Duration;
use correlate_proto::convert::BatchContents;
use tokio::time::Instant;
use tonic::Status;

/// How long a stream may take to say what it is for.
const OPENED_WITHIN: Duration = Duration::from_secs(10);
/// Messages of a control stream in one second. An agent sends one for each capture, and two when one begins.
pub(super) const CONTROL_PER_SECOND: u32 = 1_024;
/// Heartbeats and counters of one capture in one second. An agent sends eleven.
pub(super) const BESIDE_PER_SECOND: u32 = 256;
/// Clock samples beside one batch: four times what an agent keeps. Each becomes a row of the recording.
const MAX_SAMPLES: usize = 4_096;
/// Counters beside one batch, over all readings; an agent sends four readings of five hundred at most.
const MAX_COUNTERS: usize = 8_192;

/// How many messages may come in a second.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: u32,
    left: u32,
    renewed: Instant,
}

impl Rate {
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second, left: per_second, renewed: Instant::now() }
    }

    /// Counts one more; a refusal if that is too many.
    pub(super) fn count(&mut self, what: &str) -> Result<(), Status> {
        if self.renewed.elapsed() >= Duration::from_secs(1) {
            (self.left, self.renewed) = (self.per_second, Instant::now());
        }
        let Some(left) = self.left.checked_sub(1) else {
            let most = self.per_second;
            return Err(Status::resource_exhausted(format!("more than {most} {what} in one second")));
        };
        self.left = left;
        Ok(())
    }
}

/// The first message of a stream, which must come soon.
pub(super) async fn first<T>(
    message: impl Future<Output = Result<Option<T>, Status>>,
) -> Result<Option<T>, Status> {
    tokio::time::timeout(OPENED_WITHIN, message).await.unwrap_or_else(|_| {
        let seconds = OPENED_WITHIN.as_secs();
        Err(Status::deadline_exceeded(format!("the stream did not say within {seconds} s what it is for")))
    })
}

/// Whether what stands beside the packets of a batch is no more than an agent has to say.
pub(super) fn check_beside(contents: &BatchContents) -> Result<(), Status> {
    let sidecar = &contents.sidecar;
    let counters: usize = sidecar.host_counters.iter().map(|reading| reading.deltas.len() + 1).sum();
    for (what, count, limit) in
        [("clock samples", sidecar.clock_samples.len(), MAX_SAMPLES), ("counters", counters, MAX_COUNTERS)]
    {
        if count > limit {
            let reason = format!("{count} {what} beside one batch are too many; at most {limit} are taken");
            return Err(Status::invalid_argument(reason));
        }
    }
    Ok(())
}
