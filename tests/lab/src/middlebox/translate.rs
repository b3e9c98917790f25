//! Network address translation, both ways.

use crate::address::IpVersion;
use crate::plan::Translation;
use correlate_proto::{Direction, Endpoint, FourTuple};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where a packet goes and how it is addressed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Routed {
    /// Four-tuple as it leaves.
    pub(crate) left: FourTuple,
    /// The connection's tuple as the client sees it, from client to server.
    pub(crate) client_side: FourTuple,
    /// The server concerned, from 0.
    pub(crate) server: usize,
}

/// The first port that source translation hands out.
const FIRST_TRANSLATED_PORT: u16 = 50_000;

/// Keeps what was translated to what, for the life of the lab.
#[derive(Debug)]
pub(crate) struct Translator {
    how: Translation,
    servers: BTreeMap<IpAddr, usize>,
    server_count: usize,
    outward: BTreeMap<FourTuple, FourTuple>,
    inward: BTreeMap<FourTuple, FourTuple>,
}

impl Translator {
    /// A translator in front of `server_count` servers.
    pub(crate) fn new(how: Translation, server_count: usize) -> Self {
        let servers = [IpVersion::V4, IpVersion::V6]
            .into_iter()
            .flat_map(|ip| (0..server_count).map(move |index| (ip.server(index), index)))
            .collect();
        Self { how, servers, server_count, outward: BTreeMap::new(), inward: BTreeMap::new() }
    }

    /// Routes a TCP packet; `None` if it goes to no host that there is.
    pub(crate) fn route(&mut self, direction: Direction, came: FourTuple) -> Option<Routed> {
        match direction {
            Direction::ClientToServer => {
                let left = self.outward(came);
                let server = *self.servers.get(&left.dst.addr)?;
                Some(Routed { left, client_side: came, server })
            }
            Direction::ServerToClient => {
                let server = *self.servers.get(&came.src.addr)?;
                let client_side = self.inward.get(&came.reversed()).copied().unwrap_or(came.reversed());
                Some(Routed { left: client_side.reversed(), client_side, server })
            }
        }
    }

    /// Routes an ICMP error that quotes TCP. `left` is the outer pair of addresses.
    pub(crate) fn route_icmp(
        &mut self,
        direction: Direction,
        came: FourTuple,
        quoted: FourTuple,
    ) -> Option<Routed> {
        // The quoted packet travelled the other way.
        let about = self.route(direction, quoted.reversed())?;
        // A router between may have sent it; then only the destination is translated.
        let src = if came.src.addr == quoted.dst.addr { about.left.src.addr } else { came.src.addr };
        let address = |addr| Endpoint { addr, port: 0 };
        let left = FourTuple { src: address(src), dst: address(about.left.dst.addr) };
        Some(Routed { left, ..about })
    }

    /// A connection's tuple as its server sees it, from client to server.
    pub(crate) fn server_side(&self, client_side: FourTuple) -> FourTuple {
        self.outward.get(&client_side).copied().unwrap_or(client_side)
    }

    fn outward(&mut self, came: FourTuple) -> FourTuple {
        if let Some(left) = self.outward.get(&came) {
            return *left;
        }
        let left = self.translate(came);
        if left != came {
            self.outward.insert(came, left);
            self.inward.insert(left, came);
        }
        left
    }

    /// A new translation. Ports wrap around and are then shared by connections to different servers only.
    fn translate(&self, came: FourTuple) -> FourTuple {
        let made = u16::try_from(self.outward.len() % 15_000).unwrap_or(0);
        let ip = if came.src.addr.is_ipv4() { IpVersion::V4 } else { IpVersion::V6 };
        match self.how {
            Translation::Source if came.src.addr == ip.client() => FourTuple {
                src: Endpoint { addr: ip.translated(), port: FIRST_TRANSLATED_PORT + made },
                dst: came.dst,
            },
            Translation::SourceOnePort if came.src.addr == ip.client() => FourTuple {
                src: Endpoint { addr: ip.translated(), port: FIRST_TRANSLATED_PORT },
                dst: came.dst,
            },
            Translation::Service if came.dst.addr == ip.service() => {
                let server = usize::from(made) % self.server_count;
                FourTuple { src: came.src, dst: Endpoint { addr: ip.server(server), port: came.dst.port } }
            }
            Translation::None | Translation::Source | Translation::SourceOnePort | Translation::Service => {
                came
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(port: u16, to: IpAddr) -> FourTuple {
        FourTuple {
            src: Endpoint { addr: IpVersion::V4.client(), port },
            dst: Endpoint { addr: to, port: 80 },
        }
    }

    #[test]
    fn what_goes_out_translated_comes_back_as_it_was() {
        let mut nat = Translator::new(Translation::Source, 1);
        for port in [4000, 4001, 4000] {
            let came = call(port, IpVersion::V4.server(0));
            let out = nat.route(Direction::ClientToServer, came).unwrap();
            assert_eq!(out.left.src.addr, IpVersion::V4.translated());
            let back = nat.route(Direction::ServerToClient, out.left.reversed()).unwrap();
            assert_eq!(back.left, came.reversed());
            assert_eq!(back.client_side, came);
        }
    }

    #[test]
    fn a_service_spreads_over_its_servers_in_turn() {
        let mut nat = Translator::new(Translation::Service, 2);
        let servers: Vec<usize> = [1, 2, 3, 1]
            .iter()
            .map(|port| {
                nat.route(Direction::ClientToServer, call(*port, IpVersion::V4.service())).unwrap().server
            })
            .collect();
        assert_eq!(servers, [0, 1, 0, 0]);
    }

    #[test]
    fn an_address_of_no_host_goes_nowhere() {
        let mut nat = Translator::new(Translation::None, 1);
        assert_eq!(nat.route(Direction::ClientToServer, call(1, IpVersion::V4.server(1))), None);
    }
}
