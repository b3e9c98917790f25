//! The store's limits, and sessions that the daemon of before left open.

use super::store::{Keep, Store};
use super::{Daemon, DaemonSettings, ListenAddress, Listener};
use crate::peer::{Peer, PeerRole};
use crate::recording::{Recording, SessionMeta};
use core::time::Duration;
use correlate_proto::wire;
use std::path::Path;
use std::time::SystemTime;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use wire::operator_client::OperatorClient;

fn make(store: &Store, id: &str, failure: Option<&str>) {
    let meta = SessionMeta { session: id.to_owned(), ..SessionMeta::default() };
    let recording = Recording::create(&store.path(id), &meta).unwrap();
    recording.write_spec(&wire::SessionSpec::default(), 5).unwrap();
    recording.close().unwrap();
    if failure.is_some() {
        store.add(id, failure).unwrap();
    }
}

fn names(store: &Store) -> Vec<String> {
    store.all().into_iter().map(|finished| finished.summary.session).collect()
}

#[test]
fn beyond_the_size_the_oldest_finished_recordings_go_and_open_ones_never() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(directory.path(), Keep { bytes: None, age: None }).unwrap();
    make(&store, "open", None);
    for id in ["a", "b", "c"] {
        make(&store, id, Some("no reason"));
    }
    let age = |id: &str, seconds| {
        let file = std::fs::File::options().write(true).open(store.path(id)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    };
    for (id, seconds) in [("open", 900), ("a", 300), ("b", 800), ("c", 100)] {
        age(id, seconds);
    }
    let each = store.finished("a").unwrap().summary.recording_bytes;
    drop(store);

    let keep = Keep { bytes: Some(each * 2), age: None };
    let (store, left_open) = Store::open(directory.path(), keep).unwrap();
    assert_eq!(names(&store), ["a", "c"]);
    assert_eq!(left_open.iter().map(|open| open.id.as_str()).collect::<Vec<_>>(), ["open"]);
    drop((store, left_open));

    let keep = Keep { bytes: None, age: Some(Duration::from_secs(200)) };
    let (store, _) = Store::open(directory.path(), keep).unwrap();
    assert_eq!(names(&store), ["c"]);
    assert!(store.path("open").exists() && !store.path("a").exists());
    store.prune(SystemTime::now() + Duration::from_secs(200));
    assert!(names(&store).is_empty() && store.path("open").exists());
}

#[test]
fn a_directory_belongs_to_one_coordinator() {
    let directory = tempfile::tempdir().unwrap();
    let first = Store::open(directory.path(), Keep::default()).unwrap();
    let second = Store::open(directory.path(), Keep::default()).expect_err("it is taken");
    assert!(second.to_string().contains("another coordinator"), "{second}");
    drop(first);
    Store::open(directory.path(), Keep::default()).unwrap();
}

async fn daemon(directory: &Path) -> Daemon {
    Daemon::start(DaemonSettings { data: directory.to_owned(), keep: Keep::default() }).await.unwrap()
}

async fn client(daemon: &Daemon, peer: Peer) -> OperatorClient<Channel> {
    OperatorClient::new(channel(daemon, peer).await)
}

async fn channel(daemon: &Daemon, peer: Peer) -> Channel {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    daemon.connector().accept_from(ours, peer).unwrap();
    over(theirs).await
}

async fn over(theirs: tokio::io::DuplexStream) -> Channel {
    let mut slot = Some(hyper_util::rt::TokioIo::new(theirs));
    let connector = tower::service_fn(move |_| {
        core::future::ready(slot.take().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected)))
    });
    Endpoint::from_static("http://x").connect_with_connector(connector).await.unwrap()
}

#[tokio::test]
async fn a_session_that_never_began_comes_to_nothing_when_the_daemon_starts_again() {
    let directory = tempfile::tempdir().unwrap();
    {
        let (store, _) = Store::open(directory.path(), Keep::default()).unwrap();
        make(&store, "s1", None);
        // Without a point, whose captures had all begun by definition, there is nothing to go on with either.
        let recording = Recording::open(&store.path("s1")).unwrap();
        let point =
            |role: wire::Role| wire::PointSpec { role: role.into(), agent: "a".into(), ..Default::default() };
        let points = vec![point(wire::Role::Client), point(wire::Role::Server)];
        recording.write_spec(&wire::SessionSpec { points, ..Default::default() }, 5).unwrap();
    }
    let daemon = daemon(directory.path()).await;
    let mut client = client(&daemon, Peer::Local).await;
    let sessions = client.list_sessions(wire::ListSessionsRequest {}).await.unwrap().into_inner().sessions;
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].phase(), wire::SessionPhase::Failed);
    assert!(sessions[0].outcome.contains("before every capture had begun"), "{}", sessions[0].outcome);
    let request = wire::WatchSessionRequest { session: "s1".into() };
    let mut updates = client.watch_session(request).await.unwrap().into_inner();
    let update = updates.message().await.unwrap().unwrap().update;
    assert!(
        matches!(update, Some(wire::session_update::Update::Ended(ended)) if ended.reason.contains("begun"))
    );
    assert!(updates.message().await.unwrap().is_none());
    let refused = client.get_report(wire::GetReportRequest { session: "s1".into() }).await.expect_err("none");
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn roles_are_checked_on_every_call_and_unknown_names_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = daemon(directory.path()).await;
    let known = |role| Peer::Known { name: "x".into(), role };
    let mut viewer = client(&daemon, known(PeerRole::Viewer)).await;
    let spec = |agent: &str| {
        let point = |role: wire::Role| wire::PointSpec {
            role: role.into(),
            agent: agent.into(),
            ..Default::default()
        };
        let points = vec![point(wire::Role::Client), point(wire::Role::Server)];
        wire::StartSessionRequest { spec: Some(wire::SessionSpec { points, ..Default::default() }) }
    };
    assert_eq!(viewer.start_session(spec("a")).await.expect_err("only looks").code(), Code::PermissionDenied);
    let stop = wire::StopSessionRequest { session: "s".into(), discard: false };
    assert_eq!(
        viewer.stop_session(stop.clone()).await.expect_err("only looks").code(),
        Code::PermissionDenied
    );
    assert!(viewer.list_agents(wire::ListAgentsRequest {}).await.unwrap().into_inner().agents.is_empty());
    let mut agent = client(&daemon, known(PeerRole::Agent)).await;
    let refused = agent.list_sessions(wire::ListSessionsRequest {}).await.expect_err("only captures");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let mut operator = client(&daemon, known(PeerRole::Operator)).await;
    let refused = operator.start_session(spec("nobody")).await.expect_err("there is no agent");
    assert!(refused.message().contains("correlate agents"), "{}", refused.message());
    assert_eq!(operator.stop_session(stop).await.expect_err("no session").code(), Code::NotFound);
    let refused = operator.start_session(spec("")).await.expect_err("no name");
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn the_socket_of_a_dead_coordinator_is_taken_over_and_that_of_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.sock");
    let address: ListenAddress = format!("unix:{}", path.display()).parse().unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = Listener::bind(address.clone()).await.unwrap();
    assert!(Listener::bind(address.clone()).await.is_err());
    drop(listener);
    assert!(!path.exists());
    assert!("here".parse::<ListenAddress>().is_err());
}

#[tokio::test]
async fn what_others_can_reach_takes_tls_and_tls_an_authority() {
    for text in ["192.0.2.1:1", "0.0.0.0:1", "[::]:1", "tls:127.0.0.1:1"] {
        assert!(matches!(text.parse(), Ok(ListenAddress::Tls(_))), "{text}");
    }
    assert!(matches!("127.0.0.1:1".parse(), Ok(ListenAddress::Tcp(_))));
    let directory = tempfile::tempdir().unwrap();
    let listener = Listener::bind("tls:127.0.0.1:0".parse().unwrap()).await.unwrap();
    let refused = daemon(directory.path()).await.listen(listener).unwrap_err().to_string();
    assert!(refused.contains("correlate coordinator init"), "{refused}");
}

#[tokio::test]
async fn whether_it_serves_is_told_in_the_usual_way() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    let directory = tempfile::tempdir().unwrap();
    let daemon = daemon(directory.path()).await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel(&daemon, Peer::Local).await);
    for service in ["", "correlate.v1.Coordinator", "correlate.v1.Operator"] {
        let answer = health.check(HealthCheckRequest { service: service.into() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service}");
    }
}

/// What a peer is told by reflection: names of services, and the first file that describes one of them.
async fn described(channel: Channel) -> Result<(Vec<String>, Vec<u8>), tonic::Status> {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let asked = [
        MessageRequest::ListServices(String::new()),
        MessageRequest::FileContainingSymbol("correlate.v1.Operator".into()),
    ];
    let asked =
        asked.map(|asked| ServerReflectionRequest { host: String::new(), message_request: Some(asked) });
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(tokio_stream::iter(asked)).await?.into_inner();
    let (mut names, mut file) = (Vec::new(), Vec::new());
    while let Some(answer) = answers.message().await? {
        match answer.message_response {
            Some(MessageResponse::ListServicesResponse(list)) => {
                names.extend(list.service.into_iter().map(|service| service.name));
            }
            Some(MessageResponse::FileDescriptorResponse(files)) => {
                file = files.file_descriptor_proto.into_iter().next().unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    names.sort();
    Ok((names, file))
}

#[tokio::test]
async fn every_known_peer_is_told_what_is_served_whatever_its_role() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = daemon(directory.path()).await;
    let roles = [PeerRole::Viewer, PeerRole::Operator, PeerRole::Agent];
    let known = roles.map(|role| Peer::Known { name: "x".into(), role });
    for peer in known.into_iter().chain([Peer::Local]) {
        let (names, file) = described(channel(&daemon, peer.clone()).await).await.unwrap();
        let expected = [
            "correlate.v1.Coordinator",
            "correlate.v1.Operator",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
        ];
        assert_eq!(names, expected, "without an authority there is no Trust: {peer}");
        // Names stand in a descriptor as they are.
        let file = String::from_utf8_lossy(&file);
        assert!(file.contains("StartSession") && file.contains("operator.proto"), "{file}");
    }

    // A question too long to be one is not answered.
    let question = |len: usize| tonic_reflection::pb::v1::ServerReflectionRequest {
        host: "x".repeat(len),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    for (len, answered) in [(16_000, true), (17_000, false)] {
        let mut client = ServerReflectionClient::new(channel(&daemon, Peer::Local).await);
        let asked = client.server_reflection_info(tokio_stream::iter([question(len)])).await.unwrap();
        assert_eq!(
            asked.into_inner().message().await.is_ok_and(|answer| answer.is_some()),
            answered,
            "{len}"
        );
    }

    let directory = tempfile::tempdir().unwrap();
    crate::trust::Authority::init(directory.path(), &[]).unwrap();
    let with_authority = self::daemon(directory.path()).await;
    let (names, _) = described(channel(&with_authority, Peer::Local).await).await.unwrap();
    assert!(names.contains(&"correlate.v1.Trust".to_owned()), "{names:?}");
}

#[tokio::test]
async fn a_coordinator_inside_of_another_program_describes_nothing() {
    let embedded = crate::Embedded::start();
    let channel = over(embedded.connector().connect().unwrap()).await;
    assert_eq!(described(channel).await.unwrap_err().code(), Code::Unimplemented);
}
