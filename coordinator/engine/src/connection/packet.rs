//! References to packets, as evidence gives them.

use correlate_proto::{IcmpError, Segment};

/// A packet in one point's capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PacketRef {
    /// By the capture point's own clock, in nanoseconds since the epoch.
    pub(crate) at: i64,
    /// Number in that capture.
    pub(crate) packet: u64,
    /// The capture point, as an index.
    pub(crate) point: usize,
}

impl PacketRef {
    /// The packet of `segment` at `point`.
    pub(crate) const fn of(point: usize, segment: &Segment) -> Self {
        Self { at: segment.at.as_ns(), packet: segment.packet, point }
    }

    /// The packet of `error` at `point`.
    pub(crate) const fn of_icmp(point: usize, error: &IcmpError) -> Self {
        Self { at: error.at.as_ns(), packet: error.packet, point }
    }
}

/// The first few of many, and how many there were.
#[derive(Debug, Clone)]
pub(crate) struct Few<T> {
    items: Vec<T>,
    count: u64,
}

/// How many are kept of each kind of evidence.
const KEPT: usize = 8;

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { items: Vec::new(), count: 0 }
    }
}

impl<T> Few<T> {
    /// Adds one.
    pub(crate) fn push(&mut self, item: T) {
        self.count += 1;
        if self.items.len() < KEPT {
            self.items.push(item);
        }
    }

    /// How many were added.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The first ones.
    pub(crate) fn iter(&self) -> core::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// The very first.
    pub(crate) fn first(&self) -> Option<&T> {
        self.items.first()
    }
}

/// How many resets and ICMP errors of one connection are remembered, for each capture point that it has. Later
/// ones leave no evidence, and a connection has no use for more.
const REMEMBERED: usize = 16;

/// The first ones of a kind, up to a bound.
#[derive(Debug, Clone)]
pub(crate) struct Remembered<T>(Vec<T>);

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Remembered<T> {
    /// Adds one, unless there are as many as are kept.
    pub(crate) fn push(&mut self, item: T) {
        if self.0.len() < REMEMBERED {
            self.0.push(item);
        }
    }

    /// Those that are remembered.
    pub(crate) fn iter(&self) -> core::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// Those that are remembered, to be changed.
    pub(crate) fn iter_mut(&mut self) -> core::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
