//! A relay with real sockets: it accepts the client's connections in one namespace and makes its own to the server from
//! another, and carries octets between them.

use crate::address::IpVersion;
use crate::error::LabError;
use crate::namespace::Namespace;
use crate::plan;
use crate::sys::wait::{is_readable, readable};
use socket2::{Domain, SockAddr, Socket, Type};
use std::collections::BTreeSet;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the relay tries to reach the server.
const CONNECT: Duration = Duration::from_secs(3);

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 256;

/// The relay's faces and addresses.
#[derive(Debug, Clone)]
pub(crate) struct Faces {
    pub(crate) how: plan::Relay,
    /// Where the client's connections end.
    pub(crate) front: Namespace,
    /// Where the relay's own begin.
    pub(crate) back: Namespace,
    pub(crate) ip: IpVersion,
}

/// A running relay; stops when dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Relay {
    /// Starts it; when this returns its ports are open.
    pub(crate) fn start(faces: Faces, ports: impl Iterator<Item = u16>) -> Result<Self, LabError> {
        let (wake, stop) = io::pipe().map_err(LabError::setup("make a pipe"))?;
        let ports: BTreeSet<u16> = ports.collect();
        let front = faces.how.front(faces.ip);
        let open = || ports.iter().map(|port| listen(SocketAddr::new(front, *port))).collect();
        let listeners: io::Result<Vec<TcpListener>> = faces.front.enter(open)?;
        let listeners = listeners.map_err(LabError::setup("open the relay's ports"))?;
        let inside = faces.front.clone();
        let thread = inside
            .spawn("relay", move || serve(&listeners, &faces, &wake))
            .map_err(LabError::setup("start the relay"))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Nobody is left to tell of an error.
            let _ = thread.join();
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts until `wake` is closed, then ends what is still open.
fn serve(listeners: &[TcpListener], faces: &Faces, wake: &PipeReader) {
    let mut carried: Vec<Carried> = Vec::new();
    let mut fds: Vec<BorrowedFd<'_>> = listeners.iter().map(AsFd::as_fd).collect();
    fds.push(wake.as_fd());
    while readable(&fds, None).is_ok() && !matches!(is_readable(wake.as_fd()), Ok(true) | Err(_)) {
        for listener in listeners {
            while let Ok((near, peer)) = listener.accept() {
                carried.extend(Carried::begin(near, peer, faces));
            }
        }
    }
    for connection in carried {
        connection.end();
    }
}

/// A connection of the client and the one that goes on from it.
struct Carried {
    near: Arc<TcpStream>,
    thread: JoinHandle<()>,
}

impl Carried {
    fn begin(near: TcpStream, peer: SocketAddr, faces: &Faces) -> Option<Self> {
        let near = Arc::new(near);
        let (stream, faces) = (Arc::clone(&near), faces.clone());
        let work = move || {
            // Without a server there is nothing to carry: the client's connection is closed.
            if let Ok(far) = call(&stream, peer, &faces) {
                carry_both(&stream, &far);
            }
            let _ = stream.shutdown(Shutdown::Both);
        };
        let thread = std::thread::Builder::new().name("relayed".to_owned()).spawn(work).ok()?;
        Some(Self { near, thread })
    }

    fn end(self) {
        // One that is over refuses, which is as good.
        let _ = self.near.shutdown(Shutdown::Both);
        let _ = self.thread.join();
    }
}

/// Calls the server for a connection of the client.
fn call(near: &TcpStream, peer: SocketAddr, faces: &Faces) -> io::Result<TcpStream> {
    near.set_nodelay(true)?;
    let server = SocketAddr::new(faces.ip.server(0), near.local_addr()?.port());
    let own = faces.how.back(faces.ip);
    let port = if faces.how == plan::Relay::Transparent { peer.port() } else { 0 };
    faces.back.enter(|| connect(own, port, server)).map_err(io::Error::other)?
}

fn connect(own: IpAddr, port: u16, server: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::new(own, port).into())?;
    socket.connect_timeout(&SockAddr::from(server), CONNECT)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

fn carry_both(near: &TcpStream, far: &TcpStream) {
    std::thread::scope(|scope| {
        scope.spawn(|| carry(near, far));
        carry(far, near);
    });
}

/// Carries octets one way until their end, and the end too; an error ends both ways.
fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    let failed = loop {
        match from.read(&mut buffer) {
            Ok(0) => break to.shutdown(Shutdown::Write).is_err(),
            Ok(got) if to.write_all(&buffer[..got]).is_ok() => {}
            Ok(_) | Err(_) => break true,
        }
    };
    if failed {
        for stream in [from, to] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
