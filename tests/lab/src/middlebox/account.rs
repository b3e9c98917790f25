//! Writing a packet into the ledger.

use super::packet::Packet;
use crate::ledger::{Done, Entry, Protocol};
use crate::wire::view::View;
use correlate_proto::TcpFlags;

/// The ledger's entry for what was done to a packet that goes on as `left`.
pub(super) fn entry(packet: &Packet, left: &View, done: Done, rules: &str, delay_ns: i64) -> Entry {
    let (tcp, way) = (packet.view.tcp(), packet.way);
    let mut entry = Entry {
        at_in_ns: packet.at_ns,
        at_out_ns: None,
        direction: way.direction,
        protocol: if tcp.is_some() { Protocol::Tcp } else { Protocol::Icmp },
        connection: way.client_side,
        leg: way.leg,
        came: packet.view.tuple,
        left: way.left,
        server: way.server,
        ip_id: packet.view.ip.id,
        ip_len: packet.view.ip.len,
        seq: tcp.map_or(0, |tcp| tcp.seq),
        ack: tcp.map_or(0, |tcp| tcp.ack),
        flags: tcp.map_or(TcpFlags(0), |tcp| tcp.flags),
        payload_len: tcp.map_or(0, |tcp| tcp.payload_len),
        gso_size: packet.frame.gso_size(),
        wire_segments: packet.wire().len(),
        tsval: tcp.and_then(|tcp| tcp.tsval),
        sack_blocks: tcp.map_or(0, |tcp| tcp.sack_blocks),
        done,
        rule: rules.to_owned(),
        delay_ns: u64::try_from(delay_ns).unwrap_or(0),
        seq_left: 0,
        ack_left: 0,
        ip_id_left: None,
        flags_left: TcpFlags(0),
        payload_len_left: 0,
        tsval_left: None,
        fragments: 1,
    };
    leaves_as(&mut entry, left);
    entry
}

/// Notes that the packet of an earlier entry leaves otherwise than it was going to, by this rule.
pub(super) fn changes(entry: &mut Entry, left: &View, rule: &str) {
    leaves_as(entry, left);
    entry.done = Done::Rewrite;
    if !entry.is_by(rule) {
        entry.rule = joined(std::mem::take(&mut entry.rule), rule);
    }
}

/// One more name in a list of rules.
pub(super) fn joined(rules: String, rule: &str) -> String {
    if rules.is_empty() { rule.to_owned() } else { rules + "+" + rule }
}

fn leaves_as(entry: &mut Entry, left: &View) {
    let tcp = left.tcp();
    entry.seq_left = tcp.map_or(0, |tcp| tcp.seq);
    entry.ack_left = tcp.map_or(0, |tcp| tcp.ack);
    entry.ip_id_left = left.ip.id;
    entry.flags_left = tcp.map_or(TcpFlags(0), |tcp| tcp.flags);
    entry.payload_len_left = tcp.map_or(0, |tcp| tcp.payload_len);
    entry.tsval_left = tcp.and_then(|tcp| tcp.tsval);
}
