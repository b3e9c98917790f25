//! Deciding by the rules what happens to a packet. Nothing here touches a socket or a clock.

use super::connection::{Connection, Connections};
use crate::rng::Rng;
use crate::rule::{
    Action, Count, IcmpMessage, Kind, Match, Payload, Rewrite, RstInjection, Rule, Scope, Trigger,
};
use crate::wire::view::{Carried, View};
use correlate_proto::{Direction, FourTuple, TcpFlags};

/// A packet that is to be decided about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) at_ns: i64,
    pub(crate) direction: Direction,
    pub(crate) client_side: FourTuple,
    pub(crate) view: &'a View,
    /// Octets of the IP packet on the wire: of a super-packet, of each full segment.
    pub(crate) wire_ip_len: usize,
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
    /// Resets to forge, each with its rule.
    pub(crate) resets: Vec<(&'static str, RstInjection)>,
}

/// The rules with their memory.
#[derive(Debug)]
pub(crate) struct Decider {
    rules: Vec<Armed>,
    pub(crate) connections: Connections,
    first_ns: Option<i64>,
}

#[derive(Debug)]
struct Armed {
    rule: Rule,
    rng: Rng,
    count: u32,
    in_burst: [bool; 2],
    blocks: [Block; 2],
}

/// Where in a run of packets the one to drop is.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    left: u64,
    until_drop: u64,
}

/// What a connection's history and the clock say about a packet.
#[derive(Debug, Clone, Copy)]
struct Circumstances {
    idle_ms: u64,
    since_first_ms: u64,
    marked: bool,
}

impl Decider {
    /// Arms `rules`; their dice follow from `seed`.
    pub(crate) fn new(rules: &[Rule], seed: u64) -> Self {
        let armed = (1u64..).zip(rules).map(|(stream, rule)| Armed {
            rule: rule.clone(),
            rng: Rng::new(seed, stream),
            count: 0,
            in_burst: [false; 2],
            blocks: [Block::default(); 2],
        });
        Self { rules: armed.collect(), connections: Connections::default(), first_ns: None }
    }

    /// Decides about one packet.
    pub(crate) fn decide(&mut self, subject: &Subject<'_>) -> Decision {
        let connection = self.connections.of(subject.client_side, subject.direction, subject.view);
        let idle_ms = connection.touch(subject.at_ns) / 1_000_000;
        let since_ns = subject.at_ns - *self.first_ns.get_or_insert(subject.at_ns);
        let since_first_ms = u64::try_from(since_ns / 1_000_000).unwrap_or(0);
        let mut decision = Decision::default();
        for (index, armed) in self.rules.iter_mut().enumerate() {
            let now = Circumstances { idle_ms, since_first_ms, marked: connection.marked };
            if fits(&armed.rule.when, subject, now) && armed.counts_in(index, connection) {
                connection.marked |= armed.rule.action == Action::Mark;
                armed.apply(subject.direction, &mut decision);
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
        && (when.longer_than == 0 || subject.wire_ip_len > when.longer_than)
        && when.port.is_none_or(|port| port == subject.client_side.dst.port)
        && now.idle_ms >= when.idle_ms
        && (now.marked || !when.marked)
        && when.window_ms.is_none_or(|(from, to)| (from..to).contains(&now.since_first_ms))
}

impl Armed {
    /// Counts a fitting packet and tells whether the rule is applied to it.
    fn counts_in(&mut self, index: usize, connection: &mut Connection) -> bool {
        let number = match self.rule.when.scope {
            Scope::Connection => connection.count(index),
            Scope::Everything => {
                self.count += 1;
                self.count
            }
        };
        match self.rule.when.count {
            Count::All => true,
            Count::Only(n) => number == n,
            Count::First(n) => number <= n,
            Count::After(n) => number > n,
        }
    }

    fn apply(&mut self, direction: Direction, decision: &mut Decision) {
        let before = decision.clone();
        match self.rule.action {
            Action::Drop => decision.disposal = Some(Disposal::Drop),
            Action::DropRandom { probability } if self.rng.chance(probability) => {
                decision.disposal = Some(Disposal::Drop);
            }
            Action::DropOneIn { packets } => {
                if self.blocks[direction.index()].is_the_one(packets, &mut self.rng) {
                    decision.disposal = Some(Disposal::Drop);
                }
            }
            Action::DropBurst { enter, leave } => {
                let burst = &mut self.in_burst[direction.index()];
                *burst = if *burst { !self.rng.chance(leave) } else { self.rng.chance(enter) };
                decision.disposal = burst.then_some(Disposal::Drop);
            }
            Action::Duplicate { probability, gap_us } if self.rng.chance(probability) => {
                decision.copies_ns.push(gap_us * 1000);
            }
            Action::Delay { fixed_us, jitter_us } => {
                decision.delay_ns += fixed_us * 1000 + self.rng.below(jitter_us * 1000);
            }
            Action::Hold { probability, extra_us } if self.rng.chance(probability) => {
                decision.hold_ns += extra_us * 1000;
            }
            Action::Rewrite(change) => {
                decision.rewrites.push((self.rule.name, change));
                return;
            }
            Action::InjectRst(injection) => {
                decision.resets.push((self.rule.name, injection));
                if injection.trigger == Trigger::Dropped {
                    decision.disposal = Some(Disposal::Drop);
                }
            }
            Action::RejectIcmp(message) => decision.disposal = Some(Disposal::Icmp(message)),
            Action::Refuse => decision.disposal = Some(Disposal::Refuse),
            // The dice fell the other way.
            // Nor does a mark, which the connection bears, do anything to the packet.
            Action::DropRandom { .. } | Action::Duplicate { .. } | Action::Hold { .. } | Action::Mark => {}
        }
        if *decision != before {
            decision.rules.push(self.rule.name);
        }
    }
}

impl Block {
    /// Whether the next packet is the one of its block; a block is over after `packets`.
    fn is_the_one(&mut self, packets: u32, rng: &mut Rng) -> bool {
        if packets == 0 {
            return false;
        }
        if self.left == 0 {
            self.left = packets.into();
            self.until_drop = rng.below(packets.into());
        }
        let passed = u64::from(packets) - self.left;
        self.left -= 1;
        passed == self.until_drop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_block_is_dropped_whatever_the_dice() {
        let (mut block, mut rng) = (Block::default(), Rng::new(3, 3));
        let dropped: Vec<usize> = (0..1000).filter(|_| block.is_the_one(50, &mut rng)).collect();
        let blocks: Vec<usize> = dropped.iter().map(|place| place / 50).collect();
        assert_eq!(blocks, (0..20).collect::<Vec<_>>());
        assert!(dropped.iter().any(|place| place % 50 != dropped[0] % 50), "always at the same place");
    }
}
