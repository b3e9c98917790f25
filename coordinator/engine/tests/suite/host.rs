//! One end of a simulated connection: its numbers, clocks and addresses.

use super::rng::Rng;
use correlate_proto::{Direction, Endpoint};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What one stack counts and draws for one connection.
#[derive(Debug, Clone)]
pub(super) struct Stack {
    pub(super) isn: u32,
    /// Next octet to be sent, counted from the ISN: the SYN is 0.
    pub(super) next: u64,
    /// Octets received in order, counted from the peer's ISN; 0 before its SYN.
    pub(super) received: u64,
    /// Timestamp value at the beginning of virtual time.
    pub(super) stamp: u32,
    /// Timestamp values received in order, and when they came.
    echoes: Vec<(i64, u32)>,
    pub(super) ip_id: u16,
    pub(super) ttl: u8,
}

impl Stack {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self {
            isn: rng.bits32(),
            next: 0,
            received: 0,
            stamp: rng.bits32(),
            echoes: Vec::new(),
            ip_id: rng.bits16(),
            ttl: 64,
        }
    }
}

impl Stack {
    /// A segment with this timestamp value comes in order at `at`.
    pub(super) fn take_stamp(&mut self, at: i64, value: u32) {
        self.echoes.push((at, value));
    }

    /// The newest timestamp value that has come by `now`; 0 before the first.
    pub(super) fn echo(&self, now: i64) -> u32 {
        self.echoes.iter().rev().find(|(at, _)| *at <= now).map_or(0, |&(_, value)| value)
    }
}

/// The two ends of a connection as the client host names them, by [`Direction::index`] of what each sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends(pub(super) [Endpoint; 2]);

impl Ends {
    pub(super) fn v4(client_port: u16, server_port: u16) -> Self {
        let end = |last, port| Endpoint { addr: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port };
        Self([end(1, client_port), end(2, server_port)])
    }

    pub(super) fn v6(client_port: u16, server_port: u16) -> Self {
        let end =
            |last, port| Endpoint { addr: IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last)), port };
        Self([end(1, client_port), end(2, server_port)])
    }

    pub(super) fn of(self, sender: Direction) -> (Endpoint, Endpoint) {
        (self.0[sender.index()], self.0[sender.reversed().index()])
    }
}
