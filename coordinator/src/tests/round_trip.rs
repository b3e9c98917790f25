//! Every record reaches the feed exactly once, whatever the connection does, and a replay gives the same order.

use super::agents::{Agent, Script};
use super::consumer::{Noted, Notes, noting};
use crate::recording::Recording;
use crate::replay::replay_with;
use crate::{
    Embedded, EndCause, Outcome, PointProgress, PointSpec, SessionEvent, SessionHandle, SessionOptions,
};
use correlate_agent::uplink::Refusal;
use correlate_proto::report::Report;
use correlate_proto::{CapturePointId, Role};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const FRAMES: u64 = 60_000;

fn file(first_ns: i64) -> Script {
    Script { frames: FRAMES, first_ns, every_ns: 1_000, live: false }
}

pub(super) fn options(save: Option<&Path>) -> SessionOptions {
    let point = |role, host: &str| PointSpec {
        role,
        host: host.to_owned(),
        agent: host.to_owned(),
        filter: None,
        interfaces: vec![],
        vouched: false,
    };
    SessionOptions {
        id: "test".to_owned(),
        tool_version: "test".to_owned(),
        points: vec![point(Role::Client, "web"), point(Role::Server, "db")],
        save: save.map(Path::to_owned),
        ..SessionOptions::default()
    }
}

/// Runs a session to its end; gives its outcome and everything it told.
pub(super) async fn to_the_end(mut session: SessionHandle) -> (Outcome, Vec<SessionEvent>) {
    let mut events = Vec::new();
    while let Some(event) = session.next_event().await {
        events.push(event);
    }
    (session.outcome().await.unwrap(), events)
}

fn replayed(path: &Path) -> Noted {
    let notes = Notes::default();
    let recording = Recording::open(path).unwrap();
    replay_with(&recording, |meta, points| noting(&notes)(meta, points)).unwrap();
    Arc::try_unwrap(notes).unwrap().into_inner().unwrap()
}

fn assert_everything_once(given: &Noted) {
    let all: Vec<u64> = (1..=FRAMES).collect();
    assert!(given.packets_of(0) == all, "the client's packets are not each there once");
    assert!(given.packets_of(1) == all, "the server's packets are not each there once");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_packet_of_both_points_reaches_the_feed_once_and_the_replay_alike() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session.correlate");
    let coordinator = Embedded::start();
    let client = Agent::start("web", coordinator.connector(), file(0));
    let notes = Notes::default();
    let session = coordinator.start_session_with(options(Some(&path)), noting(&notes)).await.unwrap();
    let progress = session.progress();
    let server = Agent::start("db", coordinator.connector(), file(333));
    let (outcome, events) = to_the_end(session).await;
    assert_eq!(outcome.saved.as_deref(), Some(&*path));
    assert!(
        matches!(&events[0], SessionEvent::Started(points) if points.len() == 2 && points[1].host == "db")
    );
    for point in [CapturePointId(0), CapturePointId(1)] {
        assert!(events.contains(&SessionEvent::PointEnded(point, EndCause::SourceEnded)));
    }
    assert_eq!(progress.borrow().points[0].packets, FRAMES);
    let live = notes.lock().unwrap().clone();
    assert_everything_once(&live);
    assert_eq!((live.stats[0].frames, live.stats[1].frames), (FRAMES, FRAMES));
    assert!(live.clock_samples.iter().any(|(point, _)| *point == 1));
    assert!(live.host_counters.iter().all(|(_, counters)| counters.deltas["TcpExtListenDrops"] == 1));
    assert!(!live.host_counters.is_empty());
    assert!(live == replayed(&path), "the replay gives another order");
    let left: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [path], "one plain file is left");
    client.stop();
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_again_and_again_loses_and_repeats_nothing() {
    let coordinator = Embedded::start();
    let cuts: &[usize] = &[40_000, 300, 120_000, 20_000, 77];
    let client = Agent::start_with("web", coordinator.connector(), Ok(file(0)), cuts);
    let server = Agent::start("db", coordinator.connector(), file(500));
    let notes = Notes::default();
    let session = coordinator.start_session_with(options(None), noting(&notes)).await.unwrap();
    let (outcome, events) = to_the_end(session).await;
    assert_eq!(outcome.saved, None);
    assert_everything_once(&notes.lock().unwrap());
    assert!(client.dialled.load(Ordering::Relaxed) > 2, "the connection was not cut");
    assert!(events.contains(&SessionEvent::AgentLost(CapturePointId(0))));
    assert!(events.contains(&SessionEvent::AgentBack(CapturePointId(0))));
    client.stop();
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn live_captures_run_until_they_are_stopped_and_a_silent_one_holds_nothing_up() {
    let coordinator = Embedded::start();
    let live = |frames| Script { frames, first_ns: 0, every_ns: 1_000, live: true };
    let client = Agent::start("web", coordinator.connector(), live(FRAMES));
    let server = Agent::start("db", coordinator.connector(), live(0));
    let notes = Notes::default();
    let mut session = coordinator.start_session_with(options(None), noting(&notes)).await.unwrap();
    // The silent server's heartbeats let the client's packets through to the engine while both run.
    let mut progress = session.progress();
    progress.wait_for(|progress| progress.records == FRAMES).await.unwrap();
    session.stop().await;
    let mut events = Vec::new();
    while let Some(event) = session.next_event().await {
        events.push(event);
    }
    session.outcome().await.unwrap();
    assert!(events.contains(&SessionEvent::Stopping));
    assert!(events.contains(&SessionEvent::PointEnded(CapturePointId(1), EndCause::Stopped)));
    let given = notes.lock().unwrap().clone();
    assert_eq!((given.packets_of(0).len(), given.packets_of(1).len()), (60_000, 0));
    client.stop();
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_ends_both_captures() {
    let coordinator = Embedded::start();
    let live = |frames| Script { frames, first_ns: 0, every_ns: 1_000, live: true };
    let client = Agent::start("web", coordinator.connector(), live(5_000));
    let server = Agent::start("db", coordinator.connector(), live(10));
    let notes = Notes::default();
    let options = SessionOptions { count: Some(1_000), ..options(None) };
    let session = coordinator.start_session_with(options, noting(&notes)).await.unwrap();
    let (_, events) = to_the_end(session).await;
    assert!(events.contains(&SessionEvent::PointEnded(CapturePointId(0), EndCause::Count)));
    assert!(events.contains(&SessionEvent::PointEnded(CapturePointId(1), EndCause::Stopped)));
    let given = notes.lock().unwrap().clone();
    assert_eq!((given.packets_of(0).len(), given.packets_of(1).len()), (1_000, 10));
    client.stop();
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_capture_fails_the_session_with_its_reason_and_remedy() {
    let coordinator = Embedded::start();
    let refusal = Refusal { reason: "no privilege for eth0".to_owned(), remedy: "run as root".to_owned() };
    let client = Agent::start("web", coordinator.connector(), file(0));
    let server = Agent::start_with("db", coordinator.connector(), Err(refusal), &[]);
    let notes = Notes::default();
    let session = coordinator.start_session_with(options(None), noting(&notes)).await.unwrap();
    let failure = session.outcome().await.unwrap_err();
    assert_eq!(failure.point, Some(CapturePointId(1)));
    assert_eq!((&*failure.reason, &*failure.remedy), ("no privilege for eth0", "run as root"));
    client.stop();
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_reports_the_same_bytes_live_and_in_replay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session.correlate");
    let coordinator = Embedded::start();
    let script = |first_ns| Script { frames: 5_000, first_ns, every_ns: 100_000, live: true };
    let client = Agent::start("web", coordinator.connector(), script(0));
    let server = Agent::start("db", coordinator.connector(), script(70_000));
    let session = coordinator.start_session(options(Some(&path))).await.unwrap();
    let mut progress = session.progress();
    let all = |points: &[PointProgress]| points.iter().all(|point| point.packets == 5_000);
    progress.wait_for(|progress| progress.points.len() == 2 && all(&progress.points)).await.unwrap();
    let outcome = session.finish().await.unwrap();
    let bytes = |report: &Report| serde_json::to_string(report).unwrap();
    assert_eq!(bytes(&crate::replay(&path).unwrap()), bytes(&outcome.report));
    let recorded = Recording::open(&path).unwrap().report_json().unwrap().unwrap();
    assert_eq!(recorded, bytes(&outcome.report));
    assert_eq!(outcome.report.capture_points.iter().map(|point| point.packets).sum::<u64>(), 10_000);
    client.stop();
    server.stop();
}
