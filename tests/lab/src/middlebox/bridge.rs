//! The way of a frame through the middlebox.

use super::account;
use super::decide::{Decider, Decision, Disposal, Subject};
use super::packet::{Packet, wire_ip_len};
use super::release::{ReleaseQueue, Waiting};
use super::thread::{Finished, Setting};
use super::translate::Translator;
use crate::ledger::{Done, Entry};
use crate::sys::packet::{PacketSocket, now_ns};
use crate::sys::wait::{is_readable, readable};
use crate::topology::host_mac;
use crate::wire::edit;
use crate::wire::frame::Frame;
use crate::wire::rewrite::rewrite;
use crate::wire::view::{Carried, View};
use correlate_proto::Direction;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Frames taken from one port before the others, and the release queue, get their turn.
const FRAMES_PER_TURN: usize = 64;

/// After it was asked to stop the middlebox goes on until no packet has come for both path delays and this long,
/// in ns: hosts answer the last packet, and the answer shall be in the ledger and in both taps.
const QUIET_NS: u64 = 20_000_000;

/// It waits no longer than this for quiet, in ns; what hosts send later is not part of the run.
const LONGEST_WAIT_NS: u64 = 500_000_000;

/// The state of the bridge's thread.
pub(super) struct Bridge {
    sockets: Vec<PacketSocket>,
    pub(super) setting: Setting,
    translator: Translator,
    pub(super) decider: Decider,
    queue: ReleaseQueue,
    ledger: Vec<Entry>,
    /// When the newest frame that keeps the order is due, by direction.
    last_due_ns: [i64; 2],
    last_packet_ns: i64,
    drops: u64,
}

impl Bridge {
    pub(super) fn new(sockets: Vec<PacketSocket>, setting: Setting) -> Self {
        Self {
            translator: Translator::new(setting.plan.translation, sockets.len() - 1),
            decider: Decider::new(&setting.plan.rules, setting.seed),
            sockets,
            setting,
            queue: ReleaseQueue::default(),
            ledger: Vec::new(),
            last_due_ns: [0; 2],
            last_packet_ns: 0,
            drops: 0,
        }
    }

    /// Bridges until the other end of `wake` is closed, nothing is on its way any more and the hosts are quiet.
    pub(super) fn run(mut self, wake: &PipeReader) -> io::Result<Finished> {
        let mut asked_ns = None;
        loop {
            let busy = self.receive_turn();
            self.release_due();
            if busy {
                continue;
            }
            let end_ns = asked_ns.map(|asked| self.end_ns(asked));
            if end_ns.is_some_and(|end| end <= now_ns()) {
                break;
            }
            let next_ns = self.queue.next_due_ns().into_iter().chain(end_ns).min();
            let wait = next_ns.map(|next| Duration::from_nanos(u64::try_from(next - now_ns()).unwrap_or(0)));
            let mut fds: Vec<BorrowedFd<'_>> = self.sockets.iter().map(AsFd::as_fd).collect();
            if asked_ns.is_none() {
                fds.push(wake.as_fd());
            }
            readable(&fds, wait)?;
            if asked_ns.is_none() && is_readable(wake.as_fd())? {
                asked_ns = Some(now_ns());
            }
        }
        let ended_ns = now_ns();
        for socket in &mut self.sockets {
            self.drops += socket.take_drops()?;
        }
        Ok(Finished { ledger: self.ledger, drops: self.drops, ended_ns })
    }

    /// When the bridge may end that was asked to at `asked_ns`, as things stand: not before the last frame has
    /// left, and when the hosts have been quiet, or at the latest time for that.
    fn end_ns(&self, asked_ns: i64) -> i64 {
        let paths_ns: u64 = Direction::BOTH.iter().map(|direction| self.path_delay_ns(*direction)).sum();
        let quiet_ns = self.last_packet_ns + signed(paths_ns + QUIET_NS);
        let latest_ns = asked_ns + signed(LONGEST_WAIT_NS);
        quiet_ns.min(latest_ns).max(self.queue.next_due_ns().unwrap_or(0))
    }

    /// Takes what waits at the ports; tells whether there may be more.
    fn receive_turn(&mut self) -> bool {
        let mut busy = false;
        for port in 0..self.sockets.len() {
            for turn in 1..=FRAMES_PER_TURN {
                let taken = self.sockets[port].take(|slot| (slot.at_ns, Frame::received(slot.bytes)));
                let Some((at_ns, frame)) = taken else { break };
                if let Some(frame) = frame {
                    self.handle(port, at_ns, frame);
                }
                busy |= turn == FRAMES_PER_TURN;
            }
        }
        busy
    }

    fn release_due(&mut self) {
        while let Some(waiting) = self.queue.take_due(now_ns()) {
            let sent = self.sockets[waiting.port].send(waiting.frame.as_sent());
            match (sent, waiting.entry) {
                (Ok(()), Some(entry)) => self.ledger[entry].at_out_ns = Some(now_ns()),
                (Ok(()), None) => {}
                // A loss that no rule ordered: it is counted, and the entry has no time of leaving.
                (Err(_), _) => self.drops += 1,
            }
        }
    }

    fn handle(&mut self, port: usize, at_ns: i64, frame: Frame) {
        let direction = if port == 0 { Direction::ClientToServer } else { Direction::ServerToClient };
        let Some(view) = View::read(frame.ethernet()) else {
            self.flood(port, at_ns, direction, &frame);
            return;
        };
        self.last_packet_ns = at_ns;
        let routed = match view.carried {
            Carried::Tcp(_) => self.translator.route(direction, view.tuple),
            Carried::IcmpError { quoted } => self.translator.route_icmp(direction, view.tuple, quoted),
        };
        let Some(routed) = routed else {
            self.drops += 1;
            return;
        };
        let (left, client_side, server) = (routed.left, routed.client_side, routed.server);
        let packet = Packet { at_ns, direction, view, frame, left, client_side, server };
        let decision = self.decider.decide(&Subject {
            at_ns,
            direction,
            client_side,
            view: &packet.view,
            wire_ip_len: wire_ip_len(&packet),
        });
        self.carry_out(&packet, &decision);
    }

    /// Sends a frame that is no part of the evidence to everyone else, after the path's delay.
    fn flood(&mut self, port: usize, at_ns: i64, direction: Direction, frame: &Frame) {
        let due_ns = at_ns + signed(self.path_delay_ns(direction));
        let exits = if port == 0 { 1..self.sockets.len() } else { 0..1 };
        for exit in exits {
            self.queue.put(Waiting { due_ns, port: exit, frame: frame.clone(), entry: None });
        }
    }

    fn carry_out(&mut self, packet: &Packet, decision: &Decision) {
        let path_ns = self.path_delay_ns(packet.direction);
        let mut rules = decision.rules.join("+");
        let mut due_ns = packet.at_ns + signed(path_ns + decision.delay_ns);
        if let Some(disposal) = decision.disposal {
            self.ledger.push(account::entry(packet, &packet.view, Done::Drop, &rules, 0));
            match disposal {
                Disposal::Drop => {}
                Disposal::Icmp(message) => self.reject(packet, message, &rules),
                Disposal::Refuse => self.refuse(packet, &rules),
            }
        } else {
            let (edited, changed_by) = self.edited(packet, decision);
            for rule in changed_by {
                rules = if rules.is_empty() { rule.to_owned() } else { rules + "+" + rule };
            }
            let mut done = if edited == packet.frame { Done::Forward } else { Done::Rewrite };
            if decision.hold_ns > 0 {
                due_ns += signed(decision.hold_ns);
                done = Done::Hold;
            } else {
                due_ns = due_ns.max(self.last_due_ns[packet.direction.index()]);
                self.last_due_ns[packet.direction.index()] = due_ns;
            }
            self.pass(packet, edited.clone(), done, &rules, due_ns);
            for gap in &decision.copies_ns {
                self.pass(packet, edited.clone(), Done::Duplicate, &rules, due_ns + signed(*gap));
            }
        }
        for (rule, injection) in &decision.resets {
            self.inject(packet, injection, rule, due_ns);
        }
    }

    /// The packet's frame as it goes on, but for what every hop changes; and the rules that changed it.
    fn edited(&self, packet: &Packet, decision: &Decision) -> (Frame, Vec<&'static str>) {
        let mut frame = packet.frame.clone();
        match packet.view.carried {
            Carried::Tcp(_) if packet.left == packet.view.tuple => {}
            Carried::Tcp(_) => edit::set_tuple(&mut frame, packet.left),
            Carried::IcmpError { .. } => {
                let quoted = match packet.direction {
                    Direction::ClientToServer => self.translator.server_side(packet.client_side).reversed(),
                    Direction::ServerToClient => packet.client_side,
                };
                edit::set_icmp_tuples(&mut frame, packet.left, quoted);
            }
        }
        let mut changed_by = Vec::new();
        for (rule, change) in &decision.rewrites {
            let before = frame.clone();
            rewrite(&mut frame, packet.direction, *change);
            if frame != before {
                changed_by.push(*rule);
            }
        }
        (frame, changed_by)
    }

    /// Queues the packet's edited frame for its way out.
    fn pass(&mut self, packet: &Packet, mut frame: Frame, done: Done, rules: &str, due_ns: i64) {
        let left = View::read(frame.ethernet()).unwrap_or(packet.view);
        if self.setting.plan.hops > 0 {
            edit::age(&mut frame, self.setting.plan.hops);
        }
        edit::set_destination(&mut frame, host_mac(packet.exit()));
        self.ledger.push(account::entry(packet, &left, done, rules, due_ns - packet.at_ns));
        let entry = Some(self.ledger.len() - 1);
        self.queue.put(Waiting { due_ns, port: packet.exit(), frame, entry });
    }

    /// Queues a forged frame on its way to the packet's receiver, or back to its sender.
    pub(super) fn send_forged(&mut self, about: &Packet, frame: Frame, due_ns: i64, rule: &str) {
        let Some(view) = View::read(frame.ethernet()) else { return };
        let back = frame.ethernet()[..6] == host_mac(about.entrance());
        let direction = if back { about.direction.reversed() } else { about.direction };
        let made = Packet { direction, view, left: view.tuple, frame, ..about.clone() };
        self.ledger.push(account::entry(&made, &view, Done::Inject, rule, due_ns - about.at_ns));
        let entry = Some(self.ledger.len() - 1);
        self.queue.put(Waiting { due_ns, port: made.exit(), frame: made.frame, entry });
    }

    /// The path's own delay in a direction.
    pub(super) const fn path_delay_ns(&self, direction: Direction) -> u64 {
        self.setting.plan.delay_us[direction.index()] * 1000
    }
}

/// A span that is known to be short, as a signed number.
pub(super) fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}
