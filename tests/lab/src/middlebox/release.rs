//! Frames on their way: what leaves when.

use crate::wire::frame::Frame;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A frame that waits to be sent.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// When it is due, ns by `CLOCK_REALTIME`.
    pub(crate) due_ns: i64,
    /// Port that it leaves by.
    pub(crate) port: usize,
    /// The frame.
    pub(crate) frame: Frame,
    /// Its entry in the ledger, if it has one.
    pub(crate) entry: Option<usize>,
}

/// Frames ordered by when they are due; those due at once keep the order they were put in.
#[derive(Debug, Default)]
pub(crate) struct ReleaseQueue {
    heap: BinaryHeap<Reverse<Numbered>>,
    put: u64,
}

#[derive(Debug)]
struct Numbered {
    number: u64,
    waiting: Waiting,
}

impl ReleaseQueue {
    /// Puts a frame in.
    pub(crate) fn put(&mut self, waiting: Waiting) {
        self.put += 1;
        self.heap.push(Reverse(Numbered { number: self.put, waiting }));
    }

    /// When the next frame is due.
    pub(crate) fn next_due_ns(&self) -> Option<i64> {
        self.heap.peek().map(|Reverse(next)| next.waiting.due_ns)
    }

    /// The next frame if it is due at `now_ns`.
    pub(crate) fn take_due(&mut self, now_ns: i64) -> Option<Waiting> {
        if self.next_due_ns()? > now_ns {
            return None;
        }
        self.heap.pop().map(|Reverse(next)| next.waiting)
    }
}

impl Numbered {
    const fn key(&self) -> (i64, u64) {
        (self.waiting.due_ns, self.number)
    }
}

impl PartialEq for Numbered {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Numbered {}

impl PartialOrd for Numbered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Numbered {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_leave_in_order_of_time_and_then_of_arrival() {
        let mut queue = ReleaseQueue::default();
        for (due_ns, port) in [(30, 0), (10, 1), (10, 2), (20, 3)] {
            queue.put(Waiting { due_ns, port, frame: Frame::plain(&[]), entry: None });
        }
        assert!(queue.take_due(9).is_none());
        let order: Vec<usize> =
            std::iter::from_fn(|| queue.take_due(25)).map(|waiting| waiting.port).collect();
        assert_eq!(order, [1, 2, 3]);
        assert_eq!(queue.next_due_ns(), Some(30));
    }
}
