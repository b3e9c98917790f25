//! Packets that leave in other pieces than they came.

use super::account;
use super::bridge::Bridge;
use super::packet::Packet;
use super::release::Waiting;
use crate::ledger::Done;
use crate::rule::{Recut, Rewrite};
use crate::wire::cut::{fragments, joined, part};
use crate::wire::frame::Frame;
use crate::wire::rewrite::rewrite;
use crate::wire::view::View;

impl Bridge {
    /// Queues a packet in the pieces that `recut` makes of it; as it is where that makes none.
    pub(super) fn recut(
        &mut self,
        packet: &Packet,
        frame: Frame,
        (done, rules): (Done, &str),
        due_ns: i64,
        (rule, recut): (&'static str, Recut),
    ) {
        match recut {
            Recut::Split(count) => self.split(packet, frame, (done, rules), due_ns, (rule, count)),
            Recut::Join(most) => self.join(packet, frame, (done, rules), due_ns, (rule, most)),
            Recut::Fragment(mtu) => self.fragment(packet, frame, (done, rules), due_ns, (rule, mtu)),
        }
    }

    fn split(
        &mut self,
        packet: &Packet,
        frame: Frame,
        (done, rules): (Done, &str),
        due_ns: i64,
        (rule, count): (&'static str, u8),
    ) {
        let len = packet.view.tcp().map_or(0, |tcp| tcp.payload_len);
        let count = usize::from(count.max(1));
        let piece = len.div_ceil(count);
        if count == 1 || len < count {
            self.pass(packet, frame, (done, rules), due_ns);
            return;
        }
        let rules = account::joined(rules.to_owned(), rule);
        for (number, start) in (0..len).step_by(piece).enumerate() {
            let Some(mut cut) = part(&frame, start..len.min(start + piece)) else { continue };
            self.own_id = self.own_id.wrapping_add(1);
            rewrite(&mut cut, packet.way.direction, Rewrite::SetId(self.own_id));
            let done = if number == 0 { Done::Rewrite } else { Done::Piece };
            self.pass(packet, cut, (done, &rules), due_ns);
        }
    }

    fn join(
        &mut self,
        packet: &Packet,
        frame: Frame,
        (done, rules): (Done, &str),
        due_ns: i64,
        (rule, most): (&'static str, u16),
    ) {
        let flow = (packet.way.client_side, packet.way.direction);
        let number = self.newest.get(&flow).copied();
        if let Some(waiting) = number.and_then(|number| self.queue.waiting(number))
            && let Some(whole) = joined(&waiting.frame, &frame, most.into())
            && let (Some(entry), Some(left)) = (waiting.entry, View::read(whole.ethernet()))
        {
            waiting.frame = whole;
            account::changes(&mut self.ledger[entry], &left, rule);
            let rules = account::joined(rules.to_owned(), rule);
            self.ledger.push(account::entry(packet, &packet.view, Done::Absorb, &rules, 0));
            return;
        }
        let number = self.pass(packet, frame, (done, rules), due_ns);
        self.newest.insert(flow, number);
    }

    fn fragment(
        &mut self,
        packet: &Packet,
        frame: Frame,
        (done, rules): (Done, &str),
        due_ns: i64,
        (rule, mtu): (&'static str, u16),
    ) {
        let Some(pieces) = fragments(&self.aged(packet, frame.clone()), mtu.into()) else {
            self.pass(packet, frame, (done, rules), due_ns);
            return;
        };
        let left = View::read(frame.ethernet()).unwrap_or(packet.view);
        let rules = account::joined(rules.to_owned(), rule);
        let mut entry = account::entry(packet, &left, Done::Rewrite, &rules, due_ns - packet.at_ns);
        entry.fragments = pieces.len();
        self.ledger.push(entry);
        let entry = Some(self.ledger.len() - 1);
        for frame in pieces {
            // The datagram has left when its last fragment has.
            self.queue.put(Waiting { due_ns, port: packet.way.exit, frame, entry });
        }
    }
}
