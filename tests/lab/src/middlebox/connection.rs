//! What the middlebox remembers of a connection.

use crate::ledger::Leg;
use crate::wire::view::View;
use correlate_proto::{Direction, FourTuple, TcpFlags};
use std::collections::BTreeMap;

/// What a host says of the room that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Window {
    /// There is some.
    #[default]
    Open,
    /// There is none.
    Shut,
    /// There is some again, and the other side has not spoken since it was said.
    Reopened,
}

/// One connection, or rather its newest incarnation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    isn: Option<u32>,
    last_ns: Option<i64>,
    ttl: [Option<u8>; 2],
    counts: Vec<u32>,
    /// The window that a direction announces.
    windows: [Window; 2],
    /// Set by a rule that marks.
    pub(crate) marked: bool,
}

/// All connections, by their tuple from client to server as their client sees it, and their leg. They are kept for the life of
/// the lab: a scenario makes hundreds, not millions.
#[derive(Debug, Default)]
pub(crate) struct Connections(BTreeMap<(FourTuple, Leg), Connection>);

impl Connections {
    /// The connection of a packet, begun anew when a SYN with another ISN reuses the tuple.
    pub(crate) fn of(
        &mut self,
        connection: (FourTuple, Leg),
        direction: Direction,
        view: &View,
    ) -> &mut Connection {
        let connection = self.0.entry(connection).or_default();
        if let Some(tcp) = view.tcp() {
            if direction == Direction::ClientToServer && tcp.flags.is_syn() && connection.isn != Some(tcp.seq)
            {
                *connection = Connection { isn: Some(tcp.seq), ..Connection::default() };
            }
            connection.ttl[direction.index()] = Some(view.ip.ttl);
        }
        connection
    }

    /// TTL of the newest packet in `direction`, if one was seen.
    pub(crate) fn ttl(&self, connection: (FourTuple, Leg), direction: Direction) -> Option<u8> {
        self.0.get(&connection)?.ttl[direction.index()]
    }
}

impl Connection {
    /// How long the connection was silent before `at_ns`, in ns; notes the packet.
    pub(crate) fn touch(&mut self, at_ns: i64) -> u64 {
        let before = self.last_ns.replace(at_ns).unwrap_or(at_ns);
        u64::try_from(at_ns - before).unwrap_or(0)
    }

    /// Whether the packet opens a window that was closed, and the other side has not spoken since the first that did;
    /// notes its own window.
    pub(crate) fn reopens(&mut self, direction: Direction, view: &View) -> bool {
        let Some(tcp) = view.tcp() else { return false };
        let other = &mut self.windows[direction.reversed().index()];
        if *other == Window::Reopened {
            *other = Window::Open;
        }
        let own = &mut self.windows[direction.index()];
        let greets_or_resets = tcp.flags.0 & (TcpFlags::SYN.0 | TcpFlags::RST.0) != 0;
        *own = match *own {
            before if greets_or_resets => before,
            _ if tcp.window == 0 => Window::Shut,
            Window::Shut | Window::Reopened => Window::Reopened,
            Window::Open => Window::Open,
        };
        *own == Window::Reopened && !greets_or_resets
    }

    /// Counts a packet that fits rule `rule`; gives its number, from 1.
    pub(crate) fn count(&mut self, rule: usize) -> u32 {
        if self.counts.len() <= rule {
            self.counts.resize(rule + 1, 0);
        }
        self.counts[rule] += 1;
        self.counts[rule]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::forge::Segment;
    use correlate_proto::Endpoint;

    /// An ACK with this window.
    fn ack(window: u16) -> View {
        let end = Endpoint { addr: crate::IpVersion::V4.client(), port: 1 };
        let tuple = FourTuple { src: end, dst: end };
        let (flags, options) = (TcpFlags::ACK, Vec::new());
        let segment = Segment { tuple, seq: 1, ack: 1, flags, window, options, ttl: 64, ip_id: 0 };
        View::read(segment.frame([0; 6]).ethernet()).unwrap()
    }

    #[test]
    fn only_what_opens_a_closed_window_unasked_reopens_it() {
        let mut connection = Connection::default();
        let (own, other) = (Direction::ServerToClient, Direction::ClientToServer);
        let steps = [(own, 9, false), (own, 0, false), (other, 5, false), (own, 0, false), (own, 7, true)];
        let more = [(own, 8, true), (other, 5, false), (own, 8, false)];
        for (step, (direction, window, reopens)) in steps.into_iter().chain(more).enumerate() {
            assert_eq!(connection.reopens(direction, &ack(window)), reopens, "step {step}");
        }
    }
}
