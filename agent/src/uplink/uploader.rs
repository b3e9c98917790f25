//! The task of one capture that carries its packets to the coordinator.

use super::spool::Spool;
use super::thread::Item;
use crate::metrics::SpoolShare;
use core::time::Duration;
use correlate_proto::wire::coordinator_client::CoordinatorClient;
use correlate_proto::wire::{self, upload_message::Message};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

/// Messages on their way into HTTP/2; its window is the real bound.
const IN_FLIGHT: usize = 8;
/// Wait before a stream is opened anew on a connection that still stands.
const REOPEN_AFTER: Duration = Duration::from_millis(100);

/// A connection to the coordinator; absent while there is none.
pub(super) type Connection = watch::Receiver<Option<CoordinatorClient<Channel>>>;

/// How full the spool is, for health reports.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Backlog {
    pub(super) batches: u64,
    pub(super) bytes: u64,
}

/// Why an uploader ended.
#[derive(Debug)]
pub(super) enum Uploaded {
    /// Everything is recorded.
    All,
    /// The coordinator does not want it; sending it again would not help.
    Unwanted(Status),
    /// There is no connection and there will be none.
    Disconnected,
}

pub(super) struct Uploader {
    pub(super) capture: wire::CaptureId,
    pub(super) agent: String,
    pub(super) queue: mpsc::Receiver<Item>,
    pub(super) spool_bytes: usize,
    pub(super) backlog: watch::Sender<Backlog>,
    spool: Spool,
    heartbeat: Option<wire::Heartbeat>,
    stats: Option<Box<wire::PointStats>>,
    ended: Option<Box<wire::CaptureEnded>>,
    ended_sent: bool,
    last_sequence: u64,
    share: SpoolShare,
}

impl Uploader {
    pub(super) fn new(
        capture: wire::CaptureId,
        agent: String,
        queue: mpsc::Receiver<Item>,
        spool_bytes: usize,
        backlog: watch::Sender<Backlog>,
        after_batch: u64,
    ) -> Self {
        Self {
            capture,
            agent,
            queue,
            spool_bytes,
            backlog,
            spool: Spool::default(),
            heartbeat: None,
            stats: None,
            ended: None,
            ended_sent: false,
            last_sequence: after_batch,
            share: SpoolShare::new(spool_bytes),
        }
    }

    /// Uploads until everything is recorded, over as many connections as that takes.
    pub(super) async fn run(mut self, mut connection: Connection) -> Uploaded {
        loop {
            let client = connection.borrow_and_update().clone();
            let Some(client) = client else {
                if self.collect_until_connected(&mut connection).await.is_err() {
                    return Uploaded::Disconnected;
                }
                continue;
            };
            match self.stream(client).await {
                Ok(()) => return Uploaded::All,
                Err(status) if is_final(&status) => return Uploaded::Unwanted(status),
                Err(status) => {
                    tracing::debug!(code = ?status.code(), message = status.message(), "upload broke; sending again");
                }
            }
            tokio::select! {
                changed = connection.changed() => if changed.is_err() {
                    return Uploaded::Disconnected;
                },
                () = tokio::time::sleep(REOPEN_AFTER) => {}
            }
        }
    }

    /// Takes in what the capture gives until the connection changes.
    async fn collect_until_connected(
        &mut self,
        connection: &mut Connection,
    ) -> Result<(), watch::error::RecvError> {
        loop {
            tokio::select! {
                changed = connection.changed() => return changed,
                item = self.queue.recv(), if self.has_room() => self.take(item),
            }
        }
    }

    /// One upload stream. Ends well once the coordinator has acknowledged the end of the capture.
    async fn stream(&mut self, mut client: CoordinatorClient<Channel>) -> Result<(), Status> {
        let (outbound, messages) = mpsc::channel(IN_FLIGHT);
        let open = wire::UploadOpen { capture: Some(self.capture.clone()), agent: self.agent.clone() };
        let _ = outbound.send(message(Message::Open(open))).await;
        let mut inbound = client.upload(ReceiverStream::new(messages)).await?.into_inner();
        self.spool.rewind();
        self.ended_sent = false;
        self.acknowledge(next_ack(&mut inbound).await?);
        loop {
            tokio::select! {
                ack = next_ack(&mut inbound) => {
                    let ack = ack?;
                    self.acknowledge(ack);
                    if ack.ended {
                        return Ok(());
                    }
                }
                permit = outbound.reserve(), if self.has_something_to_send() => {
                    let permit = permit.map_err(|_| Status::unavailable("the stream is closed"))?;
                    if let Some(next) = self.next_message() {
                        permit.send(message(next));
                    }
                }
                item = self.queue.recv(), if self.has_room() => self.take(item),
            }
        }
    }

    fn has_room(&self) -> bool {
        self.ended.is_none() && self.spool.bytes() < self.spool_bytes
    }

    fn has_something_to_send(&self) -> bool {
        !self.spool.all_sent()
            || self.heartbeat.is_some()
            || self.stats.is_some()
            || (self.ended.is_some() && !self.ended_sent)
    }

    /// Batches first: a heartbeat holds only behind them.
    fn next_message(&mut self) -> Option<Message> {
        if let Some(batch) = self.spool.send_next() {
            return Some(Message::Batch(batch));
        }
        if let Some(heartbeat) = self.heartbeat.take() {
            return Some(Message::Heartbeat(heartbeat));
        }
        if let Some(stats) = self.stats.take() {
            return Some(Message::Stats(*stats));
        }
        self.ended_sent = true;
        self.ended.clone().map(|ended| Message::Ended(*ended))
    }

    fn take(&mut self, item: Option<Item>) {
        match item {
            Some(Item::Batch(batch)) => {
                self.last_sequence = batch.sequence;
                // An older heartbeat says less than this batch does.
                self.heartbeat = None;
                self.spool.push(batch);
            }
            Some(Item::Heartbeat(heartbeat)) => self.heartbeat = Some(heartbeat),
            Some(Item::Stats(stats)) => self.stats = Some(stats),
            Some(Item::Ended(ended)) => {
                self.stats = None;
                self.ended = Some(ended);
            }
            None => {
                self.ended = Some(Box::new(wire::CaptureEnded {
                    last_sequence: self.last_sequence,
                    reason: wire::EndReason::Failed.into(),
                    error: "the capture's thread died; see the agent's log".to_owned(),
                    stats: None,
                }));
            }
        }
        self.report_backlog();
    }

    fn acknowledge(&mut self, ack: wire::UploadAck) {
        self.spool.acknowledge(ack.recorded_through);
        self.report_backlog();
    }

    fn report_backlog(&mut self) {
        self.share.set(self.spool.bytes(), self.spool.len());
        self.backlog.send_replace(Backlog {
            batches: u64::try_from(self.spool.len()).unwrap_or(u64::MAX),
            bytes: u64::try_from(self.spool.bytes()).unwrap_or(u64::MAX),
        });
    }
}

fn message(message: Message) -> wire::UploadMessage {
    wire::UploadMessage { message: Some(message) }
}

async fn next_ack(inbound: &mut Streaming<wire::UploadAck>) -> Result<wire::UploadAck, Status> {
    inbound.message().await?.ok_or_else(|| Status::unavailable("the coordinator closed the stream"))
}

/// Whether the coordinator refuses this capture for good.
fn is_final(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::InvalidArgument
            | Code::NotFound
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
    )
}
