//! Looking a packet's flow up by its four-tuple, without regard to direction.

use correlate_proto::{Endpoint, FourTuple};
use rustc_hash::FxHashMap;
use std::net::IpAddr;

/// A four-tuple in canonical order, the same for both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FlowPair {
    /// The lesser endpoint.
    pub(crate) low: Endpoint,
    /// The greater endpoint.
    pub(crate) high: Endpoint,
}

impl FlowPair {
    /// The canonical pair of `tuple`, and whether its source is the lesser endpoint.
    pub(crate) fn of(tuple: &FourTuple) -> (Self, bool) {
        let (src, dst) = (tuple.src, tuple.dst);
        let src_is_low = match (src.addr, dst.addr) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits(), src.port) <= (b.to_bits(), dst.port),
            _ => src <= dst,
        };
        if src_is_low { (Self { low: src, high: dst }, true) } else { (Self { low: dst, high: src }, false) }
    }

    /// All of an IPv4 pair in 96 bits: hashing it is two multiplications.
    fn packed_v4(&self) -> Option<u128> {
        let (IpAddr::V4(low), IpAddr::V4(high)) = (self.low.addr, self.high.addr) else { return None };
        let addresses = (u128::from(low.to_bits()) << 32) | u128::from(high.to_bits());
        Some((addresses << 32) | (u128::from(self.low.port) << 16) | u128::from(self.high.port))
    }
}

/// Flow index by pair. Looked up only, never iterated.
#[derive(Debug, Default)]
pub(crate) struct FlowMap {
    v4: FxHashMap<u128, u32>,
    other: FxHashMap<FlowPair, u32>,
}

impl FlowMap {
    /// The index stored for `pair`.
    pub(crate) fn find(&self, pair: &FlowPair) -> Option<u32> {
        match pair.packed_v4() {
            Some(key) => self.v4.get(&key).copied(),
            None => self.other.get(pair).copied(),
        }
    }

    /// Stores `index` for `pair`, in place of an earlier one.
    pub(crate) fn insert(&mut self, pair: FlowPair, index: u32) {
        match pair.packed_v4() {
            Some(key) => self.v4.insert(key, index),
            None => self.other.insert(pair, index),
        };
    }

    /// Forgets `pair` if it still stands for `index`.
    pub(crate) fn remove(&mut self, pair: &FlowPair, index: u32) {
        if self.find(pair) != Some(index) {
            return;
        }
        match pair.packed_v4() {
            Some(key) => self.v4.remove(&key),
            None => self.other.remove(pair),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(a: &str, b: &str) -> FourTuple {
        let end = |s: &str| {
            let socket: std::net::SocketAddr = s.parse().unwrap();
            Endpoint { addr: socket.ip(), port: socket.port() }
        };
        FourTuple { src: end(a), dst: end(b) }
    }

    #[test]
    fn both_directions_have_one_key() {
        for (a, b) in
            [("10.0.0.1:5", "10.0.0.2:4"), ("[fd00::2]:1", "[fd00::1]:9"), ("10.0.0.1:5", "10.0.0.1:6")]
        {
            let (there, low) = FlowPair::of(&tuple(a, b));
            let (back, reversed) = FlowPair::of(&tuple(b, a));
            assert_eq!(there, back);
            assert_ne!(low, reversed);
        }
    }

    #[test]
    fn an_entry_that_was_replaced_is_not_removed_by_its_predecessor() {
        let (pair, _) = FlowPair::of(&tuple("10.0.0.1:5", "10.0.0.2:4"));
        let mut map = FlowMap::default();
        map.insert(pair, 1);
        map.insert(pair, 2);
        map.remove(&pair, 1);
        assert_eq!(map.find(&pair), Some(2));
    }
}
