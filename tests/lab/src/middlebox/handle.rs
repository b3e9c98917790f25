//! What is done with a packet.

use super::account;
use super::bridge::{Bridge, signed};
use super::decide::{Decision, Disposal, Subject};
use super::packet::Packet;
use super::release::Waiting;
use super::syn_proxy::Proxied;
use crate::address::host_mac;
use crate::ledger::Done;
use crate::wire::edit;
use crate::wire::frame::Frame;
use crate::wire::rewrite::rewrite;
use crate::wire::view::{Carried, View};
use correlate_proto::Direction;
use std::ops::Range;

impl Bridge {
    /// Takes in a frame of a port: the end of it is an entry in the ledger, unless it is no part of the evidence.
    pub(super) fn handle(&mut self, port: usize, at_ns: i64, frame: Frame) {
        let Some(view) = View::read(frame.ethernet()) else {
            self.flood(port, at_ns, &frame);
            return;
        };
        self.last_packet_ns = at_ns;
        let Some(way) = self.router.route(port, &view) else {
            self.drops += 1;
            return;
        };
        let packet = Packet { at_ns, way, view, frame };
        let translations = match self.syn_proxy.as_mut().map(|proxy| proxy.consider(&packet)) {
            None => Vec::new(),
            Some(Proxied::Pass(rewrites)) => rewrites,
            Some(Proxied::Answer(rule, made)) => {
                self.ledger.push(account::entry(&packet, &packet.view, Done::Absorb, rule, 0));
                for (back, segment) in made {
                    self.answer(&packet, back, &segment, rule);
                }
                return;
            }
        };
        for (packet, mut decision) in self.decided(packet) {
            decision.rewrites.splice(0..0, translations.iter().copied());
            self.carry_out(&packet, &decision);
        }
    }

    /// Decides about each packet on the wire by itself, and keeps together of a super-packet what has one fate.
    fn decided(&mut self, packet: Packet) -> Vec<(Packet, Decision)> {
        let wire = packet.wire();
        let decisions: Vec<Decision> = wire
            .iter()
            .map(|view| {
                let way = packet.way;
                let connection = (way.client_side, way.leg);
                self.decider.decide(&Subject {
                    at_ns: packet.at_ns,
                    direction: way.direction,
                    connection,
                    view,
                })
            })
            .collect();
        let runs = runs(&decisions);
        if let ([_], Some(decision)) = (runs.as_slice(), decisions.first()) {
            return vec![(packet, decision.clone())];
        }
        let cut = runs.into_iter().filter_map(|run| {
            let decision = decisions[run.start].clone();
            Some((packet.only(&run)?, decision))
        });
        cut.collect()
    }

    fn carry_out(&mut self, packet: &Packet, decision: &Decision) {
        let mut rules = decision.rules.join("+");
        let direction = packet.way.direction;
        let mut due_ns = packet.at_ns + signed(self.path_delay_ns(direction) + decision.delay_ns);
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
                rules = account::joined(rules, rule);
            }
            let mut done = if edited == packet.frame { Done::Forward } else { Done::Rewrite };
            if decision.hold_ns > 0 {
                due_ns += signed(decision.hold_ns);
                done = Done::Hold;
            } else {
                due_ns = due_ns.max(self.last_due_ns[packet.way.exit]);
                self.last_due_ns[packet.way.exit] = due_ns;
            }
            match decision.recut {
                None => drop(self.pass(packet, edited.clone(), (done, &rules), due_ns)),
                Some(recut) => self.recut(packet, edited.clone(), (done, &rules), due_ns, recut),
            }
            for gap in &decision.copies_ns {
                self.pass(packet, edited.clone(), (Done::Duplicate, &rules), due_ns + signed(*gap));
            }
        }
        for (rule, injection) in &decision.resets {
            self.inject(packet, injection, rule, due_ns);
        }
    }

    /// The packet's frame as it goes on, but for what every hop changes; and the rules that changed it.
    fn edited(&self, packet: &Packet, decision: &Decision) -> (Frame, Vec<&'static str>) {
        let mut frame = packet.frame.clone();
        let way = packet.way;
        match packet.view.carried {
            Carried::Tcp(_) if way.left == packet.view.tuple => {}
            Carried::Tcp(_) => edit::set_tuple(&mut frame, way.left),
            Carried::IcmpError { .. } => {
                let quoted = match way.direction {
                    Direction::ClientToServer => self.router.server_side(way.client_side).reversed(),
                    Direction::ServerToClient => way.client_side,
                };
                edit::set_icmp_tuples(&mut frame, way.left, quoted);
            }
        }
        let mut changed_by = Vec::new();
        for (rule, change) in &decision.rewrites {
            let before = frame.clone();
            rewrite(&mut frame, way.direction, *change);
            if frame != before {
                changed_by.push(*rule);
            }
        }
        (frame, changed_by)
    }

    /// Does what every hop does.
    pub(super) fn aged(&self, packet: &Packet, mut frame: Frame) -> Frame {
        if self.setting.plan.hops > 0 {
            edit::age(&mut frame, self.setting.plan.hops);
        }
        edit::set_destination(&mut frame, host_mac(packet.way.exit));
        frame
    }

    /// Queues the packet's edited frame for its way out; gives its number in the queue.
    pub(super) fn pass(
        &mut self,
        packet: &Packet,
        frame: Frame,
        (done, rules): (Done, &str),
        due_ns: i64,
    ) -> u64 {
        let left = View::read(frame.ethernet()).unwrap_or(packet.view);
        let frame = self.aged(packet, frame);
        self.ledger.push(account::entry(packet, &left, done, rules, due_ns - packet.at_ns));
        let entry = Some(self.ledger.len() - 1);
        self.queue.put(Waiting { due_ns, port: packet.way.exit, frame, entry })
    }

    /// Queues a forged frame on its way to the packet's receiver, or back to its sender.
    pub(super) fn send_forged(&mut self, about: &Packet, frame: Frame, due_ns: i64, rule: &str) {
        let Some(view) = View::read(frame.ethernet()) else { return };
        let back = frame.ethernet()[..6] == host_mac(about.way.entrance);
        let mut way = if back { about.way.back() } else { about.way };
        way.left = view.tuple;
        let made = Packet { at_ns: about.at_ns, way, view, frame };
        self.ledger.push(account::entry(&made, &view, Done::Inject, rule, due_ns - about.at_ns));
        let entry = Some(self.ledger.len() - 1);
        self.queue.put(Waiting { due_ns, port: way.exit, frame: made.frame, entry });
    }
}

/// Where the decisions about the packets of a super-packet change.
fn runs(decisions: &[Decision]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (index, decision) in decisions.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if decision.may_be_shared() && decisions[run.start] == *decision => run.end = index + 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}
