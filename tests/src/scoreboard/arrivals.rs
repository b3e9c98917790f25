//! Packets as their receivers' captures show them arriving, looked up in the ledger.

use crate::frames::Key;
use correlate_lab::Entry;
use correlate_proto::Endpoint;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// Released packets that have not been seen arriving yet.
pub(super) struct Arrivals {
    exact: BTreeMap<Leaving, VecDeque<usize>>,
    /// By four-tuple: those with payload, by where it begins.
    ranges: BTreeMap<(Ends, u32), VecDeque<usize>>,
    /// By four-tuple: super-packets, each with how many of its octets have arrived.
    supers: BTreeMap<Ends, VecDeque<(usize, u32)>>,
    taken: Vec<bool>,
}

/// The middlebox notes when a packet left after it has sent it: on a busy machine that may be this much later than the
/// receiver's capture has it, in ns.
const LAG_NS: i64 = 2_000_000_000;

/// Sender and receiver of a packet.
pub(super) type Ends = ((IpAddr, u16), (IpAddr, u16));

/// What is known of a packet as it leaves the middlebox.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Leaving {
    ends: Ends,
    seq: u32,
    ack: u32,
    flags: u16,
    payload_len: usize,
}

impl Arrivals {
    /// Of a ledger, those packets that were released towards the captured host, in the order in which they left.
    pub(super) fn new(ledger: &[Entry], released: &[usize]) -> Self {
        let mut arrivals = Self {
            exact: BTreeMap::new(),
            ranges: BTreeMap::new(),
            supers: BTreeMap::new(),
            taken: vec![false; ledger.len()],
        };
        for &index in released {
            let entry = &ledger[index];
            let end = |end: Endpoint| (end.addr, end.port);
            let ends = (end(entry.left.src), end(entry.left.dst));
            let (seq, ack, flags) = (entry.seq_left, entry.ack_left, entry.flags_left.0);
            let leaving = Leaving { ends, seq, ack, flags, payload_len: entry.payload_len_left };
            arrivals.exact.entry(leaving).or_default().push_back(index);
            if entry.payload_len_left > 0 {
                arrivals.ranges.entry((ends, seq)).or_default().push_back(index);
            }
            if entry.wire_segments > 1 {
                arrivals.supers.entry(ends).or_default().push_back((index, 0));
            }
        }
        arrivals
    }

    /// The entries that a packet is which arrived at `at_ns`, each with how many of its wire segments.
    pub(super) fn take(&mut self, ledger: &[Entry], key: &Key, at_ns: i64) -> Vec<(usize, u64)> {
        let ends = (key.src, key.dst);
        let leaving =
            Leaving { ends, seq: key.seq, ack: key.ack, flags: key.flags, payload_len: key.payload_len };
        let whole = |index: usize| (index, u64::try_from(ledger[index].wire_segments).unwrap_or(0));
        if let Some(index) = nearest(self.exact.get_mut(&leaving), ledger, at_ns, &self.taken) {
            self.taken[index] = true;
            return vec![whole(index)];
        }
        if let Some(index) = self.cut(ledger, ends, key) {
            return vec![(index, 1)];
        }
        let mut joined = Vec::new();
        let mut missing = key.payload_len;
        while missing > 0 {
            let seq = key.seq.wrapping_add(u32::try_from(key.payload_len - missing).unwrap_or(0));
            let Some(index) = nearest(self.ranges.get_mut(&(ends, seq)), ledger, at_ns, &self.taken) else {
                break;
            };
            self.taken[index] = true;
            joined.push(whole(index));
            missing = missing.saturating_sub(ledger[index].payload_len_left);
        }
        joined
    }

    /// The super-packet that a packet is one wire segment of: it left as one, and the link to a host without offloads
    /// cut it.
    fn cut(&mut self, ledger: &[Entry], ends: Ends, key: &Key) -> Option<usize> {
        let supers = self.supers.get_mut(&ends)?;
        let place = supers.iter().position(|(index, next)| {
            let entry = &ledger[*index];
            let within = key.seq.wrapping_sub(entry.seq_left.wrapping_add(*next));
            key.payload_len > 0 && within == 0 && key.payload_len <= usize::from(entry.gso_size)
        })?;
        let (index, next) = &mut supers[place];
        let index = *index;
        *next += u32::try_from(key.payload_len).unwrap_or(u32::MAX);
        if usize::try_from(*next).is_ok_and(|next| next >= ledger[index].payload_len_left) {
            supers.remove(place);
        }
        self.taken[index] = true;
        Some(index)
    }
}

/// The waiting entry that was released nearest to an instant; those before it are given up. None that was released
/// much earlier or later.
fn nearest(
    queue: Option<&mut VecDeque<usize>>,
    ledger: &[Entry],
    at_ns: i64,
    taken: &[bool],
) -> Option<usize> {
    let queue = queue?;
    queue.retain(|&index| !taken[index]);
    let distance = |index: &usize| ledger[*index].at_out_ns.unwrap_or(0).abs_diff(at_ns);
    while queue.len() > 1 && distance(&queue[1]) < distance(&queue[0]) {
        queue.pop_front();
    }
    queue.front().is_some_and(|index| distance(index) < LAG_NS.unsigned_abs()).then(|| queue.pop_front())?
}
