//! Writing a packet into the ledger.

use super::packet::Packet;
use crate::ledger::{Done, Entry, Protocol};
use crate::wire::view::View;
use correlate_proto::TcpFlags;

/// The ledger's entry for what was done to a packet that goes on as `left`.
pub(super) fn entry(packet: &Packet, left: &View, done: Done, rules: &str, delay_ns: i64) -> Entry {
    let (tcp, tcp_left) = (packet.view.tcp(), left.tcp());
    let payload_len = tcp.map_or(0, |tcp| tcp.payload_len);
    let gso_size = packet.frame.gso_size();
    Entry {
        at_in_ns: packet.at_ns,
        at_out_ns: None,
        direction: packet.direction,
        protocol: if tcp.is_some() { Protocol::Tcp } else { Protocol::Icmp },
        connection: packet.client_side,
        came: packet.view.tuple,
        left: packet.left,
        server: packet.server,
        ip_id: packet.view.ip.id,
        ip_len: packet.view.ip.len,
        seq: tcp.map_or(0, |tcp| tcp.seq),
        ack: tcp.map_or(0, |tcp| tcp.ack),
        flags: tcp.map_or(TcpFlags(0), |tcp| tcp.flags),
        payload_len,
        gso_size,
        wire_segments: if gso_size == 0 { 1 } else { payload_len.div_ceil(usize::from(gso_size)).max(1) },
        tsval: tcp.and_then(|tcp| tcp.tsval),
        sack_blocks: tcp.map_or(0, |tcp| tcp.sack_blocks),
        done,
        rule: rules.to_owned(),
        delay_ns: u64::try_from(delay_ns).unwrap_or(0),
        seq_left: tcp_left.map_or(0, |tcp| tcp.seq),
        ack_left: tcp_left.map_or(0, |tcp| tcp.ack),
    }
}
