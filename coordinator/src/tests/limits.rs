//! What happens at the bounds: the recording's size, an agent that never comes, one that does not come back.

use super::agents::{Agent, Script};
use super::consumer::{Notes, noting};
use super::round_trip::{options, to_the_end};
use crate::{Embedded, EndCause, SessionEvent, SessionOptions, Timeouts};
use core::time::Duration;
use correlate_proto::CapturePointId;

const FRAMES: u64 = 300_000;

/// Connections that break for ever once their agent has introduced itself and begun.
const CUTS: &[usize] = &{
    let mut cuts = [1; 10_000];
    cuts[0] = 400;
    cuts
};

fn live(frames: u64) -> Script {
    Script { frames, first_ns: 0, every_ns: 1_000, live: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_its_limit_a_recording_ends_the_session_and_counts_what_it_could_not_keep() {
    let coordinator = Embedded::start();
    let notes = Notes::default();
    let limit_bytes = 10_000;
    let options = SessionOptions { keep_packets: true, limit_bytes, ..options(None) };
    let session = coordinator.start_session_with(options, noting(&notes)).await.unwrap();
    let client = Agent::start("web", coordinator.connector(), live(FRAMES));
    let server = Agent::start("db", coordinator.connector(), live(0));
    let (outcome, events) = to_the_end(session).await;
    assert!(outcome.recording_full);
    assert!(events.contains(&SessionEvent::RecordingFull { limit_bytes }));
    assert!(events.contains(&SessionEvent::PointEnded(CapturePointId(0), EndCause::Stopped)));
    let given = notes.lock().unwrap().clone();
    let kept = given.packets_of(0);
    let dropped = given.stats[0].dropped_by_agent;
    assert!(!kept.is_empty() && kept == (1..=u64::try_from(kept.len()).unwrap()).collect::<Vec<_>>());
    assert!(dropped > 0 && given.stats[0].drop_windows.len() == 1);
    assert_eq!(u64::try_from(kept.len()).unwrap() + dropped, given.stats[0].frames);
    client.stop();
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_keeps_nothing_goes_beyond_its_limit_as_it_reads() {
    let coordinator = Embedded::start();
    let notes = Notes::default();
    let session = coordinator
        .start_session_with(SessionOptions { limit_bytes: 8 << 20, ..options(None) }, noting(&notes))
        .await
        .unwrap();
    let file = Script { live: false, ..live(FRAMES) };
    let client = Agent::start("web", coordinator.connector(), file);
    let server = Agent::start("db", coordinator.connector(), Script { frames: 1, ..file });
    let (outcome, _) = to_the_end(session).await;
    assert!(!outcome.recording_full);
    assert_eq!(u64::try_from(notes.lock().unwrap().packets_of(0).len()).unwrap(), FRAMES);
    client.stop();
    server.stop();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_never_comes_is_named() {
    let coordinator = Embedded::start();
    let notes = Notes::default();
    let session = coordinator.start_session_with(options(None), noting(&notes)).await.unwrap();
    let failure = session.outcome().await.unwrap_err();
    assert_eq!(failure.point, Some(CapturePointId(0)));
    assert!(failure.remedy.contains("doctor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_does_not_come_back_is_left_behind_and_the_report_can_say_so() {
    let coordinator = Embedded::start();
    let notes = Notes::default();
    let timeouts = Timeouts {
        linger: Duration::from_millis(10),
        drain: Duration::from_millis(50),
        ..Timeouts::default()
    };
    let mut session = coordinator
        .start_session_with(SessionOptions { timeouts, ..options(None) }, noting(&notes))
        .await
        .unwrap();
    let client = Agent::start("web", coordinator.connector(), live(100));
    let server = Agent::start_with("db", coordinator.connector(), Ok(live(1_000)), CUTS);
    let mut events = Vec::new();
    let (mut begun, mut lost, mut stopped) = (false, false, false);
    while let Some(event) = session.next_event().await {
        // The agent may be lost before every capture has begun.
        begun |= matches!(event, SessionEvent::Started(_));
        if let SessionEvent::AgentLost(_) | SessionEvent::AgentBack(_) = event {
            lost = event == SessionEvent::AgentLost(CapturePointId(1));
        }
        if begun && lost && !stopped {
            session.stop().await;
            stopped = true;
        }
        events.push(event);
    }
    session.outcome().await.unwrap();
    let left_behind = |event: &SessionEvent| matches!(event, SessionEvent::PointEnded(CapturePointId(1), EndCause::Failed(why)) if why.contains("in time"));
    assert!(events.iter().any(left_behind), "{events:?}");
    let given = notes.lock().unwrap().clone();
    assert_eq!(given.packets_of(0).len(), 100);
    assert!(given.stats[1].ended_early.is_some());
    client.stop();
    drop(server);
}
