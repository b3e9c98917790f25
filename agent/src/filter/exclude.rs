//! What is kept out of a capture however wide the filter: the program's own traffic.

use super::ast::{Expr, Primitive, Way};
use super::names::TCP;
use correlate_proto::Endpoint;
use std::net::IpAddr;

/// Traffic that is never captured, in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// One connection.
    Connection(Endpoint, Endpoint),
    /// All connections of an address and port.
    Endpoint(Endpoint),
    /// All connections of a TCP port.
    Port(u16),
}

impl Exclusion {
    pub(super) fn expr(self) -> Expr {
        match self {
            Self::Connection(a, b) => {
                let there = and(end(a, Way::Src), end(b, Way::Dst));
                let back = and(end(b, Way::Src), end(a, Way::Dst));
                Expr::Or(Box::new(there), Box::new(back))
            }
            Self::Endpoint(endpoint) => {
                Expr::Or(Box::new(end(endpoint, Way::Src)), Box::new(end(endpoint, Way::Dst)))
            }
            Self::Port(port) => ports(port, Way::Either),
        }
    }
}

fn and(left: Expr, right: Expr) -> Expr {
    Expr::And(Box::new(left), Box::new(right))
}

fn ports(port: u16, way: Way) -> Expr {
    Expr::Test(Primitive::Ports { way, protocols: &[TCP], low: port, high: port })
}

fn end(endpoint: Endpoint, way: Way) -> Expr {
    let address = match endpoint.addr {
        IpAddr::V4(v4) => Primitive::Address4 { way, address: v4.into(), mask: u32::MAX, arp: false },
        IpAddr::V6(v6) => Primitive::Address6 { way, address: v6.into(), mask: u128::MAX },
    };
    and(ports(endpoint.port, way), Expr::Test(address))
}
