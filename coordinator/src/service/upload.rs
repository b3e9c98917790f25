//! The upload stream of one capture.

use super::admit::admit_as;
use super::control::capture_of;
use super::limits::{self, BESIDE_PER_SECOND, Rate};
use crate::arrivals::Watermark;
use crate::body::BatchOpener;
use crate::metrics::{METRICS, Refused, refused};
use crate::peer::Peer;
use crate::recorder::{Batch, Command, Ending, Recorded, Source};
use crate::registry::Registry;
use crate::session::{Message, UploadGrant};
use correlate_proto::Timestamp;
use correlate_proto::convert::stats_from_wire;
use correlate_proto::wire::{self, upload_message::Message as FromAgent};
use tokio::sync::{mpsc, oneshot, watch};
use tonic::{Code, Status, Streaming};

type Outbound = mpsc::Sender<Result<wire::UploadAck, Status>>;

/// Serves the stream to its end: what comes in is opened and handed to the recorder, what is on disk is
/// acknowledged.
pub(super) async fn serve(
    registry: Registry,
    peer: Peer,
    mut inbound: Streaming<wire::UploadMessage>,
    outbound: Outbound,
) {
    let ended = match open(&registry, &peer, &mut inbound).await {
        Ok((source, grant)) => {
            let recorded = grant.recorded.clone();
            let mut upload = Upload::new(source, grant);
            tokio::select! {
                ended = upload.receive(&mut inbound) => ended,
                () = acknowledge(recorded, source, &outbound) => Ok(()),
            }
        }
        Err(status) => Err(status),
    };
    if let Err(status) = ended {
        // An agent that is gone needs no answer.
        let _ = outbound.send(Err(status)).await;
    }
}

/// The opening, and what the session grants for it.
async fn open(
    registry: &Registry,
    peer: &Peer,
    inbound: &mut Streaming<wire::UploadMessage>,
) -> Result<(Source, UploadGrant), Status> {
    let first = limits::first(inbound.message()).await?.and_then(|message| message.message);
    let Some(FromAgent::Open(open)) = first else {
        return Err(Status::invalid_argument("an upload stream opens with an UploadOpen"));
    };
    admit_as(peer, &open.agent)?;
    let (capture, point) = capture_of(open.capture.as_ref())?;
    let unknown = || Status::not_found(format!("no session {} wants this capture", capture.session));
    let session = registry.session(&capture.session).ok_or_else(unknown)?;
    let (reply, granted) = oneshot::channel();
    let source = Source { point, incarnation: capture.incarnation };
    let message = Message::Upload { agent: open.agent, source, reply };
    session.send(message).await.map_err(|_| unknown())?;
    // A reply that never comes: another upload of this capture took its place, or the session is ending.
    let again = |_| Status::unavailable("not now; open another stream");
    let grant = granted.await.map_err(again)?.ok_or_else(unknown)?;
    Ok((source, grant))
}

/// Acknowledges what is on disk until the agent is gone, or knows that everything is. The first answer tells
/// where to go on.
async fn acknowledge(mut recorded: watch::Receiver<Recorded>, source: Source, outbound: &Outbound) {
    loop {
        let Recorded { through, ended, incarnation, .. } = *recorded.borrow_and_update();
        if incarnation != source.incarnation {
            let _ = outbound.send(Err(Status::not_found("another capture took this one's place"))).await;
            return;
        }
        let ack = wire::UploadAck { recorded_through: through, ended };
        if outbound.send(Ok(ack)).await.is_err() || ended {
            return;
        }
        if recorded.changed().await.is_err() {
            // The session is over; whatever is sent is not wanted any more.
            let _ = outbound.send(Err(Status::not_found("the session is over"))).await;
            return;
        }
    }
}

struct Upload {
    source: Source,
    grant: UploadGrant,
    opener: BatchOpener,
    /// Number of the batch that must come next; lower ones are known already.
    next: u64,
    beside: Rate,
}

impl Upload {
    fn new(source: Source, grant: UploadGrant) -> Self {
        let next = grant.recorded.borrow().through + 1;
        Self { source, grant, opener: BatchOpener::new(), next, beside: Rate::new(BESIDE_PER_SECOND) }
    }

    /// Takes in messages until the stream ends. A message that makes no sense ends the capture, not the session.
    async fn receive(&mut self, inbound: &mut Streaming<wire::UploadMessage>) -> Result<(), Status> {
        while let Some(message) = inbound.message().await? {
            if let Err(status) = self.take(message).await {
                tracing::warn!(point = self.source.point.0, reason = status.message(), "upload refused");
                if matches!(
                    status.code(),
                    Code::InvalidArgument | Code::FailedPrecondition | Code::ResourceExhausted
                ) {
                    refused(Refused::Data);
                }
                let why = format!("its agent sent what makes no sense: {}", status.message());
                let _ = self.grant.session.send(Message::Broken { source: self.source, why }).await;
                return Err(status);
            }
        }
        Ok(())
    }

    async fn take(&mut self, message: wire::UploadMessage) -> Result<(), Status> {
        match message.message {
            Some(FromAgent::Batch(batch)) => self.batch(batch).await,
            Some(FromAgent::Heartbeat(heartbeat)) => {
                self.beside.count("heartbeats and counters")?;
                let watermark = Watermark {
                    stamp: Some(Timestamp::from_ns(heartbeat.watermark_ns)),
                    raw_ns: heartbeat.watermark_raw_ns,
                };
                let Source { point, incarnation } = self.source;
                self.grant.arrivals.heartbeat(point, incarnation, heartbeat.sequence, watermark);
                Ok(())
            }
            Some(FromAgent::Stats(stats)) => {
                self.beside.count("heartbeats and counters")?;
                self.stats(&stats).await
            }
            Some(FromAgent::Ended(ended)) => self.ended(ended).await,
            Some(FromAgent::Open(_)) => Err(Status::invalid_argument("a second UploadOpen")),
            // A newer agent may say more than this coordinator understands.
            None => Ok(()),
        }
    }

    async fn batch(&mut self, sealed: wire::SealedBatch) -> Result<(), Status> {
        let sequence = sealed.sequence;
        self.catch_up();
        if sequence > self.next || sequence == 0 {
            return Err(Status::failed_precondition(format!(
                "batch {sequence} came where {} was due",
                self.next
            )));
        }
        if sequence < self.next {
            // Sent again after a broken stream, and recorded already.
            return Ok(());
        }
        let contents = self
            .opener
            .open(&sealed)
            .map_err(|error| Status::invalid_argument(format!("batch {sequence}: {error}")))?;
        limits::check_beside(&contents)?;
        self.next += 1;
        METRICS.missed(&contents.sidecar.losses);
        let batch = Batch {
            sealed,
            clock_samples: contents.sidecar.clock_samples,
            host_counters: contents.sidecar.host_counters,
        };
        self.record(Command::Batch(self.source, Box::new(batch))).await
    }

    /// What an older stream of this capture still had in hand may be recorded meanwhile, and the agent told so.
    fn catch_up(&mut self) {
        self.next = self.next.max(self.grant.recorded.borrow().through + 1);
    }

    async fn stats(&mut self, stats: &wire::PointStats) -> Result<(), Status> {
        let stats = stats_from_wire(stats).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let dropped = stats.dropped_by_kernel.saturating_add(stats.dropped_by_agent);
        let _ = self.grant.session.send(Message::Dropped { point: self.source.point, dropped }).await;
        self.record(Command::Stats(self.source, Box::new(stats))).await
    }

    async fn ended(&mut self, ended: wire::CaptureEnded) -> Result<(), Status> {
        self.catch_up();
        if ended.last_sequence.checked_add(1) != Some(self.next) {
            return Err(Status::failed_precondition(format!(
                "the capture ended with batch {} and batch {} was due",
                ended.last_sequence, self.next
            )));
        }
        let stats = ended
            .stats
            .as_ref()
            .map(stats_from_wire)
            .transpose()
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let ending = Ending { reason: ended.reason(), error: ended.error };
        let (source, last_sequence) = (self.source, ended.last_sequence);
        self.record(Command::End { source, last_sequence, ending, stats: stats.map(Box::new) }).await
    }

    async fn record(&self, command: Command) -> Result<(), Status> {
        if self.grant.recorder.send(command).await {
            return Ok(());
        }
        Err(Status::not_found("the session is over"))
    }
}
