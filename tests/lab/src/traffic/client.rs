//! The client's end.

use super::flow::{Caller, Flow, Pace, Side};
use super::report::ClientReport;
use super::script::Walk;
use socket2::{Domain, SockAddr, SockFilter, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A classic BPF program that accepts nothing: the stack drops each packet for the socket.
pub(super) const REJECT_ALL: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, 0)]; // ret #0

/// The addresses of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    pub(super) seed: u64,
}

/// Runs all connections of a flow and reports them. Runs inside the client's namespace.
pub(super) fn run_flow(index: usize, flow: &Flow, call: Call) -> Vec<ClientReport> {
    std::thread::sleep(Duration::from_millis(flow.start_ms));
    match flow.pace {
        Pace::Sequential(gap_ms) => (0..flow.connections)
            .map(|number| {
                if number > 0 {
                    std::thread::sleep(Duration::from_millis(gap_ms));
                }
                connection(index, number, flow, call)
            })
            .collect(),
        Pace::Concurrent(gap_ms) => std::thread::scope(|scope| {
            let mut running = Vec::new();
            for number in 0..flow.connections {
                running.push(scope.spawn(move || connection(index, number, flow, call)));
                std::thread::sleep(Duration::from_millis(gap_ms));
            }
            (0u32..)
                .zip(running)
                .map(|(number, thread)| thread.join().unwrap_or_else(|_| panicked(index, number)))
                .collect()
        }),
    }
}

fn panicked(flow: usize, number: u32) -> ClientReport {
    ClientReport {
        flow,
        number,
        error: Some("the client thread panicked".to_owned()),
        ..ClientReport::default()
    }
}

fn connection(index: usize, number: u32, flow: &Flow, call: Call) -> ClientReport {
    let remote = SocketAddr::new(call.to, flow.port);
    let mut report = ClientReport { flow: index, number, remote: Some(remote), ..ClientReport::default() };
    let result = connect(flow, call.from, remote).and_then(|stream| {
        report.connected = true;
        report.local = stream.local_addr().ok();
        let mut walk =
            Walk::new(Side::Client, Arc::new(stream), flow.io_timeout_ms, call.seed ^ u64::from(number))?;
        let walked = walk.walk(&flow.script);
        (report.sent, report.received) = (walk.sent, walk.received);
        walked
    });
    report.error = result.err().map(|error| error.to_string());
    report
}

fn connect(flow: &Flow, from: IpAddr, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(remote), Type::STREAM, None)?;
    match flow.caller {
        Caller::Usual => {}
        Caller::Deaf => socket.attach_filter(&REJECT_ALL)?,
        Caller::KeepsAlive(seconds) => {
            let silence = Duration::from_secs(seconds);
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(silence).with_interval(silence))?;
        }
    }
    if let Some(port) = flow.client_port {
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::new(from, port).into())?;
    }
    socket.connect_timeout(&SockAddr::from(remote), Duration::from_millis(flow.connect_timeout_ms))?;
    Ok(socket.into())
}
