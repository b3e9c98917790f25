//! Packets that were overtaken, and packets that were sent in vain, as far as the captures show it.

use super::class::Class;
use super::shown::{Shown, pieces};
use super::sightings::Spot;
use core::ops::Range;
use correlate_lab::{Entry, Protocol};
use correlate_proto::{Direction, FourTuple, TcpFlags};
use std::collections::BTreeMap;

/// What is due to be said: of which packet, and of how many of its wire segments. What was overtaken is named where it
/// arrived, what was sent in vain where it was sent.
pub fn due(shown: &Shown<'_>) -> Vec<(Class, Spot, u64)> {
    // The order is that of the captures: hosts and links of one machine may exchange packets before the middlebox.
    let mut arrivals: Vec<(Spot, Spot, usize, Range<u64>)> = Vec::new();
    for index in (0..shown.ledger.len()).filter(|&index| is_sent(&shown.ledger[index])) {
        let Some(sent) = shown.sent(index) else { continue };
        arrivals.extend(
            shown.arrivals(index).map(|(spot, place, count)| (spot, sent, index, place..place + count)),
        );
        // What was cut on the way has its octets counted with the first piece; each of the others has its turn.
        let further = pieces(shown.ledger, index).flat_map(|piece| shown.arrivals(piece));
        arrivals.extend(further.map(|(spot, _, _)| (spot, sent, index, 0..0)));
    }
    arrivals.sort_unstable_by_key(|(spot, sent, index, _)| (*spot, *sent, *index));
    let mut states: BTreeMap<(FourTuple, Direction), State> = BTreeMap::new();
    let mut due = Vec::new();
    for (arrived, sent, index, segments) in arrivals {
        let entry = &shown.ledger[index];
        let state = states.entry((entry.connection, entry.direction)).or_default();
        if state.newest.is_some_and(|newest| sent < newest) {
            due.push((Class::Reordered, arrived, (segments.end - segments.start).max(1)));
        }
        state.newest = state.newest.max(Some(sent));
        let in_vain = state.arrive(entry, sent, &segments);
        if in_vain > 0 {
            due.push((Class::Spurious, sent, in_vain));
        }
    }
    due
}

fn is_sent(entry: &Entry) -> bool {
    entry.protocol == Protocol::Tcp && entry.is_by_host()
}

/// What has arrived of a direction.
#[derive(Debug, Default)]
struct State {
    /// The one that was sent last.
    newest: Option<Spot>,
    /// Where octets of sequence space begin, and how many; with the packet that brought them.
    arrived: Vec<(u32, u32, Spot)>,
    /// The highest sequence number that came, and one.
    top: Option<u32>,
}

impl State {
    /// Takes in the arrival of some of an entry's wire segments; gives how many of them bring nothing new and were sent
    /// after what did.
    fn arrive(&mut self, entry: &Entry, sent: Spot, segments: &Range<u64>) -> u64 {
        let is_syn = entry.flags.has(TcpFlags::SYN);
        if is_syn && self.arrived.first().is_some_and(|(first, _, _)| *first != entry.seq) {
            // The ports are used again.
            *self = Self { newest: self.newest, ..Self::default() };
        }
        let mut in_vain = 0;
        for place in segments.clone() {
            let (seq, len) = entry.octets(usize::try_from(place).unwrap_or(usize::MAX));
            in_vain += u64::from(len > 0 && self.has(seq, len, sent));
            if len > 0 {
                self.arrived.push((seq, len, sent));
                let end = seq.wrapping_add(len);
                if self.top.is_none_or(|top| end.wrapping_sub(top).cast_signed() > 0) {
                    self.top = Some(end);
                }
            }
        }
        in_vain
    }

    /// Whether all these octets came with packets that were sent earlier.
    fn has(&self, seq: u32, len: u32, sent: Spot) -> bool {
        if self.top.is_none_or(|top| seq.wrapping_sub(top).cast_signed() >= 0) {
            return false;
        }
        let mut covered = 0;
        // Each round finds what continues; a handful of earlier copies overlap at the most.
        while covered < len {
            let at = seq.wrapping_add(covered);
            let reach = self
                .arrived
                .iter()
                .filter(|(_, _, by)| *by < sent)
                .filter_map(|(start, length, _)| {
                    length.checked_sub(at.wrapping_sub(*start)).filter(|left| *left > 0)
                })
                .max();
            let Some(reach) = reach else { return false };
            covered = covered.saturating_add(reach);
        }
        true
    }
}
