//! A packet inside the middlebox.

use crate::wire::frame::Frame;
use crate::wire::view::View;
use correlate_proto::{Direction, FourTuple};

/// A packet with what was found out about it.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) at_ns: i64,
    pub(super) direction: Direction,
    pub(super) view: View,
    pub(super) frame: Frame,
    pub(super) left: FourTuple,
    pub(super) client_side: FourTuple,
    pub(super) server: usize,
}

impl Packet {
    /// Port that it leaves by, if it passes.
    pub(super) const fn exit(&self) -> usize {
        match self.direction {
            Direction::ClientToServer => self.server + 1,
            Direction::ServerToClient => 0,
        }
    }

    /// Port that it came in by.
    pub(super) const fn entrance(&self) -> usize {
        match self.direction {
            Direction::ClientToServer => 0,
            Direction::ServerToClient => self.server + 1,
        }
    }
}

/// Octets of the IP packet as it is on a wire.
pub(super) fn wire_ip_len(packet: &Packet) -> usize {
    match (packet.view.tcp(), packet.frame.gso_size()) {
        (Some(tcp), size) if size > 0 => {
            packet.view.ip.len.min(packet.view.ip.header_len + tcp.header_len + usize::from(size))
        }
        _ => packet.view.ip.len,
    }
}
