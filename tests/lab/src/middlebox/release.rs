//! Frames on their way: what leaves when.

use crate::wire::frame::Frame;
use std::collections::{BTreeMap, BTreeSet};

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
    /// When which frame is due.
    order: BTreeSet<(i64, u64)>,
    frames: BTreeMap<u64, Waiting>,
    put: u64,
}

impl ReleaseQueue {
    /// Puts a frame in; gives the number that it bears while it waits.
    pub(crate) fn put(&mut self, waiting: Waiting) -> u64 {
        self.put += 1;
        self.order.insert((waiting.due_ns, self.put));
        self.frames.insert(self.put, waiting);
        self.put
    }

    /// The frame of that number, if it still waits. When it is due must stay as it is.
    pub(crate) fn waiting(&mut self, number: u64) -> Option<&mut Waiting> {
        self.frames.get_mut(&number)
    }

    /// When the next frame is due.
    pub(crate) fn next_due_ns(&self) -> Option<i64> {
        self.order.first().map(|(due_ns, _)| *due_ns)
    }

    /// The next frame if it is due at `now_ns`.
    pub(crate) fn take_due(&mut self, now_ns: i64) -> Option<Waiting> {
        if self.next_due_ns()? > now_ns {
            return None;
        }
        let (_, number) = self.order.pop_first()?;
        self.frames.remove(&number)
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
