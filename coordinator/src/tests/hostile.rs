//! Agents that lie, stammer or babble: refused with a status, and the session goes on.

use super::agents::{Agent, EPOCH_NS, Script};
use super::consumer::{Notes, noting};
use super::round_trip::{options, to_the_end};
use crate::{Embedded, EndCause, SessionEvent, SessionHandle};
use correlate_agent::batch::{BatchBuilder, Compressor};
use correlate_proto::convert::Sidecar;
use correlate_proto::wire::agent_message::Message as Up;
use correlate_proto::wire::coordinator_client::CoordinatorClient;
use correlate_proto::wire::upload_message::Message;
use correlate_proto::{CapturePointId, wire};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};

const SERVER: CapturePointId = CapturePointId(1);

/// A client that says whatever a test wants.
pub(super) async fn client(coordinator: &Embedded) -> CoordinatorClient<Channel> {
    let connector = coordinator.connector();
    let connect = move |_| core::future::ready(connector.connect().map(hyper_util::rt::TokioIo::new));
    let channel = Endpoint::from_static("http://test")
        .connect_with_connector(tower::service_fn(connect))
        .await
        .unwrap();
    CoordinatorClient::new(channel)
}

pub(super) type Control = (mpsc::Sender<wire::AgentMessage>, Streaming<wire::CoordinatorMessage>);

/// Introduces `name`, waits for its start command and says that it started.
pub(super) async fn start_capture(client: &mut CoordinatorClient<Channel>, name: &str) -> Control {
    let (outbound, messages) = mpsc::channel(8);
    let say = |message| wire::AgentMessage { message: Some(message) };
    let hello = wire::Hello {
        protocol: wire::PROTOCOL,
        name: name.to_owned(),
        realtime_ns: EPOCH_NS,
        ..wire::Hello::default()
    };
    outbound.send(say(Up::Hello(hello))).await.unwrap();
    let mut inbound = client.control(ReceiverStream::new(messages)).await.unwrap().into_inner();
    let capture = loop {
        let message = inbound.message().await.unwrap().unwrap().message.unwrap();
        if let wire::coordinator_message::Message::Start(start) = message {
            break start.capture;
        }
    };
    let kind = wire::CaptureKind::File.into();
    let started = wire::CaptureStarted { capture, kind, ..wire::CaptureStarted::default() };
    outbound.send(say(Up::Started(started))).await.unwrap();
    (outbound, inbound)
}

/// Opens an upload for the server's point in the name of `agent`, and sends these messages.
pub(super) async fn upload(
    client: &mut CoordinatorClient<Channel>,
    agent: &str,
    messages: Vec<Message>,
) -> (mpsc::Sender<wire::UploadMessage>, Streaming<wire::UploadAck>) {
    let (outbound, stream) = mpsc::channel(64);
    let capture = Some(wire::CaptureId { session: "test".to_owned(), point: 1, incarnation: 0 });
    let open = Message::Open(wire::UploadOpen { capture, agent: agent.to_owned() });
    for message in core::iter::once(open).chain(messages) {
        outbound.send(wire::UploadMessage { message: Some(message) }).await.unwrap();
    }
    (outbound, client.upload(ReceiverStream::new(stream)).await.unwrap().into_inner())
}

/// Reads acknowledgements until one fits; the status if the stream is refused first.
pub(super) async fn ack_until(
    acks: &mut Streaming<wire::UploadAck>,
    fits: impl Fn(&wire::UploadAck) -> bool,
) -> Result<(), Status> {
    while let Some(ack) = acks.message().await? {
        if fits(&ack) {
            return Ok(());
        }
    }
    Err(Status::cancelled("the stream ended"))
}

fn batches(count: u64) -> Vec<wire::SealedBatch> {
    let mut builder = BatchBuilder::new(Compressor::zstd());
    (0..count).map(|_| builder.seal(&Sidecar::default())).collect()
}

fn ended(last_sequence: u64) -> Message {
    Message::Ended(wire::CaptureEnded {
        last_sequence,
        reason: wire::EndReason::SourceEnded.into(),
        error: String::new(),
        stats: Some(wire::PointStats::default()),
    })
}

async fn session(coordinator: &Embedded, notes: &Notes) -> (SessionHandle, Agent) {
    let session = coordinator.start_session_with(options(None), noting(notes)).await.unwrap();
    let script = Script { frames: 10, first_ns: 0, every_ns: 1, live: false };
    (session, Agent::start("web", coordinator.connector(), script))
}

/// What the session does when the server's agent sends `messages` behind one good batch.
async fn refused(messages: Vec<Message>) -> Status {
    let coordinator = Embedded::start();
    let notes = Notes::default();
    let (session, agent) = session(&coordinator, &notes).await;
    let mut client = client(&coordinator).await;
    let _control = start_capture(&mut client, "db").await;
    let messages = batches(1).into_iter().map(Message::Batch).chain(messages).collect();
    let (_open, mut acks) = upload(&mut client, "db", messages).await;
    let status = ack_until(&mut acks, |_| false).await.unwrap_err();
    let (_, events) = to_the_end(session).await;
    let broken = |event: &SessionEvent| matches!(event, SessionEvent::PointEnded(SERVER, EndCause::Failed(why)) if why.contains("makes no sense"));
    assert!(events.iter().any(broken), "{events:?}");
    let given = notes.lock().unwrap().clone();
    assert_eq!(given.packets_of(0).len(), 10, "the other end's packets are judged");
    assert!(given.stats[1].ended_early.is_some(), "the report can say that this end broke off");
    agent.stop();
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_does_not_decode_is_refused() {
    let mut bad = batches(2).remove(1);
    bad.compression = wire::Compression::None.into();
    bad.body = vec![0xFF; 30];
    bad.body_len = 30;
    assert_eq!(refused(vec![Message::Batch(bad)]).await.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_claims_a_huge_body_is_refused() {
    let mut bad = batches(2).remove(1);
    bad.compression = wire::Compression::Zstd.into();
    bad.body_len = u32::MAX;
    assert_eq!(refused(vec![Message::Batch(bad)]).await.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_that_lies_about_its_packets_is_refused() {
    let mut bad = batches(2).remove(1);
    bad.records = 5;
    let status = refused(vec![Message::Batch(bad)]).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("records"), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_numbers_and_an_early_end_are_refused() {
    let gap = batches(3).remove(2);
    assert_eq!(refused(vec![Message::Batch(gap)]).await.code(), Code::FailedPrecondition);
    assert_eq!(refused(vec![ended(9)]).await.code(), Code::FailedPrecondition);
    assert_eq!(refused(vec![ended(u64::MAX)]).await.code(), Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_come_twice_are_taken_once() {
    let coordinator = Embedded::start();
    let notes = Notes::default();
    let (session, agent) = session(&coordinator, &notes).await;
    let mut client = client(&coordinator).await;
    let _control = start_capture(&mut client, "db").await;
    let all: Vec<_> = batches(5).into_iter().map(Message::Batch).collect();
    let (open, mut acks) = upload(&mut client, "db", all[..3].to_vec()).await;
    ack_until(&mut acks, |ack| ack.recorded_through == 3).await.unwrap();
    drop((open, acks));
    let mut again = all.clone();
    again.push(ended(5));
    let (_open, mut acks) = upload(&mut client, "db", again).await;
    ack_until(&mut acks, |ack| ack.ended && ack.recorded_through == 5).await.unwrap();
    let (_, events) = to_the_end(session).await;
    assert!(events.contains(&SessionEvent::PointEnded(SERVER, EndCause::SourceEnded)));
    agent.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn none_uploads_for_another_or_into_a_session_that_is_not() {
    let coordinator = Embedded::start();
    let mut client = client(&coordinator).await;
    let (_open, mut acks) = upload(&mut client, "db", vec![]).await;
    assert_eq!(ack_until(&mut acks, |_| false).await.unwrap_err().code(), Code::NotFound);
    let notes = Notes::default();
    let (_session, agent) = session(&coordinator, &notes).await;
    let (_open, mut acks) = upload(&mut client, "web", vec![]).await;
    assert_eq!(ack_until(&mut acks, |_| false).await.unwrap_err().code(), Code::NotFound);
    agent.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_of_another_protocol_is_refused_with_both_versions() {
    let coordinator = Embedded::start();
    let (outbound, messages) = mpsc::channel(1);
    let hello = wire::Hello { protocol: 99, name: "db".to_owned(), ..wire::Hello::default() };
    outbound.send(wire::AgentMessage { message: Some(Up::Hello(hello)) }).await.unwrap();
    let mut client = client(&coordinator).await;
    let mut inbound = client.control(ReceiverStream::new(messages)).await.unwrap().into_inner();
    let status = inbound.message().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("99"), "{}", status.message());
}
