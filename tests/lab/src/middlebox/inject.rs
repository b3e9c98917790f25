//! Packets that the middlebox makes itself.

use super::bridge::{Bridge, signed};
use super::packet::Packet;
use crate::address::host_mac;
use crate::rule::{IcmpMessage, RstInjection, Toward, Trigger};
use crate::wire::forge::{Segment, icmp_error};
use correlate_proto::{Direction, TcpFlags};

/// Default TTL of forged packets whose model was never seen.
const TTL: u8 = 64;

impl Bridge {
    /// Forges the resets of one injection. `due_ns` is when the trigger leaves, or would have left.
    pub(super) fn inject(&mut self, trigger: &Packet, injection: &RstInjection, rule: &str, due_ns: i64) {
        let (to_client, to_server) = match injection.toward {
            Toward::Client => (true, false),
            Toward::Server => (false, true),
            Toward::Both => (true, true),
        };
        let (onward, back) = match trigger.way.direction {
            Direction::ClientToServer => (to_server, to_client),
            Direction::ServerToClient => (to_client, to_server),
        };
        let after_ns = signed(injection.after_us * 1000);
        if onward {
            self.reset_receiver(trigger, injection, rule, due_ns + after_ns);
        }
        if back {
            let due_ns = trigger.at_ns + signed(self.path_delay_ns(trigger.way.direction.reversed()));
            self.reset_sender(trigger, injection, rule, due_ns + after_ns);
        }
    }

    /// As if from the trigger's sender: it continues where the trigger ended, or would have begun.
    fn reset_receiver(&mut self, trigger: &Packet, injection: &RstInjection, rule: &str, due_ns: i64) {
        let Some(tcp) = trigger.view.tcp() else { return };
        let passed = match injection.trigger {
            Trigger::Forwarded => tcp.seq_len(),
            Trigger::Dropped => 0,
        };
        let segment = Segment {
            tuple: trigger.way.left,
            seq: tcp.seq.wrapping_add(passed).wrapping_add(injection.seq_offset),
            ack: tcp.ack,
            flags: TcpFlags(TcpFlags::RST.0 | TcpFlags::ACK.0),
            window: 0,
            options: Vec::new(),
            ttl: self.forged_ttl(trigger, injection, trigger.way.direction),
            ip_id: injection.ip_id,
        };
        self.send_forged(trigger, segment.frame(host_mac(trigger.way.exit)), due_ns, rule);
    }

    /// As if from the trigger's receiver: its sequence number is what the trigger acknowledges.
    fn reset_sender(&mut self, trigger: &Packet, injection: &RstInjection, rule: &str, due_ns: i64) {
        let Some(tcp) = trigger.view.tcp() else { return };
        let segment = Segment {
            tuple: trigger.view.tuple.reversed(),
            seq: tcp.ack.wrapping_add(injection.seq_offset),
            ack: tcp.seq.wrapping_add(tcp.seq_len()),
            flags: TcpFlags(TcpFlags::RST.0 | TcpFlags::ACK.0),
            window: 0,
            options: Vec::new(),
            ttl: self.forged_ttl(trigger, injection, trigger.way.direction.reversed()),
            ip_id: injection.ip_id,
        };
        self.send_forged(trigger, segment.frame(host_mac(trigger.way.entrance)), due_ns, rule);
    }

    /// Answers a packet as a closed port would (RFC 9293 §3.5.2).
    pub(super) fn refuse(&mut self, packet: &Packet, rule: &str) {
        let injection = RstInjection::toward(Toward::Client);
        let due_ns = packet.at_ns + signed(self.path_delay_ns(packet.way.direction.reversed()));
        self.reset_sender(packet, &injection, rule, due_ns);
    }

    /// Sends a forged segment back to the packet's sender, or onward to its receiver, as if each from the other. Its
    /// tuple is set here.
    pub(super) fn answer(&mut self, packet: &Packet, back: bool, segment: &Segment, rule: &str) {
        let way = packet.way;
        let (tuple, port, direction) = if back {
            (packet.view.tuple.reversed(), way.entrance, way.direction.reversed())
        } else {
            (way.left, way.exit, way.direction)
        };
        let due_ns = packet.at_ns + signed(self.path_delay_ns(direction));
        let frame = Segment { tuple, ..segment.clone() }.frame(host_mac(port));
        self.send_forged(packet, frame, due_ns, rule);
    }

    /// Tells a packet's sender by ICMP that it was not forwarded.
    pub(super) fn reject(&mut self, packet: &Packet, message: IcmpMessage, rule: &str) {
        let due_ns = packet.at_ns + signed(self.path_delay_ns(packet.way.direction.reversed()));
        let sender = (packet.view.tuple.src.addr, host_mac(packet.way.entrance));
        let frame = icmp_error(packet.frame.ethernet(), message, self.setting.ip.middle(), sender);
        self.send_forged(packet, frame, due_ns, rule);
    }

    /// TTL of a packet forged in the name of the host that sends in `direction`.
    fn forged_ttl(&self, trigger: &Packet, injection: &RstInjection, direction: Direction) -> u8 {
        injection.ttl.unwrap_or_else(|| {
            let seen = self
                .decider
                .connections
                .ttl((trigger.way.client_side, trigger.way.leg), direction)
                .unwrap_or(TTL);
            seen.saturating_sub(self.setting.plan.hops).max(1)
        })
    }
}
