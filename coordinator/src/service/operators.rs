//! The service for operators and viewers.

use super::admit::admit;
use crate::daemon::{Fleet, Open, StartRefused, Told};
use crate::peer::PeerRole;
use correlate_proto::wire;
use correlate_proto::wire::operator_server::{Operator, OperatorServer};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// Updates on their way out of one stream; a watcher that is slower reads on later.
const OUTBOUND: usize = 16;
/// Octets of a recording in one message.
const CHUNK_BYTES: usize = 256 << 10;
/// Octets of the largest message that is taken.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

type Stream<T> = ReceiverStream<Result<T, Status>>;

/// The service, without a server around it.
pub(crate) fn server(service: OperatorService) -> OperatorServer<OperatorService> {
    OperatorServer::new(service).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

/// Serves operators.
#[derive(Debug)]
pub(crate) struct OperatorService {
    fleet: Fleet,
}

impl OperatorService {
    pub(crate) const fn new(fleet: Fleet) -> Self {
        Self { fleet }
    }
}

#[tonic::async_trait]
impl Operator for OperatorService {
    type WatchSessionStream = Stream<wire::SessionUpdate>;
    type GetRecordingStream = Stream<wire::RecordingChunk>;

    async fn start_session(
        &self,
        request: Request<wire::StartSessionRequest>,
    ) -> Result<Response<wire::StartSessionResponse>, Status> {
        let peer = admit(&request, PeerRole::Operator)?;
        let mut spec = request.into_inner().spec.unwrap_or_default();
        // Who asks is who the certificate names, whatever the request says.
        spec.asked_by = peer.name().unwrap_or_default().to_owned();
        let session = self.fleet.start(&spec).await.map_err(|error| refused(&error))?;
        let agents: Vec<&str> = spec.points.iter().map(|point| point.agent.as_str()).collect();
        tracing::info!(
            target: "audit", act = "start session", who = %peer, session, filter = spec.filter,
            agents = agents.join(","), answer = "granted",
        );
        Ok(Response::new(wire::StartSessionResponse { session }))
    }

    async fn watch_session(
        &self,
        request: Request<wire::WatchSessionRequest>,
    ) -> Result<Response<Self::WatchSessionStream>, Status> {
        admit(&request, PeerRole::Viewer)?;
        let id = request.into_inner().session;
        let (outbound, updates) = mpsc::channel(OUTBOUND);
        if let Some(open) = self.fleet.open(&id) {
            tokio::spawn(watch(open, outbound));
        } else {
            let ended = self.ended(&id).await?;
            // There is room for one.
            let _ = outbound.try_send(Ok(ending(ended)));
        }
        Ok(Response::new(ReceiverStream::new(updates)))
    }

    async fn stop_session(
        &self,
        request: Request<wire::StopSessionRequest>,
    ) -> Result<Response<wire::StopSessionResponse>, Status> {
        let peer = admit(&request, PeerRole::Operator)?;
        let wire::StopSessionRequest { session, discard } = request.into_inner();
        // A session that is over already needs no stop.
        if !self.fleet.stop(&session, discard).await && self.fleet.store().finished(&session).is_none() {
            return Err(unknown(&session));
        }
        tracing::info!(target: "audit", act = "stop session", who = %peer, session, discard, answer = "granted");
        Ok(Response::new(wire::StopSessionResponse {}))
    }

    async fn list_sessions(
        &self,
        request: Request<wire::ListSessionsRequest>,
    ) -> Result<Response<wire::ListSessionsResponse>, Status> {
        admit(&request, PeerRole::Viewer)?;
        Ok(Response::new(wire::ListSessionsResponse { sessions: self.fleet.list() }))
    }

    async fn get_report(
        &self,
        request: Request<wire::GetReportRequest>,
    ) -> Result<Response<wire::GetReportResponse>, Status> {
        admit(&request, PeerRole::Viewer)?;
        let id = request.into_inner().session;
        self.over(&id)?;
        let ended = self.ended(&id).await?;
        if ended.report_json.is_empty() {
            return Err(Status::failed_precondition(format!("session {id} has no report: {}", ended.reason)));
        }
        Ok(Response::new(wire::GetReportResponse { report_json: ended.report_json }))
    }

    async fn get_recording(
        &self,
        request: Request<wire::GetRecordingRequest>,
    ) -> Result<Response<Self::GetRecordingStream>, Status> {
        admit(&request, PeerRole::Viewer)?;
        let id = request.into_inner().session;
        self.over(&id)?;
        let path = self.fleet.store().path(&id);
        let file = tokio::fs::File::open(&path).await.map_err(|error| unreadable(&id, &error))?;
        let (outbound, chunks) = mpsc::channel(OUTBOUND);
        tokio::spawn(send_file(file, outbound));
        Ok(Response::new(ReceiverStream::new(chunks)))
    }

    async fn list_agents(
        &self,
        request: Request<wire::ListAgentsRequest>,
    ) -> Result<Response<wire::ListAgentsResponse>, Status> {
        admit(&request, PeerRole::Viewer)?;
        let agents = self.fleet.registry().agents().into_iter().map(|agent| wire::AgentSummary {
            name: agent.agent,
            labels: agent.facts.labels.clone(),
            version: agent.facts.version.clone(),
            system: agent.facts.system.clone(),
            connected_at_ns: agent.facts.connected_at_ns,
            clock_offset_ns: agent.rough_offset.0,
            sessions: agent.running.into_iter().map(|capture| capture.session).collect(),
        });
        Ok(Response::new(wire::ListAgentsResponse { agents: agents.collect() }))
    }
}

impl OperatorService {
    /// Whether the session is over and kept; else why what is asked for is not there.
    fn over(&self, id: &str) -> Result<(), Status> {
        if self.fleet.open(id).is_some() {
            return Err(Status::failed_precondition(format!(
                "session {id} still runs; watch it, or stop it with `correlate stop {id}`"
            )));
        }
        self.fleet.store().finished(id).map(drop).ok_or_else(|| unknown(id))
    }

    /// How a session that is over ended, from its recording.
    async fn ended(&self, id: &str) -> Result<wire::SessionEnded, Status> {
        let known = self.fleet.store().finished(id).ok_or_else(|| unknown(id))?.summary;
        if known.phase() == wire::SessionPhase::Failed {
            return Ok(wire::SessionEnded { reason: known.outcome, ..Default::default() });
        }
        let path = self.fleet.store().path(id);
        let read = tokio::task::spawn_blocking(move || {
            crate::Recording::open(&path).and_then(|recording| recording.report_json())
        });
        let json =
            read.await.map_err(|error| unreadable(id, &error))?.map_err(|error| unreadable(id, &error))?;
        Ok(wire::SessionEnded { report_json: json.unwrap_or_default().into_bytes(), ..Default::default() })
    }
}

/// Tells what happens in a session until it is over or nobody listens.
async fn watch(mut open: Open, outbound: mpsc::Sender<Result<wire::SessionUpdate, Status>>) {
    let mut changes = open.log.changes();
    let (mut told, mut last) = (0, None);
    loop {
        changes.mark_unchanged();
        let Told { updates, ended } = open.log.since(told);
        told += updates.len();
        for update in updates {
            if outbound.send(Ok(update)).await.is_err() {
                return;
            }
        }
        if let Some(ended) = ended {
            let _ = outbound.send(Ok(ending(ended))).await;
            return;
        }
        let counts = crate::daemon::counts(&open.progress.borrow_and_update());
        if last.as_ref() != Some(&counts) {
            last = Some(counts.clone());
            let update = wire::session_update::Update::Counts(counts);
            if outbound.send(Ok(wire::SessionUpdate { update: Some(update) })).await.is_err() {
                return;
            }
        }
        tokio::select! {
            // The log outlives the session's task, so one of the two always comes.
            _ = changes.changed() => {}
            Ok(()) = open.progress.changed() => {}
            () = outbound.closed() => return,
        }
    }
}

async fn send_file(mut file: tokio::fs::File, outbound: mpsc::Sender<Result<wire::RecordingChunk, Status>>) {
    loop {
        let mut octets = Vec::with_capacity(CHUNK_BYTES);
        let read = (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut octets).await;
        let chunk = match read {
            Ok(0) => return,
            Ok(_) => Ok(wire::RecordingChunk { octets }),
            Err(error) => Err(Status::data_loss(format!("the recording cannot be read: {error}"))),
        };
        let failed = chunk.is_err();
        if outbound.send(chunk).await.is_err() || failed {
            return;
        }
    }
}

fn ending(ended: wire::SessionEnded) -> wire::SessionUpdate {
    wire::SessionUpdate { update: Some(wire::session_update::Update::Ended(ended)) }
}

fn unknown(id: &str) -> Status {
    Status::not_found(format!("no session {id} here; `correlate sessions` lists those that are"))
}

fn unreadable(id: &str, error: &dyn core::fmt::Display) -> Status {
    Status::data_loss(format!("the recording of session {id} cannot be read: {error}"))
}

fn refused(refused: &StartRefused) -> Status {
    let text = refused.to_string();
    match refused {
        StartRefused::Request(_) => Status::invalid_argument(text),
        StartRefused::NoAgent(_) => Status::failed_precondition(text),
        StartRefused::TooMany => Status::resource_exhausted(text),
        StartRefused::Start(_) => Status::internal(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::Log;
    use crate::session::SessionProgress;
    use wire::session_update::Update;

    /// A session, and what tells of its progress.
    fn open() -> (Open, tokio::sync::watch::Sender<SessionProgress>) {
        let (progress, seen) = tokio::sync::watch::channel(SessionProgress::default());
        let spec = wire::SessionSpec::default();
        (Open { spec, started_at_ns: 0, log: Log::new(), progress: seen }, progress)
    }

    #[tokio::test]
    async fn a_watcher_that_does_not_read_holds_nothing_up_and_reads_all_of_it_later() {
        let (open, _progress) = open();
        let log = open.log.clone();
        let (outbound, mut updates) = mpsc::channel(1);
        let watching = tokio::spawn(watch(open, outbound));
        for point in 0..100 {
            log.push(Update::AgentLost(point));
            tokio::task::yield_now().await;
        }
        log.end(wire::SessionEnded { reason: "over".into(), ..Default::default() });
        assert!(!watching.is_finished(), "it waits for the reader");
        let (mut lost, mut end) = (Vec::new(), None);
        while let Some(update) = updates.recv().await {
            assert!(end.is_none(), "nothing follows the end");
            let update = update.unwrap().update.unwrap();
            if let Update::AgentLost(point) = update {
                lost.push(point);
            } else if let Update::Ended(ended) = update {
                end = Some(ended.reason);
            } else {
                assert!(matches!(update, Update::Counts(_)), "{update:?}");
            }
        }
        assert_eq!((lost, end.as_deref()), ((0..100).collect(), Some("over")));
        watching.await.unwrap();
    }

    #[tokio::test]
    async fn a_watcher_that_leaves_is_forgotten() {
        let (open, _progress) = open();
        let (outbound, updates) = mpsc::channel(1);
        let watching = tokio::spawn(watch(open, outbound));
        drop(updates);
        watching.await.unwrap();
    }
}
