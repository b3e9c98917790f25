//! Agents that send too much, too often, or what was mangled: each is cut off, the coordinator stays up and small, and
//! another session does not notice.

use super::agents::{Agent, EPOCH_NS, Script};
use super::consumer::{Notes, noting};
use super::hostile::{ack_until, client, start_capture, upload};
use super::round_trip::{options, to_the_end};
use crate::{Embedded, EndCause, SessionEvent, SessionHandle, SessionOptions};
use correlate_agent::batch::{BatchBuilder, Compressor};
use correlate_proto::convert::Sidecar;
use correlate_proto::wire::agent_message::Message as Up;
use correlate_proto::wire::upload_message::Message;
use correlate_proto::{ClockSample, Timestamp, wire};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

/// Octets by which the process may have grown after all.
const MOST_GROWTH: u64 = 96 << 20;

const SCRIPT: Script = Script { frames: 2_000, first_ns: 0, every_ns: 1_000, live: true };

/// A session of two honest agents.
struct Neighbours {
    session: SessionHandle,
    notes: Notes,
    agents: [Agent; 2],
}

impl Neighbours {
    async fn begin(coordinator: &Embedded) -> Self {
        let mut options = SessionOptions { id: "other".to_owned(), ..options(None) };
        for (point, name) in options.points.iter_mut().zip(["left", "right"]) {
            name.clone_into(&mut point.agent);
        }
        let notes = Notes::default();
        let mut session = coordinator.start_session_with(options, noting(&notes)).await.unwrap();
        let agents = ["left", "right"].map(|name| Agent::start(name, coordinator.connector(), SCRIPT));
        while !matches!(session.next_event().await, Some(SessionEvent::Started(_))) {}
        Self { session, notes, agents }
    }

    /// Everything of theirs arrived once, and nothing happened to them.
    async fn end(self) {
        self.session.stop().await;
        let (_, events) = to_the_end(self.session).await;
        let disturbed = |event: &SessionEvent| {
            matches!(event, SessionEvent::AgentLost(_) | SessionEvent::PointEnded(_, EndCause::Failed(_)))
        };
        assert!(!events.iter().any(disturbed), "{events:?}");
        let given = self.notes.lock().unwrap().clone();
        for point in 0..2 {
            assert!(given.packets_of(point) == (1..=SCRIPT.frames).collect::<Vec<_>>(), "point {point}");
        }
        for agent in self.agents {
            agent.stop();
        }
    }
}

/// What becomes of an upload with these messages, and of the session beside it.
async fn cut_off(messages: Vec<Message>) -> tonic::Status {
    let coordinator = Embedded::start();
    let neighbours = Neighbours::begin(&coordinator).await;
    let notes = Notes::default();
    let session = coordinator.start_session_with(options(None), noting(&notes)).await.unwrap();
    let file = Script { frames: 10, live: false, ..SCRIPT };
    let agent = Agent::start("web", coordinator.connector(), file);
    let mut client = client(&coordinator).await;
    let _control = start_capture(&mut client, "db").await;
    let (open, mut acks) = upload(&mut client, "db", Vec::new()).await;
    let sending = tokio::spawn(async move {
        for message in messages {
            // The stream may be over already: that is the point.
            if open.send(wire::UploadMessage { message: Some(message) }).await.is_err() {
                return;
            }
        }
        open.closed().await;
    });
    let status = ack_until(&mut acks, |_| false).await.unwrap_err();
    drop((acks, client));
    sending.await.unwrap();
    let (_, events) = to_the_end(session).await;
    let failed = |event: &SessionEvent| matches!(event, SessionEvent::PointEnded(_, EndCause::Failed(_)));
    assert!(events.iter().any(failed), "{events:?}");
    agent.stop();
    neighbours.end().await;
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_with_too_many_heartbeats_is_cut_off() {
    let heartbeat = wire::Heartbeat { sequence: 0, watermark_ns: 1, watermark_raw_ns: None };
    let status = cut_off(vec![Message::Heartbeat(heartbeat); 2_000]).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("256 heartbeats"), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_nothing_but_clock_samples_is_refused() {
    let sample =
        |raw_ns| ClockSample { raw_ns, realtime: Timestamp::from_ns(raw_ns), width_ns: 0, stepped: false };
    let sidecar = Sidecar { clock_samples: (0..9_000).map(sample).collect(), ..Sidecar::default() };
    let batch = BatchBuilder::new(Compressor::zstd()).seal(&sidecar);
    assert!(batch.body.len() < 60_000, "it is small on its way");
    let status = cut_off(vec![Message::Batch(batch)]).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("9000 clock samples"), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_babbles_on_its_control_stream_is_cut_off() {
    let coordinator = Embedded::start();
    let neighbours = Neighbours::begin(&coordinator).await;
    let (say, messages) = mpsc::channel(64);
    let hello = wire::Hello {
        protocol: wire::PROTOCOL,
        name: "db".to_owned(),
        realtime_ns: EPOCH_NS,
        ..Default::default()
    };
    let mut client = client(&coordinator).await;
    say.send(wire::AgentMessage { message: Some(Up::Hello(hello)) }).await.unwrap();
    let mut hear = client.control(ReceiverStream::new(messages)).await.unwrap().into_inner();
    // It speaks of a capture that is not its own.
    let capture = Some(wire::CaptureId { session: "other".to_owned(), point: 0, incarnation: 0 });
    let refused = wire::CaptureRefused { capture, reason: "because".to_owned(), remedy: String::new() };
    let babble = wire::AgentMessage { message: Some(Up::Refused(refused)) };
    let babbling = tokio::spawn(async move { while say.send(babble.clone()).await.is_ok() {} });
    let status = loop {
        match hear.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it is told why"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::ResourceExhausted);
    drop((hear, client));
    babbling.await.unwrap();
    neighbours.end().await;
}

#[tokio::test(start_paused = true)]
async fn streams_that_never_say_what_they_are_for_are_closed() {
    let coordinator = Embedded::start();
    let mut client = client(&coordinator).await;
    let (_silent, messages) = mpsc::channel(1);
    let mut control = client.control(ReceiverStream::new(messages)).await.unwrap().into_inner();
    assert_eq!(control.message().await.unwrap_err().code(), Code::DeadlineExceeded);
    let (_silent, messages) = mpsc::channel(1);
    let mut acks = client.upload(ReceiverStream::new(messages)).await.unwrap().into_inner();
    assert_eq!(acks.message().await.unwrap_err().code(), Code::DeadlineExceeded);
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(below).unwrap()).unwrap()
    }
}

/// An honest stream, mangled: octets changed, messages lost, doubled, exchanged, numbers changed.
fn mangled(dice: &mut Dice) -> Vec<Message> {
    let mut builder =
        BatchBuilder::new(if dice.below(2) == 0 { Compressor::zstd() } else { Compressor::none() });
    let mut messages: Vec<Message> =
        (0..6).map(|_| Message::Batch(builder.seal(&Sidecar::default()))).collect();
    messages.push(Message::Stats(wire::PointStats { frames: 6, ..Default::default() }));
    for _ in 0..=dice.below(4) {
        let place = dice.below(messages.len());
        let other = dice.below(messages.len());
        match dice.below(5) {
            0 => messages.swap(place, other),
            1 => messages.insert(place, messages[other].clone()),
            2 => drop(messages.remove(place)),
            kind => {
                if let Message::Batch(batch) = &mut messages[place] {
                    if kind == 3 || batch.body.is_empty() {
                        batch.sequence = [0, 3, 7, u64::MAX][dice.below(4)];
                        batch.body_len = [batch.body_len, 1, u32::MAX][dice.below(3)];
                    } else {
                        let at = dice.below(batch.body.len());
                        batch.body[at] ^= 1 << dice.below(8);
                    }
                }
            }
        }
    }
    messages
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "memory is told by /proc")]
async fn mangled_streams_leave_the_coordinator_up_and_small() {
    let coordinator = Embedded::start();
    let neighbours = Neighbours::begin(&coordinator).await;
    let (mut dice, before) = (Dice(1), resident_bytes());
    for round in 0..60 {
        let notes = Notes::default();
        let session = coordinator.start_session_with(options(None), noting(&notes)).await.unwrap();
        let agent =
            Agent::start("web", coordinator.connector(), Script { frames: 10, live: false, ..SCRIPT });
        let mut client = client(&coordinator).await;
        let _control = start_capture(&mut client, "db").await;
        let (open, mut acks) = upload(&mut client, "db", mangled(&mut dice)).await;
        // Whatever was made of it: the end is either taken or refused.
        let end = wire::CaptureEnded { last_sequence: 99, ..Default::default() };
        let _ = open.send(wire::UploadMessage { message: Some(Message::Ended(end)) }).await;
        let status = ack_until(&mut acks, |_| false).await.unwrap_err();
        assert!(
            matches!(status.code(), Code::InvalidArgument | Code::FailedPrecondition),
            "round {round}: {status:?}"
        );
        let (_, events) = to_the_end(session).await;
        let failed = |event: &SessionEvent| matches!(event, SessionEvent::PointEnded(_, EndCause::Failed(_)));
        assert!(events.iter().any(failed), "round {round}: {events:?}");
        agent.stop();
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < MOST_GROWTH, "{grown} octets more");
    neighbours.end().await;
}
