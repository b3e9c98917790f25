//! Batches that the coordinator has not acknowledged.

use correlate_proto::wire::SealedBatch;
use std::collections::VecDeque;

/// Unacknowledged batches in order, and how far they were sent on the present stream.
#[derive(Debug, Default)]
pub(super) struct Spool {
    batches: VecDeque<SealedBatch>,
    bytes: usize,
    sent: usize,
}

impl Spool {
    pub(super) fn push(&mut self, batch: SealedBatch) {
        self.bytes += batch.body.len();
        self.batches.push_back(batch);
    }

    /// Octets of all batches.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    /// Everything up to this number is recorded.
    pub(super) fn acknowledge(&mut self, recorded_through: u64) {
        while self.batches.front().is_some_and(|batch| batch.sequence <= recorded_through) {
            if let Some(batch) = self.batches.pop_front() {
                self.bytes -= batch.body.len();
            }
            self.sent = self.sent.saturating_sub(1);
        }
    }

    /// A new stream: nothing was sent on it.
    pub(super) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Whether every batch was sent on the present stream.
    pub(super) fn all_sent(&self) -> bool {
        self.sent == self.batches.len()
    }

    /// The next batch to send; it stays until it is acknowledged.
    pub(super) fn send_next(&mut self) -> Option<SealedBatch> {
        let batch = self.batches.get(self.sent)?.clone();
        self.sent += 1;
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(sequence: u64) -> SealedBatch {
        SealedBatch { sequence, body: vec![0; 10], ..SealedBatch::default() }
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_after_a_rewind() {
        let mut spool = Spool::default();
        for sequence in 1..=4 {
            spool.push(batch(sequence));
        }
        let sent = |spool: &mut Spool| -> Vec<u64> {
            core::iter::from_fn(|| spool.send_next()).map(|batch| batch.sequence).collect()
        };
        assert_eq!(sent(&mut spool), [1, 2, 3, 4]);
        spool.acknowledge(2);
        assert_eq!((spool.len(), spool.bytes(), spool.all_sent()), (2, 20, true));
        spool.push(batch(5));
        assert_eq!(sent(&mut spool), [5]);
        spool.rewind();
        assert_eq!(sent(&mut spool), [3, 4, 5]);
        spool.rewind();
        spool.acknowledge(9);
        assert_eq!((spool.len(), spool.bytes(), spool.all_sent()), (0, 0, true));
    }
}
