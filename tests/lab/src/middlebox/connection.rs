//! What the middlebox remembers of a connection.

use crate::wire::view::View;
use correlate_proto::{Direction, FourTuple};
use std::collections::BTreeMap;

/// One connection, or rather its newest incarnation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    isn: Option<u32>,
    last_ns: Option<i64>,
    ttl: [Option<u8>; 2],
    counts: Vec<u32>,
    /// Set by a rule that marks.
    pub(crate) marked: bool,
}

/// All connections, by their tuple from client to server as the client sees it. They are kept for the life of
/// the lab: a scenario makes hundreds, not millions.
#[derive(Debug, Default)]
pub(crate) struct Connections(BTreeMap<FourTuple, Connection>);

impl Connections {
    /// The connection of a packet, begun anew when a SYN with another ISN reuses the tuple.
    pub(crate) fn of(
        &mut self,
        client_side: FourTuple,
        direction: Direction,
        view: &View,
    ) -> &mut Connection {
        let connection = self.0.entry(client_side).or_default();
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
    pub(crate) fn ttl(&self, client_side: FourTuple, direction: Direction) -> Option<u8> {
        self.0.get(&client_side)?.ttl[direction.index()]
    }
}

impl Connection {
    /// How long the connection was silent before `at_ns`, in ns; notes the packet.
    pub(crate) fn touch(&mut self, at_ns: i64) -> u64 {
        let before = self.last_ns.replace(at_ns).unwrap_or(at_ns);
        u64::try_from(at_ns - before).unwrap_or(0)
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
