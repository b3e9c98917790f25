//! The server's end.

use super::client::REJECT_ALL;
use super::flow::{Flow, Listener, Side};
use super::report::ServerReport;
use super::script::Walk;
use crate::sys::wait::{is_readable, readable};
use socket2::{Domain, Socket, Type};
use std::io::{self, PipeReader};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Connections that may wait to be accepted; more than any scenario opens at once.
const BACKLOG: i32 = 1024;

/// How long a server waits for its client, in ms: longer than any scenario. What ends it sooner is that its
/// socket is shut down when the clients are done.
const PATIENCE_MS: u64 = 60_000;

/// Where a flow is served.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) server: usize,
    pub(super) flow_index: usize,
    pub(super) settle_ms: u64,
    pub(super) seed: u64,
}

/// Opens the flow's port. `None` for a closed one.
pub(super) fn listen(flow: &Flow, address: IpAddr) -> io::Result<Option<TcpListener>> {
    if flow.listener == Listener::Closed {
        return Ok(None);
    }
    let address = SocketAddr::new(address, flow.port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if flow.listener == Listener::Deaf {
        socket.attach_filter(&REJECT_ALL)?;
    }
    socket.bind(&address.into())?;
    socket.listen(if flow.listener == Listener::NeverAccepts { 0 } else { BACKLOG })?;
    socket.set_nonblocking(true)?;
    Ok(Some(socket.into()))
}

/// A connection that is being served. Its thread owns the stream: only so does it close when the script says.
struct Served {
    stream: Weak<TcpStream>,
    thread: JoinHandle<ServerReport>,
}

/// Accepts and serves until `wake` is closed, then lets the connections settle and reports them.
pub(super) fn serve(
    listener: &TcpListener,
    flow: &Flow,
    place: &Place,
    wake: &PipeReader,
) -> Vec<ServerReport> {
    let mut served = Vec::new();
    let (done, is_done) = channel();
    while readable(&[listener.as_fd(), wake.as_fd()], None).is_ok()
        && !matches!(is_readable(wake.as_fd()), Ok(true) | Err(_))
    {
        if flow.listener == Listener::NeverAccepts {
            // Only the end is waited for; the readable listener would not let us sleep.
            let _ = readable(&[wake.as_fd()], None);
            continue;
        }
        while let Ok((stream, peer)) = listener.accept() {
            served.extend(start(stream, peer, flow, place, &done));
        }
    }
    settle(served, &is_done, place)
}

fn start(
    stream: TcpStream,
    peer: SocketAddr,
    flow: &Flow,
    place: &Place,
    done: &Sender<()>,
) -> Option<Served> {
    let stream = Arc::new(stream);
    let weak = Arc::downgrade(&stream);
    let (flow, place, done) = (flow.clone(), place.clone(), done.clone());
    let work = move || {
        let mut report = ServerReport {
            server: place.server,
            flow: place.flow_index,
            peer: Some(peer),
            ..ServerReport::default()
        };
        let seed = place.seed ^ u64::from(peer.port());
        let result = Walk::new(Side::Server, stream, PATIENCE_MS, seed).and_then(|mut walk| {
            let walked = walk.walk(&flow.script);
            (report.sent, report.received) = (walk.sent, walk.received);
            walked
        });
        report.error = result.err().map(|error| error.to_string());
        // The receiver may have stopped listening.
        let _ = done.send(());
        report
    };
    let thread = std::thread::Builder::new().name("serve".to_owned()).spawn(work).ok()?;
    Some(Served { stream: weak, thread })
}

/// Gives the connections time to end by themselves, then ends them.
fn settle(served: Vec<Served>, is_done: &Receiver<()>, place: &Place) -> Vec<ServerReport> {
    let deadline = Instant::now() + Duration::from_millis(place.settle_ms);
    for _ in &served {
        if is_done.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_err() {
            break;
        }
    }
    served
        .into_iter()
        .map(|connection| {
            if let Some(stream) = connection.stream.upgrade() {
                // One that its peer has reset refuses, which is as good.
                let _ = stream.shutdown(Shutdown::Both);
            }
            connection.thread.join().unwrap_or_else(|_| ServerReport {
                server: place.server,
                flow: place.flow_index,
                error: Some("the server thread panicked".to_owned()),
                ..ServerReport::default()
            })
        })
        .collect()
}
