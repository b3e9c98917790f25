//! What there is to be found, by the ledger.

use super::condition::Quality;
use super::recording::Recording;
use super::severity::severity_of;
use correlate_lab::{Done, Entry, Leg};
use correlate_proto::report::Severity;
use correlate_proto::{Direction, FourTuple, TcpFlags};
use std::collections::{BTreeMap, BTreeSet};

/// Codes that are true of a recording of which records are missing, whatever the scenario: the capture is incomplete,
/// and a connection whose handshake is gone at one end may stay without its other half.
const TRUE_OF_INCOMPLETE: [&str; 4] =
    ["capture-loss", "unpaired-connection", "not-captured", "clock-unaligned"];

/// What is due to be said under one code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// This, of these connections and no others.
    Of(BTreeSet<FourTuple>),
    /// This, whatever connections it names.
    Any,
    /// Nothing, and if anything, of no others than these.
    AtMost(BTreeSet<FourTuple>),
    /// Nothing; it is no fault if it is said.
    Allowed,
    /// Nothing; it is a fault if it is said.
    Never,
}

/// What is known of a recording's connections.
#[derive(Debug)]
pub struct Truth<'a> {
    recording: &'a Recording,
    quality: Quality,
    /// All connections, as the client names them.
    pub all: BTreeSet<FourTuple>,
    /// Connections as the servers name them.
    aliases: BTreeMap<FourTuple, FourTuple>,
    /// Connections of a relay with the servers: they are the other half of one of the client's.
    far: BTreeSet<FourTuple>,
}

impl<'a> Truth<'a> {
    /// The truth about a recording of which so much is missing.
    pub fn new(recording: &'a Recording, quality: Quality) -> Self {
        let alias = |entry: &Entry| match entry.direction {
            Direction::ClientToServer => (entry.left, entry.connection),
            Direction::ServerToClient => (entry.came.reversed(), entry.connection),
        };
        let aliases = recording.ledger().iter().map(alias).collect();
        let leg = |leg: Leg| recording.ledger().iter().filter(move |entry| entry.leg == leg);
        // A transparent relay calls the server under the client's own address and port.
        let near: BTreeSet<FourTuple> = leg(Leg::Near).map(|entry| entry.connection).collect();
        let far = leg(Leg::Far).map(|entry| entry.connection).filter(|far| !near.contains(far)).collect();
        Self { recording, quality, all: recording.outcome.connections(), aliases, far }
    }

    /// A connection as the client names it; nothing for one that the client has no part in.
    pub fn name(&self, tuple: FourTuple) -> Option<FourTuple> {
        if self.far.contains(&tuple) {
            return None;
        }
        let alias = if self.all.contains(&tuple) { None } else { self.aliases.get(&tuple) };
        Some(alias.copied().unwrap_or(tuple))
    }

    /// Connections of which something of the kind that a code tells of happened in a direction; `None` for codes that
    /// tell of nothing that the ledger shows by direction.
    pub fn happened(&self, code: &str, direction: Direction) -> Option<BTreeSet<FourTuple>> {
        let done = match code {
            "packet-loss" | "asymmetric-loss" | "ack-loss" | "outage" | "one-way-blackhole"
            | "path-mtu-blackhole" | "syn-lost" | "syn-ack-lost" | "handshake-ack-lost" | "rst-lost" => {
                Done::Drop
            }
            "duplication" => Done::Duplicate,
            _ => return None,
        };
        let entries = self.recording.ledger().iter();
        let found = entries.filter(|entry| entry.done == done && entry.direction == direction);
        Some(found.map(|entry| entry.connection).collect())
    }

    /// Connections in which the middlebox made up a reset.
    fn forged(&self) -> BTreeSet<FourTuple> {
        let resets = self.recording.ledger().iter().filter(|entry| entry.done == Done::Inject);
        let resets = resets.filter(|entry| entry.flags_left.has(TcpFlags::RST));
        resets.map(|entry| entry.connection).collect()
    }

    /// Connections none of whose SYNs passed the middlebox.
    fn unheard(&self) -> BTreeSet<FourTuple> {
        let syns = || self.recording.ledger().iter().filter(|entry| entry.flags.is_syn());
        let heard: BTreeSet<FourTuple> =
            syns().filter(|entry| entry.at_out_ns.is_some()).map(|entry| entry.connection).collect();
        syns().map(|entry| entry.connection).filter(|connection| !heard.contains(connection)).collect()
    }

    /// What is due to be said under a code.
    pub fn due(&self, code: &str) -> Due {
        let expect = &self.recording.scenario.expect;
        let concerned = self.recording.outcome.concerned_by(expect, code);
        let listed = |codes: &[&str]| codes.contains(&code);
        let of_capture = self.quality != Quality::Clean && TRUE_OF_INCOMPLETE.contains(&code);
        if of_capture && !listed(&expect.must) {
            return Due::Allowed;
        }
        if self.quality != Quality::Clean && !listed(&expect.must) {
            // These stay true where the packet that would say why is among those taken out.
            match code {
                "rst-injected" => return Due::AtMost(self.forged()),
                "syn-lost" => return Due::AtMost(self.unheard()),
                _ => {}
            }
        }
        match (listed(&expect.must), concerned) {
            // What must be there by plan did not happen in this run.
            (true, Some(concerned)) if concerned.is_empty() => Due::AtMost(concerned),
            (true, Some(concerned)) => Due::Of(concerned),
            (true, None) => Due::Any,
            (false, Some(concerned)) if listed(&expect.may) => Due::AtMost(concerned),
            (false, _) if listed(&expect.may) => Due::Allowed,
            // Infos beside the lists are no fault, unless they are forbidden.
            (false, _) if !listed(&expect.never) && severity_of(code) == Severity::Info => Due::Allowed,
            (false, _) => Due::Never,
        }
    }
}
