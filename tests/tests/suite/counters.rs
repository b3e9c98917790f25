//! A host's counters, read in the namespace that is captured, show what no packet shows.

use crate::support::recording::{SEEDS, recording};
use crate::support::report::Report;
use crate::support::scratch;
use correlate_agent::host::{CounterReader, Namespace};
use correlate_lab::{Lab, LabError, find};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

/// Connects that find the queue full: each is dropped without a packet in answer.
const TOO_MANY: usize = 5;

#[test]
fn a_full_accept_queue_moves_the_counters_of_its_own_namespace_and_of_no_other() {
    let scenario = find("clean-one");
    let lab = match Lab::start(&scenario.expect("a scenario"), 1) {
        Ok(lab) => lab,
        Err(error @ LabError::NoPrivilege { .. }) => return scratch::skip(&error.to_string()),
        Err(error) => panic!("{error}"),
    };
    let open = |path: &std::path::Path| {
        let mut reader = Namespace::named(path).run(CounterReader::open).expect("enters").expect("counters");
        let first = reader.read().expect("counters").deltas;
        assert!(
            first.contains_key("TcpExtListenOverflows") && first.contains_key("conntrack:drop"),
            "{first:?}"
        );
        reader
    };
    let server = lab.server(0).expect("a server");
    let (server_path, client_path) = (server.namespace.path(), lab.client().namespace.path());
    let (mut at_server, mut at_client) = (open(&server_path), open(&client_path));

    let full = server.namespace.enter(fill_a_queue).expect("enters").expect("sockets");
    let began = Instant::now();
    let moved = at_server.read().expect("counters").deltas;
    let took = began.elapsed();
    let elsewhere = at_client.read().expect("counters").deltas;
    drop(full);

    scratch::say(&format!("counters: read in {} µs, {} moved", took.as_micros(), moved.len()));
    for name in ["TcpExtListenOverflows", "TcpExtListenDrops"] {
        assert!(moved.get(name).is_some_and(|by| usize::try_from(*by) == Ok(TOO_MANY)), "{name}: {moved:?}");
        assert_eq!(elsewhere.get(name), None, "{name}");
    }
    let still = at_server.read().expect("counters").deltas;
    assert_eq!(still.get("TcpExtListenOverflows"), None, "what moved is told once: {still:?}");
}

#[test]
fn a_live_capture_names_the_counter_of_a_full_queue() {
    let scenario = find("accept-queue-full").expect("a scenario");
    let Some(recorded) = recording(&scenario, SEEDS[0]) else { return };
    let report = Report::read(&recorded.live).expect("a report");
    let found = report.finding("accept-queue-full").expect("the counters tell");
    let counters = &found.field("details")["counters"];
    assert!(counters["TcpExtListenOverflows"].as_u64() > Some(0), "{}", found.shown());
    assert_eq!(found.text("location"), "server-host");
}

/// A listener that accepts nobody, with one connection in its queue of one, and some that found it full.
fn fill_a_queue() -> io::Result<Vec<Socket>> {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    listener.listen(0)?;
    let address = listener.local_addr()?;
    let first = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    first.connect(&address)?;
    let mut sockets = vec![listener, first];
    for _ in 0..TOO_MANY {
        let late = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        late.set_nonblocking(true)?;
        // The SYN is dropped before this returns: the connect stays in progress.
        match late.connect(&address) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => sockets.push(late),
            Err(error) => return Err(error),
            Ok(()) => return Err(io::Error::other("there was room in the queue")),
        }
    }
    Ok(sockets)
}
