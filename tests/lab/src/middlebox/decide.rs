//! Deciding by the rules what happens to a packet. Nothing here touches a socket or a clock.

use super::armed::Armed;
use super::connection::Connections;
use crate::condition::{Kind, Match, Payload};
use crate::ledger::Leg;
use crate::rule::{Action, IcmpMessage, Recut, Rewrite, RstInjection, Rule};
use crate::wire::view::{Carried, View};
use correlate_proto::{Direction, FourTuple, TcpFlags};

/// A packet that is to be decided about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) at_ns: i64,
    pub(crate) direction: Direction,
    pub(crate) connection: (FourTuple, Leg),
    /// The packet as it is on a wire: no super-packet, but one of its segments.
    pub(crate) view: &'a View,
}

/// How a packet that does not pass is disposed of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposal {
    /// Silently.
    Drop,
    /// With an ICMP error to its sender.
    Icmp(IcmpMessage),
    /// With a reset to its sender.
    Refuse,
}

/// What shall happen to a packet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Decision {
    /// Absent if it passes.
    pub(crate) disposal: Option<Disposal>,
    /// Rules that had an effect, but for those that rewrite.
    pub(crate) rules: Vec<&'static str>,
    /// Delay beyond the path's, with order kept.
    pub(crate) delay_ns: u64,
    /// Delay beyond the path's, out of order; 0 if not held.
    pub(crate) hold_ns: u64,
    /// Gaps after which further copies are sent.
    pub(crate) copies_ns: Vec<u64>,
    /// Changes of the header, in order, each with its rule. Whether they change anything shows when they are made.
    pub(crate) rewrites: Vec<(&'static str, Rewrite)>,
    /// How it is cut anew, and the rule that does it.
    pub(crate) recut: Option<(&'static str, Recut)>,
    /// Resets to forge, each with its rule.
    pub(crate) resets: Vec<(&'static str, RstInjection)>,
}

impl Decision {
    /// Whether neighbours of a super-packet about which the same was decided may stay together. They may not where
    /// something is done once for each packet on the wire.
    pub(super) fn may_be_shared(&self) -> bool {
        let for_each =
            |(_, change): &(_, Rewrite)| matches!(change, Rewrite::AlterPayload | Rewrite::SetId(_));
        matches!(self.disposal, None | Some(Disposal::Drop))
            && self.resets.is_empty()
            && self.recut.is_none()
            && !self.rewrites.iter().any(for_each)
    }
}

/// The rules with their memory.
#[derive(Debug)]
pub(crate) struct Decider {
    rules: Vec<Armed>,
    pub(crate) connections: Connections,
    first_ns: Option<i64>,
}

/// What a connection's history and the clock say about a packet.
#[derive(Debug, Clone, Copy)]
struct Circumstances {
    idle_ms: u64,
    since_first_ms: u64,
    marked: bool,
    reopening: bool,
}

impl Decider {
    /// Arms `rules`; their dice follow from `seed`.
    pub(crate) fn new(rules: &[Rule], seed: u64) -> Self {
        let armed = (1u64..).zip(rules).map(|(stream, rule)| Armed::new(rule, seed, stream));
        Self { rules: armed.collect(), connections: Connections::default(), first_ns: None }
    }

    /// Decides about one packet.
    pub(crate) fn decide(&mut self, subject: &Subject<'_>) -> Decision {
        let connection = self.connections.of(subject.connection, subject.direction, subject.view);
        let idle_ms = connection.touch(subject.at_ns) / 1_000_000;
        let since_ns = subject.at_ns - *self.first_ns.get_or_insert(subject.at_ns);
        let since_first_ms = u64::try_from(since_ns / 1_000_000).unwrap_or(0);
        let reopening = connection.reopens(subject.direction, subject.view);
        let mut decision = Decision::default();
        for (index, armed) in self.rules.iter_mut().enumerate() {
            let now = Circumstances { idle_ms, since_first_ms, marked: connection.marked, reopening };
            if fits(&armed.rule.when, subject, now) && armed.counts_in(index, connection) {
                connection.marked |= armed.rule.action == Action::Mark;
                armed.apply(subject, &mut decision);
            }
            if decision.disposal.is_some() {
                break;
            }
        }
        decision
    }
}

/// Whether a packet meets all conditions of a rule but its count.
fn fits(when: &Match, subject: &Subject<'_>, now: Circumstances) -> bool {
    let flags_and_payload = match (when.kind, subject.view.carried) {
        (Kind::Tcp, Carried::Tcp(tcp)) => {
            let payload = match when.payload {
                Payload::Any => true,
                Payload::Some => tcp.payload_len > 0,
                Payload::None => tcp.payload_len == 0,
            };
            payload && tcp.flags.has(when.set) && TcpFlags(tcp.flags.0 & when.clear.0) == TcpFlags(0)
        }
        (Kind::IcmpError, Carried::IcmpError { .. }) => true,
        (Kind::Tcp, Carried::IcmpError { .. }) | (Kind::IcmpError, Carried::Tcp(_)) => false,
    };
    flags_and_payload
        && when.direction.is_none_or(|direction| direction == subject.direction)
        && (when.longer_than == 0 || subject.view.ip.len > when.longer_than)
        && when.port.is_none_or(|port| port == subject.connection.0.dst.port)
        && now.idle_ms >= when.idle_ms
        && (now.marked || !when.marked)
        && (now.reopening || !when.reopening)
        && when.window_ms.is_none_or(|(from, to)| (from..to).contains(&now.since_first_ms))
}
