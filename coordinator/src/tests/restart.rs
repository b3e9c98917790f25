//! Captures that are lost with their agent and begun anew.

use super::agents::{Agent, EPOCH_NS, Script};
use super::consumer::{Noted, Notes, noting};
use super::hostile::{ack_until, client};
use super::round_trip::{options, to_the_end};
use crate::{Embedded, EndCause, SessionEvent};
use correlate_agent::batch::{BatchBuilder, Compressor};
use correlate_proto::convert::Sidecar;
use correlate_proto::wire::agent_message::Message as Up;
use correlate_proto::wire::coordinator_client::CoordinatorClient;
use correlate_proto::wire::upload_message::Message;
use correlate_proto::{CapturePointId, ClockSample, Span, Timestamp, wire};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

const SERVER: CapturePointId = CapturePointId(1);
const SECOND: i64 = 1_000_000_000;

/// An agent's control stream, from its Hello.
struct Control {
    say: mpsc::Sender<wire::AgentMessage>,
    hear: Streaming<wire::CoordinatorMessage>,
}

impl Control {
    async fn open(client: &mut CoordinatorClient<Channel>) -> Self {
        let (say, messages) = mpsc::channel(8);
        let hello = wire::Hello {
            protocol: wire::PROTOCOL,
            name: "db".to_owned(),
            realtime_ns: EPOCH_NS,
            ..wire::Hello::default()
        };
        say.send(wire::AgentMessage { message: Some(Up::Hello(hello)) }).await.unwrap();
        let hear = client.control(ReceiverStream::new(messages)).await.unwrap().into_inner();
        Self { say, hear }
    }

    /// What the session asks for.
    async fn start(&mut self) -> wire::StartCapture {
        loop {
            let message = self.hear.message().await.unwrap().unwrap().message.unwrap();
            if let wire::coordinator_message::Message::Start(start) = message {
                return start;
            }
        }
    }

    async fn started(&self, start: &wire::StartCapture, realtime_ns: i64, link_type: &str) {
        let started = wire::CaptureStarted {
            capture: start.capture.clone(),
            kind: wire::CaptureKind::Live.into(),
            link_type: link_type.to_owned(),
            realtime_ns,
            ..wire::CaptureStarted::default()
        };
        self.say.send(wire::AgentMessage { message: Some(Up::Started(started)) }).await.unwrap();
    }
}

type Upload = (mpsc::Sender<wire::UploadMessage>, Streaming<wire::UploadAck>);

async fn upload(client: &mut CoordinatorClient<Channel>, start: &wire::StartCapture) -> Upload {
    let (say, messages) = mpsc::channel(64);
    let open = wire::UploadOpen { capture: start.capture.clone(), agent: "db".to_owned() };
    say.send(wire::UploadMessage { message: Some(Message::Open(open)) }).await.unwrap();
    (say, client.upload(ReceiverStream::new(messages)).await.unwrap().into_inner())
}

/// A batch of a host whose clocks read so, `at` after the first; everything up to then is in it.
fn batch(builder: &mut BatchBuilder, at: i64, raw_ns: i64) -> Message {
    let sample =
        ClockSample { raw_ns, realtime: Timestamp::from_ns(EPOCH_NS + at), width_ns: 1, stepped: false };
    Message::Batch(builder.seal(&Sidecar {
        watermark: Some(sample.realtime),
        watermark_raw_ns: Some(raw_ns),
        clock_samples: vec![sample],
        ..Sidecar::default()
    }))
}

async fn send(upload: &Upload, message: Message) {
    upload.0.send(wire::UploadMessage { message: Some(message) }).await.unwrap();
}

fn ended(last_sequence: u64) -> Message {
    Message::Ended(wire::CaptureEnded {
        last_sequence,
        reason: wire::EndReason::SourceEnded.into(),
        error: String::new(),
        stats: Some(wire::PointStats { frames: 7, ..Default::default() }),
    })
}

/// The server's agent is killed after three batches and a word of how many frames it had, and is back with a capture
/// of that link type; then, `later`, with `raw_ns` on its raw clock, its fourth batch comes.
async fn lost_and_begun_anew(link_type: &str, later: i64, raw_ns: i64) -> (Noted, Vec<SessionEvent>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session.correlate");
    let coordinator = Embedded::start();
    let notes = Notes::default();
    let mut session = coordinator.start_session_with(options(Some(&path)), noting(&notes)).await.unwrap();
    let script = Script { frames: 10, first_ns: 0, every_ns: 1, live: false };
    let agent = Agent::start("web", coordinator.connector(), script);
    let mut first = client(&coordinator).await;
    let mut control = Control::open(&mut first).await;
    let start = control.start().await;
    control.started(&start, EPOCH_NS, "EN10MB").await;
    let mut old = upload(&mut first, &start).await;
    let mut builder = BatchBuilder::new(Compressor::zstd());
    for number in 1..=3 {
        send(&old, batch(&mut builder, number * SECOND, number * SECOND)).await;
    }
    send(&old, Message::Stats(wire::PointStats { frames: 5, ..Default::default() })).await;
    ack_until(&mut old.1, |ack| ack.recorded_through == 3).await.unwrap();
    // Before every capture has begun there is no session to be taken back into.
    while !matches!(session.next_event().await, Some(SessionEvent::Started(_))) {}

    let mut second = client(&coordinator).await;
    let mut control = Control::open(&mut second).await;
    let start = control.start().await;
    assert_eq!((start.capture.as_ref().unwrap().incarnation, start.after_batch), (1, 3));
    // What the old capture still had on its way is not taken, nor is what it says of when it ran.
    let late = wire::Heartbeat { sequence: 3, watermark_ns: i64::MAX, watermark_raw_ns: Some(i64::MAX) };
    let _ = old.0.send(wire::UploadMessage { message: Some(Message::Heartbeat(late)) }).await;
    assert_eq!(ack_until(&mut old.1, |_| false).await.unwrap_err().code(), Code::NotFound);
    control.started(&start, EPOCH_NS + later, link_type).await;
    let mut new = upload(&mut second, &start).await;
    let mut builder = BatchBuilder::after(start.after_batch, Compressor::zstd());
    let _ = new.0.send(wire::UploadMessage { message: Some(batch(&mut builder, later, raw_ns)) }).await;
    let _ = new.0.send(wire::UploadMessage { message: Some(ended(4)) }).await;
    let _ = ack_until(&mut new.1, |ack| ack.ended).await;
    let (_, events) = to_the_end(session).await;
    agent.stop();
    let given = notes.lock().unwrap().clone();
    (given, events)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_capture_goes_on_where_the_lost_one_left_off_and_the_time_between_is_told() {
    let (noted, events) = lost_and_begun_anew("EN10MB", 5 * SECOND, 5 * SECOND).await;
    let at = |seconds: i64| Timestamp::from_ns(EPOCH_NS + seconds * SECOND);
    assert_eq!(noted.gaps, [(1, at(3), at(5))]);
    assert_eq!(noted.stats[1].frames, 12, "the counters of both captures");
    assert_eq!(noted.stats[1].ended_early, None);
    assert!(events.contains(&SessionEvent::PointResumed(SERVER, Span(2 * SECOND))), "{events:?}");
    assert!(events.contains(&SessionEvent::PointEnded(SERVER, EndCause::SourceEnded)), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_by_other_clocks_or_of_another_place_is_not_gone_on_with() {
    let unlike = [
        ("the host was started anew", "EN10MB", 5 * SECOND, SECOND),
        ("its clock was set", "EN10MB", 9 * SECOND, 5 * SECOND),
        ("it is another interface", "RAW", 5 * SECOND, 5 * SECOND),
    ];
    for (why, link_type, later, raw_ns) in unlike {
        let (noted, events) = lost_and_begun_anew(link_type, later, raw_ns).await;
        assert!(noted.gaps.is_empty(), "{why}");
        let told = noted.stats[1].ended_early.as_deref().unwrap_or_default();
        assert!(told.starts_with("its agent was started anew, and "), "{why}: {told}");
        let failed =
            |event: &SessionEvent| matches!(event, SessionEvent::PointEnded(SERVER, EndCause::Failed(_)));
        assert!(events.iter().any(failed), "{why}: {events:?}");
    }
}
