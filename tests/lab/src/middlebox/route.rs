//! Which way a packet goes.

use super::translate::Translator;
use crate::ledger::Leg;
use crate::plan::Plan;
use crate::wire::view::{Carried, View};
use correlate_proto::{Direction, FourTuple};

/// Where a packet comes from and where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) direction: Direction,
    /// Four-tuple as it leaves.
    pub(super) left: FourTuple,
    /// The connection's tuple as its client sees it, from client to server.
    pub(super) client_side: FourTuple,
    /// The server concerned, from 0.
    pub(super) server: usize,
    pub(super) leg: Leg,
    /// Port that it came in by.
    pub(super) entrance: usize,
    /// Port that it leaves by, if it passes.
    pub(super) exit: usize,
}

impl Way {
    /// The way of an answer to the packet.
    pub(super) const fn back(self) -> Self {
        Self { direction: self.direction.reversed(), entrance: self.exit, exit: self.entrance, ..self }
    }
}

/// Knows the ports: the client's is 0, then come the servers', then the two faces of a relay if there is one.
#[derive(Debug)]
pub(super) struct Router {
    translator: Translator,
    servers: usize,
    has_relay: bool,
}

impl Router {
    /// A router in front of `servers` servers.
    pub(super) fn new(plan: &Plan, servers: usize) -> Self {
        let translator = Translator::new(plan.translation, servers);
        Self { translator, servers, has_relay: plan.relay.is_some() }
    }

    /// The way that the packets of a port travel.
    pub(super) const fn direction(&self, port: usize) -> Direction {
        if port == 0 || port == self.servers + 2 {
            Direction::ClientToServer
        } else {
            Direction::ServerToClient
        }
    }

    /// The way of a packet that came in at `port`; `None` if it goes to no host that there is.
    pub(super) fn route(&mut self, port: usize, view: &View) -> Option<Way> {
        let direction = self.direction(port);
        if self.has_relay {
            return Some(self.relayed(port, direction, view));
        }
        let routed = match view.carried {
            Carried::Tcp(_) => self.translator.route(direction, view.tuple),
            Carried::IcmpError { quoted } => self.translator.route_icmp(direction, view.tuple, quoted),
        }?;
        let (entrance, exit) = match direction {
            Direction::ClientToServer => (port, routed.server + 1),
            Direction::ServerToClient => (port, 0),
        };
        let (left, client_side, server) = (routed.left, routed.client_side, routed.server);
        Some(Way { direction, left, client_side, server, leg: Leg::Whole, entrance, exit })
    }

    /// A relay's front talks to the client and its back to the first server.
    const fn relayed(&self, port: usize, direction: Direction, view: &View) -> Way {
        let (front, back) = (self.servers + 1, self.servers + 2);
        let (leg, exit) = match port {
            0 => (Leg::Near, front),
            at if at == front => (Leg::Near, 0),
            at if at == back => (Leg::Far, 1),
            _ => (Leg::Far, back),
        };
        let along = match view.carried {
            Carried::Tcp(_) => view.tuple,
            // The quoted packet travelled the other way.
            Carried::IcmpError { quoted } => quoted.reversed(),
        };
        let client_side = match direction {
            Direction::ClientToServer => along,
            Direction::ServerToClient => along.reversed(),
        };
        Way { direction, left: view.tuple, client_side, server: 0, leg, entrance: port, exit }
    }

    /// A connection's tuple as its server sees it, from client to server.
    pub(super) fn server_side(&self, client_side: FourTuple) -> FourTuple {
        self.translator.server_side(client_side)
    }
}
