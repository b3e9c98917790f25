//! Packets that bear witness to how two clocks stood: one each way for every second, to be looked up when one of the
//! clocks turns out to have stepped.

use super::ring::second_of;
use correlate_proto::{Local, Timestamp};
use std::collections::VecDeque;

/// Seconds of traffic that are remembered each way, in 330 KiB: more than an hour without a pause. Of steps that are
/// older the packets are not named.
const MAX_WITNESSES: usize = 4096;

/// A packet at both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    /// When it was at A, by A's clock.
    pub a: Timestamp<Local>,
    /// When it was at B, by B's clock.
    pub b: Timestamp<Local>,
    /// Its number in A's capture and in B's.
    pub packets: (u64, u64),
    /// It went from A to B.
    pub forward: bool,
}

/// Witnesses of one pair of clocks.
#[derive(Debug, Clone, Default)]
pub(super) struct Witnesses {
    ways: [VecDeque<(i64, Witness)>; 2],
}

impl Witnesses {
    /// A packet was matched. Cheap: all but the first of a second end at one comparison.
    pub(super) fn note(&mut self, witness: Witness) {
        let second = second_of(witness.a.as_ns());
        let way = &mut self.ways[usize::from(witness.forward)];
        if way.back().is_some_and(|&(newest, _)| newest >= second) {
            return;
        }
        if way.len() >= MAX_WITNESSES {
            way.pop_front();
        }
        way.push_back((second, witness));
    }

    /// The last packet well before an instant of A's clock and the first well after it, of the way that has both.
    pub(super) fn around(&self, at: i64) -> Option<[Witness; 2]> {
        let second = second_of(at);
        self.ways.iter().rev().find_map(|way| {
            let before = way.iter().rev().find(|&&(other, _)| other < second.saturating_sub(1))?;
            let after = way.iter().find(|&&(other, _)| other > second.saturating_add(1))?;
            Some([before.1, after.1])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn witness(second: i64, forward: bool) -> Witness {
        let at = Timestamp::from_ns(second * SECOND + 1);
        let number = u64::try_from(second).unwrap();
        Witness { a: at, b: at, packets: (number, number + 1), forward }
    }

    #[test]
    fn one_packet_a_second_is_kept_and_the_nearest_well_around_an_instant_are_found() {
        let mut witnesses = Witnesses::default();
        for second in 0..100 {
            witnesses.note(witness(second, false));
            witnesses.note(witness(second, false));
        }
        witnesses.note(witness(7, true));
        let found = witnesses.around(50 * SECOND + 5).map(|pair| pair.map(|witness| witness.packets.0));
        assert_eq!(found, Some([48, 52]));
        assert_eq!(witnesses.around(0), None, "nothing before");
        for second in 100..20_000 {
            witnesses.note(witness(second, false));
        }
        assert_eq!(witnesses.ways[0].len(), MAX_WITNESSES);
        assert_eq!(witnesses.around(50 * SECOND), None, "forgotten");
    }
}
