//! A simulated connection: plausible TCP over a [`Sim`], one connection at a time, each with its own moment.

use super::host::{Ends, Stack};
use super::octets;
use super::sim::{MS, SEC, Sim, US};
use correlate_proto::{
    Direction, FourTuple, Heard, IcmpError, IcmpKind, IpFields, SackBlocks, Segment, SeqNum, TcpFlags,
    TcpOptions, Timestamp,
};
use std::net::IpAddr;

pub(super) const C2S: Direction = Direction::ClientToServer;
pub(super) const S2C: Direction = Direction::ServerToClient;

pub(super) const SYN: TcpFlags = TcpFlags::SYN;
pub(super) const SYN_ACK: TcpFlags = TcpFlags(0x12);
pub(super) const ACK: TcpFlags = TcpFlags::ACK;
pub(super) const RST: TcpFlags = TcpFlags::RST;
pub(super) const RST_ACK: TcpFlags = TcpFlags(0x14);
pub(super) const FIN_ACK: TcpFlags = TcpFlags(0x11);

/// A connection in the making.
#[derive(Debug, Clone)]
pub(super) struct Talk {
    pub(super) now: i64,
    pub(super) ends: Ends,
    pub(super) stacks: [Stack; 2],
    pub(super) opener: Direction,
    pub(super) stamps: bool,
    /// Payload is sent as ECT(0) the first time.
    pub(super) ecn: bool,
    pub(super) mss: u32,
}

impl Talk {
    /// A connection that the client host opens from `port` at `now`.
    pub(super) fn new(sim: &mut Sim, port: u16, now: i64) -> Self {
        Self {
            now,
            ends: Ends::v4(port, 443),
            stacks: [Stack::new(&mut sim.rng), Stack::new(&mut sim.rng)],
            opener: C2S,
            stamps: true,
            ecn: false,
            mss: 1448,
        }
    }

    pub(super) fn over_v6(mut self) -> Self {
        let [client, server] = self.ends.0;
        self.ends = Ends::v6(client.port, server.port);
        self
    }

    pub(super) fn without_stamps(mut self) -> Self {
        self.stamps = false;
        self
    }

    /// The server host opens it instead.
    pub(super) fn opened_by(mut self, opener: Direction) -> Self {
        self.opener = opener;
        let [client, server] = &mut self.ends.0;
        if opener == S2C {
            core::mem::swap(&mut client.port, &mut server.port);
        }
        self
    }

    fn seq(&self, sender: Direction, offset: u64) -> SeqNum {
        let stack = &self.stacks[sender.index()];
        SeqNum(stack.isn.wrapping_add(u32::try_from(offset & 0xffff_ffff).unwrap()))
    }

    /// A packet of `sender` at `self.now`, `offset` octets from its ISN.
    pub(super) fn packet(
        &mut self,
        sender: Direction,
        flags: TcpFlags,
        offset: u64,
        payload: u32,
    ) -> Segment {
        let (src, dst) = self.ends.of(sender);
        let v6 = src.addr.is_ipv6();
        let ack = self.seq(sender.reversed(), self.stacks[sender.index()].received);
        let (seq, now) = (self.seq(sender, offset), self.now);
        let stack = &mut self.stacks[sender.index()];
        let next = stack.next;
        let is_syn = flags.has(TcpFlags::SYN);
        let fixed = flags.is_syn_ack() || (flags.has(TcpFlags::RST) && offset == 0);
        let id = if fixed { 0 } else { stack.ip_id };
        if !fixed {
            stack.ip_id = stack.ip_id.wrapping_add(1);
        }
        let ms = u32::try_from((now / MS).rem_euclid(1 << 32)).unwrap();
        let stamps = self.stamps.then(|| (stack.stamp.wrapping_add(ms), stack.echo(now)));
        let headers = if v6 { 40 } else { 20 } + 20 + if self.stamps { 12 } else { 0 };
        Segment {
            packet: 0,
            at: Timestamp::from_ns(now),
            heard: Heard::Unknown,
            interface: 0,
            tuple: FourTuple { src, dst },
            seq,
            ack: if flags.has(TcpFlags::ACK) { ack } else { SeqNum(0) },
            flags,
            window: 502,
            payload_len: payload,
            gso_size: None,
            ip: IpFields {
                id: (!v6).then_some(id),
                ttl: stack.ttl,
                tos: if self.ecn && payload > 0 && offset >= next { 2 } else { 0 },
                dont_fragment: true,
                len: headers + payload,
                flow_label: 0,
            },
            options: TcpOptions {
                mss: is_syn.then_some(1460),
                window_scale: is_syn.then_some(7),
                sack_permitted: is_syn,
                timestamps: stamps,
                sack: SackBlocks::default(),
                layout: 0,
            },
            payload_sum: Some(octets::sum(seq, payload)),
            first_fragment: false,
            header_truncated: false,
        }
    }

    /// Sends a packet; if it arrives the other stack takes it in.
    pub(super) fn send(
        &mut self,
        sim: &mut Sim,
        sender: Direction,
        flags: TcpFlags,
        offset: u64,
        payload: u32,
    ) -> Option<i64> {
        let packet = self.packet(sender, flags, offset, payload);
        self.put(sim, sender, packet, offset)
    }

    /// Sends a prepared packet that begins at `offset`.
    pub(super) fn put(
        &mut self,
        sim: &mut Sim,
        sender: Direction,
        packet: Segment,
        offset: u64,
    ) -> Option<i64> {
        let end = offset + u64::from(packet.seq_len());
        let own = &mut self.stacks[sender.index()];
        own.next = own.next.max(end);
        let arrival = sim.send(sender, packet)?;
        let peer = &mut self.stacks[sender.reversed().index()];
        if offset <= peer.received {
            peer.received = peer.received.max(end);
            if let Some((value, _)) = packet.options.timestamps {
                peer.take_stamp(arrival, value);
            }
        }
        Some(arrival)
    }

    /// A pure acknowledgement of all that `sender` has received.
    pub(super) fn ack(&mut self, sim: &mut Sim, sender: Direction) -> Option<i64> {
        let offset = self.stacks[sender.index()].next;
        self.send(sim, sender, ACK, offset, 0)
    }

    /// The handshake, with a SYN or a SYN-ACK repeated after a second as long as it was lost, five times at most.
    /// Whether it succeeded; the last ACK may be lost.
    pub(super) fn open(&mut self, sim: &mut Sim) -> bool {
        let (there, back) = (self.opener, self.opener.reversed());
        for _ in 0..6 {
            let asked = self.now;
            if let Some(at) = self.send(sim, there, SYN, 0, 0) {
                self.now = at + 30 * US;
                if let Some(at) = self.send(sim, back, SYN_ACK, 0, 0) {
                    self.now = at + 30 * US;
                    self.ack(sim, there);
                    self.now += 50 * US;
                    return true;
                }
            }
            self.now = asked + SEC;
        }
        false
    }

    /// Sends `segments` in one flight as [`Self::transfer`] does; ends when the last has arrived and been taken in.
    pub(super) fn transfer_at_once(&mut self, sim: &mut Sim, sender: Direction, segments: u32) {
        let (size, first) = (self.mss, self.stacks[sender.index()].next);
        let offsets = (0..u64::from(segments)).map(|k| first + k * u64::from(size)).collect();
        self.now = self.deliver(sim, sender, offsets, size) + 20 * US;
    }

    /// Sends `segments` full segments in windows of `window`, repeating what was lost a round trip later, and
    /// after 250 ms what was lost again. Every second segment is acknowledged, and the last.
    pub(super) fn transfer(&mut self, sim: &mut Sim, sender: Direction, segments: u32, window: u32) {
        let size = self.mss;
        let mut left = segments;
        while left > 0 {
            let flight = left.min(window);
            left -= flight;
            let first = self.stacks[sender.index()].next;
            let offsets = (0..u64::from(flight)).map(|k| first + k * u64::from(size)).collect();
            self.deliver(sim, sender, offsets, size);
        }
    }

    /// Gives when the last segment arrived.
    fn deliver(&mut self, sim: &mut Sim, sender: Direction, mut missing: Vec<u64>, size: u32) -> i64 {
        let (mut top, mut newest) = (0, self.now);
        for round in 0..40 {
            let began = self.now;
            let (mut lost, mut arrivals) = (Vec::new(), Vec::new());
            for &offset in &missing {
                self.now += 12 * US;
                match self.send(sim, sender, ACK, offset, size) {
                    Some(at) => arrivals.push((at, offset)),
                    None => lost.push(offset),
                }
            }
            let sent = self.now;
            arrivals.sort_unstable();
            newest = arrivals.last().map_or(newest, |&(at, _)| newest.max(at));
            self.acknowledge(sim, sender, &arrivals, &lost, &mut top, size);
            let round_trip = sim.delay[0] + sim.delay[1] + 2 * sim.jitter + 2 * MS;
            let wait = if round == 0 { round_trip } else { 250 * MS };
            self.now = self.now.max(sent).max(began + wait);
            if lost.is_empty() {
                break;
            }
            missing = lost;
        }
        newest
    }

    /// Acknowledges every second of the arrivals, and the last. `top` is the end of what has arrived so far.
    fn acknowledge(
        &mut self,
        sim: &mut Sim,
        sender: Direction,
        arrivals: &[(i64, u64)],
        lost: &[u64],
        top: &mut u64,
        size: u32,
    ) {
        let receiver = sender.reversed();
        for (count, &(at, offset)) in arrivals.iter().enumerate() {
            *top = (*top).max(offset + u64::from(size));
            if count % 2 == 0 && count + 1 < arrivals.len() {
                continue;
            }
            self.now = at + 20 * US;
            let later = arrivals[count + 1..].iter().map(|&(_, offset)| offset);
            let hole = lost.iter().copied().chain(later).filter(|hole| hole < top).min();
            self.stacks[receiver.index()].received = hole.unwrap_or(*top);
            let next = self.stacks[receiver.index()].next;
            let mut packet = self.packet(receiver, ACK, next, 0);
            if hole.is_some_and(|hole| hole < offset) {
                packet
                    .options
                    .sack
                    .push(self.seq(sender, offset), self.seq(sender, offset + u64::from(size)));
            }
            self.put(sim, receiver, packet, next);
        }
    }

    /// Closes from `first`'s end, each FIN repeated after 250 ms as long as it is lost.
    pub(super) fn close(&mut self, sim: &mut Sim, first: Direction) {
        for side in [first, first.reversed()] {
            let offset = self.stacks[side.index()].next;
            for _ in 0..8 {
                let asked = self.now;
                if let Some(at) = self.send(sim, side, FIN_ACK, offset, 0) {
                    self.now = at + 20 * US;
                    let answered = self.ack(sim, side.reversed());
                    self.now = answered.map_or(self.now + 250 * MS, |at| at + 20 * US);
                    break;
                }
                self.now = asked + 250 * MS;
            }
        }
    }

    /// Request and answer: open, some segments each way, close.
    pub(super) fn whole(&mut self, sim: &mut Sim, up: u32, down: u32) {
        if self.open(sim) {
            self.transfer(sim, C2S, up, 10);
            self.transfer(sim, S2C, down, 10);
            self.close(sim, C2S);
        }
    }

    /// An ICMP error of `from` about the newest packet of `sender`, captured at its end.
    pub(super) fn icmp_about(&self, sender: Direction, from: IpAddr, kind: IcmpKind) -> IcmpError {
        let (src, dst) = self.ends.of(sender);
        IcmpError {
            packet: 0,
            at: Timestamp::from_ns(self.now),
            heard: Heard::Unknown,
            interface: 0,
            from,
            to: src.addr,
            kind,
            icmp_type: 3,
            icmp_code: 3,
            quoted: FourTuple { src, dst },
            quoted_seq: self.seq(sender, 0),
            quoted_ip_id: None,
            quoted_ip_len: 60,
            ttl: 61,
        }
    }
}
