//! Packets as their hosts' captures show them leaving, looked up in the ledger.

use super::arrivals::Ends;
use crate::frames::Key;
use correlate_lab::Entry;
use std::collections::{BTreeMap, VecDeque};

/// Packets that came into the middlebox and have not been seen leaving their host yet.
pub(super) struct Departures {
    exact: BTreeMap<Key, VecDeque<usize>>,
    /// By four-tuple: those with payload, by where it begins. The middlebox cuts super-packets of which not all has
    /// the same fate.
    ranges: BTreeMap<(Ends, u32), VecDeque<usize>>,
    taken: Vec<bool>,
}

impl Departures {
    /// Of a ledger, those packets that the captured host sent.
    pub(super) fn new(ledger: &[Entry], from_here: impl Iterator<Item = usize>) -> Self {
        let mut departures =
            Self { exact: BTreeMap::new(), ranges: BTreeMap::new(), taken: vec![false; ledger.len()] };
        for index in from_here {
            let key = Key::of(&ledger[index]);
            if key.payload_len > 0 {
                departures.ranges.entry(((key.src, key.dst), key.seq)).or_default().push_back(index);
            }
            departures.exact.entry(key).or_default().push_back(index);
        }
        departures
    }

    /// The entries that a packet is which left at `at_ns`.
    pub(super) fn take(&mut self, ledger: &[Entry], key: &Key, at_ns: i64) -> Vec<usize> {
        if let Some(index) = earliest(self.exact.get_mut(key), ledger, at_ns, &self.taken) {
            self.taken[index] = true;
            return vec![index];
        }
        let (mut parts, mut missing) = (Vec::new(), key.payload_len);
        while missing > 0 {
            let seq = key.seq.wrapping_add(u32::try_from(key.payload_len - missing).unwrap_or(0));
            let queue = self.ranges.get_mut(&((key.src, key.dst), seq));
            let Some(index) = earliest(queue, ledger, at_ns, &self.taken) else { break };
            self.taken[index] = true;
            parts.push(index);
            missing = missing.saturating_sub(ledger[index].payload_len);
        }
        parts
    }
}

/// The first waiting entry that is not older than a packet: what came into the middlebox before the packet left its host
/// is an earlier one that is not recorded.
fn earliest(
    queue: Option<&mut VecDeque<usize>>,
    ledger: &[Entry],
    at_ns: i64,
    taken: &[bool],
) -> Option<usize> {
    let queue = queue?;
    while queue.front().is_some_and(|&index| taken[index] || ledger[index].at_in_ns + 1_000 < at_ns) {
        queue.pop_front();
    }
    queue.pop_front()
}
