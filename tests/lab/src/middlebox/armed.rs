//! A rule with its memory.

use super::connection::Connection;
use super::decide::{Decision, Disposal, Subject};
use super::limit::{Bucket, Link};
use crate::condition::{Count, Scope};
use crate::rng::Rng;
use crate::rule::{Action, Rewrite, Rule, Trigger};

/// A rule that waits for its packets.
#[derive(Debug)]
pub(super) struct Armed {
    pub(super) rule: Rule,
    rng: Rng,
    count: u32,
    in_burst: [bool; 2],
    blocks: [Block; 2],
    buckets: [Bucket; 2],
    links: [Link; 2],
}

/// Where in a run of packets the one to drop is.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    left: u64,
    until_drop: u64,
}

impl Armed {
    /// Arms a rule; its dice follow from `seed` and its place `stream` in the plan.
    pub(super) fn new(rule: &Rule, seed: u64, stream: u64) -> Self {
        Self {
            rule: rule.clone(),
            rng: Rng::new(seed, stream),
            count: 0,
            in_burst: [false; 2],
            blocks: [Block::default(); 2],
            buckets: [Bucket::default(); 2],
            links: [Link::default(); 2],
        }
    }

    /// Counts a fitting packet and tells whether the rule is applied to it.
    pub(super) fn counts_in(&mut self, index: usize, connection: &mut Connection) -> bool {
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

    /// Adds the rule's effect on a packet to what was decided before.
    pub(super) fn apply(&mut self, subject: &Subject<'_>, decision: &mut Decision) {
        let (name, index, octets) = (self.rule.name, subject.direction.index(), subject.view.ip.len);
        let acted = match self.rule.action {
            Action::Drop => disposes(decision, true, Disposal::Drop),
            Action::DropRandom { probability } => {
                let drops = self.rng.chance(probability);
                disposes(decision, drops, Disposal::Drop)
            }
            Action::DropOneIn { packets } => {
                let drops = self.blocks[index].is_the_one(packets, &mut self.rng);
                disposes(decision, drops, Disposal::Drop)
            }
            Action::DropBurst { enter, leave } => {
                let burst = &mut self.in_burst[index];
                *burst = if *burst { !self.rng.chance(leave) } else { self.rng.chance(enter) };
                disposes(decision, *burst, Disposal::Drop)
            }
            Action::Police { octets_per_ms, burst } => {
                let passes = self.buckets[index].passes(octets, subject.at_ns, octets_per_ms, burst);
                disposes(decision, !passes, Disposal::Drop)
            }
            Action::Queue { octets_per_ms, limit } => {
                let delay_ns = self.links[index].takes(octets, subject.at_ns, octets_per_ms, limit);
                decision.delay_ns += delay_ns.unwrap_or(0);
                // Every packet crosses the link: only those that are dropped are the rule's doing.
                disposes(decision, delay_ns.is_none(), Disposal::Drop)
            }
            Action::RejectIcmp(message) => disposes(decision, true, Disposal::Icmp(message)),
            Action::Refuse => disposes(decision, true, Disposal::Refuse),
            Action::InjectRst(injection) => {
                decision.resets.push((name, injection));
                disposes(decision, injection.trigger == Trigger::Dropped, Disposal::Drop);
                true
            }
            Action::Duplicate { probability, gap_us } => {
                let copies = self.rng.chance(probability);
                decision.copies_ns.extend(copies.then_some(gap_us * 1000));
                copies
            }
            Action::Hold { probability, extra_us } => {
                let holds = self.rng.chance(probability);
                decision.hold_ns += if holds { extra_us * 1000 } else { 0 };
                holds
            }
            Action::Delay { fixed_us, jitter_us } => {
                decision.delay_ns += fixed_us * 1000 + self.rng.below(jitter_us * 1000);
                true
            }
            // Whether these change anything shows when it is done.
            Action::Rewrite(change) => {
                decision.rewrites.push((name, change));
                false
            }
            Action::RandomId => {
                let [.., high, low] = self.rng.next_u64().to_be_bytes();
                decision.rewrites.push((name, Rewrite::SetId(u16::from_be_bytes([high, low]))));
                false
            }
            Action::Recut(recut) => {
                decision.recut = Some((name, recut));
                false
            }
            // A mark is the connection's, and does nothing to the packet.
            Action::Mark => false,
        };
        if acted {
            decision.rules.push(name);
        }
    }
}

/// Sets what becomes of the packet, if so; tells whether.
const fn disposes(decision: &mut Decision, so: bool, disposal: Disposal) -> bool {
    if so {
        decision.disposal = Some(disposal);
    }
    so
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
    use super::Block;
    use crate::rng::Rng;

    #[test]
    fn one_in_a_block_is_dropped_whatever_the_dice() {
        let (mut block, mut rng) = (Block::default(), Rng::new(3, 3));
        let dropped: Vec<usize> = (0..1000).filter(|_| block.is_the_one(50, &mut rng)).collect();
        let blocks: Vec<usize> = dropped.iter().map(|place| place / 50).collect();
        assert_eq!(blocks, (0..20).collect::<Vec<_>>());
        assert!(dropped.iter().any(|place| place % 50 != dropped[0] % 50), "always at the same place");
    }
}
