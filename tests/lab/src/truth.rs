//! Which connections a finding concerns, by the ledger.

use crate::expect::Expect;
use crate::lab::Outcome;
use crate::ledger::{Done, Entry, Leg, Protocol};
use crate::octets::Octets;
use correlate_proto::{Direction, FourTuple, TcpFlags};
use std::collections::{BTreeMap, BTreeSet};

/// Connections, as a rule that the ledger decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// All that crossed the middlebox.
    Every,
    /// Those to this port.
    Port(u16),
    /// Those with this server, from 0.
    Server(usize),
    /// Those of which this rule dropped, changed, held, copied or answered a packet.
    Rule(&'static str),
    /// Those of which this rule did so to an ACK without payload, SYN, FIN or RST.
    RuleOnAck(&'static str),
    /// Those to this port whose SYN the server's host never answered.
    Unanswered(u16),
    /// Those that the host sending in this direction reset itself.
    ResetBy(Direction),
    /// Those whose packets left in another order than they came, in one direction.
    Overtaken,
    /// Those of which a host sent octets again that had passed before; probes of one octet or none aside.
    SentInVain,
    /// Those whose SYN-ACK passed, and was yet sent again.
    GreetedTwice,
    /// Those in which the host sending in this direction reported holes by SACK blocks.
    Sacked(Direction),
}

impl Outcome {
    /// All connections that crossed the middlebox, from client to server as the client's tap names them.
    pub fn connections(&self) -> BTreeSet<FourTuple> {
        self.concerned(Truth::Every)
    }

    /// The connections that `truth` names, from client to server as the client's tap names them. Those that a relay
    /// makes are not among them.
    pub fn concerned(&self, truth: Truth) -> BTreeSet<FourTuple> {
        let is_one = |entry: &&Entry| entry.protocol == Protocol::Tcp && entry.leg != Leg::Far;
        let tcp = || self.ledger.iter().filter(is_one);
        let by = |holds: &dyn Fn(&Entry) -> bool| -> BTreeSet<FourTuple> {
            tcp().filter(|entry| holds(entry)).map(|entry| entry.connection).collect()
        };
        match truth {
            Truth::Every => by(&|_| true),
            Truth::Port(port) => by(&|entry| entry.connection.dst.port == port),
            Truth::Server(server) => by(&|entry| entry.server == server),
            Truth::Rule(name) => by(&|entry| entry.is_by(name)),
            Truth::RuleOnAck(name) => by(&|entry| entry.is_by(name) && is_pure_ack(entry)),
            Truth::ResetBy(direction) => by(&|entry| {
                entry.direction == direction && entry.is_by_host() && entry.flags.has(TcpFlags::RST)
            }),
            Truth::Sacked(direction) => {
                by(&|entry| entry.direction == direction && entry.is_by_host() && entry.sack_blocks > 0)
            }
            Truth::Unanswered(port) => {
                let answered =
                    by(&|entry| entry.is_by_host() && entry.direction == Direction::ServerToClient);
                let mut called = by(&|entry| entry.connection.dst.port == port && entry.flags.is_syn());
                called.retain(|connection| !answered.contains(connection));
                called
            }
            Truth::Overtaken => overtaken(tcp()),
            Truth::SentInVain => sent_in_vain(tcp()).into_iter().map(|entry| entry.connection).collect(),
            Truth::GreetedTwice => greeted_twice(tcp()),
        }
    }

    /// The connections that a finding of this code concerns; `None` where the expectation does not say.
    pub fn concerned_by(&self, expect: &Expect, code: &str) -> Option<BTreeSet<FourTuple>> {
        let sets = expect.truths(code).map(|truth| self.concerned(truth));
        sets.reduce(|mut all, more| {
            all.extend(more);
            all
        })
    }

    /// Entries of octets, SYN and FIN among them, that their host had sent before and that had passed then:
    /// retransmissions in vain.
    pub fn sent_in_vain(&self) -> Vec<&Entry> {
        sent_in_vain(self.ledger.iter().filter(|entry| entry.protocol == Protocol::Tcp))
    }
}

fn is_pure_ack(entry: &Entry) -> bool {
    let others = TcpFlags::SYN.0 | TcpFlags::FIN.0 | TcpFlags::RST.0;
    entry.payload_len == 0 && entry.flags.0 & others == 0
}

/// Whose packets left in another order than they came; copies aside.
fn overtaken<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeSet<FourTuple> {
    let mut newest: BTreeMap<(FourTuple, Direction), i64> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for entry in entries.filter(|entry| entry.is_by_host()) {
        let Some(left_ns) = entry.at_out_ns else { continue };
        let last = newest.entry((entry.connection, entry.direction)).or_insert(left_ns);
        if left_ns < *last {
            found.insert(entry.connection);
        }
        *last = left_ns.max(*last);
    }
    found
}

fn sent_in_vain<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<&'a Entry> {
    let mut passed: BTreeMap<(FourTuple, Direction), Octets> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in entries.filter(|entry| entry.is_by_host()) {
        let octets = passed.entry((entry.connection, entry.direction)).or_default();
        let [syn, fin] = [TcpFlags::SYN, TcpFlags::FIN].map(|flag| usize::from(entry.flags.has(flag)));
        if syn > 0 {
            octets.begin(entry.seq);
        }
        let len = entry.payload_len + syn + fin;
        let is_probe = len == 1 && entry.payload_len == 1;
        let in_vain = |place| {
            let (seq, len) = entry.octets(place);
            len > 0 && octets.has(seq, len as usize)
        };
        if !is_probe && (0..entry.wire_segments).any(in_vain) {
            found.push(entry);
        }
        if entry.done != Done::Drop {
            octets.add(entry.seq, len);
        }
    }
    found
}

fn greeted_twice<'a>(entries: impl Iterator<Item = &'a Entry>) -> BTreeSet<FourTuple> {
    let greets = |entry: &&Entry| entry.is_by_host() && entry.flags.is_syn_ack();
    let (mut passed, mut found) = (BTreeSet::new(), BTreeSet::new());
    for entry in entries.filter(greets) {
        let greeting = (entry.connection, entry.seq);
        if passed.contains(&greeting) {
            found.insert(entry.connection);
        }
        if entry.done != Done::Drop {
            passed.insert(greeting);
        }
    }
    found
}
