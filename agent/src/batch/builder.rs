//! Fills a batch until it is large or old enough.

use super::compress::Compressor;
use core::time::Duration;
use correlate_proto::convert::{BatchEncoder, Loss, LossSource, MAX_BATCH_RECORDS, Sidecar};
use correlate_proto::{Record, Timestamp, wire};

/// Octets at which a batch is full, before compression. Compression and HTTP/2 pay from 32 KiB on; twice that
/// still leaves a capture's losses small when one batch has to go.
pub const TARGET_BYTES: usize = 48 * 1024;

/// How long a packet may wait for its batch to fill. A verdict is to be on the screen within a second.
pub const MAX_AGE: Duration = Duration::from_millis(100);

/// Packets at which a batch is full: half of what the receiver takes.
const TARGET_RECORDS: u32 = 8192;
const _: () = assert!(TARGET_RECORDS as usize * 2 <= MAX_BATCH_RECORDS);

/// Builds one batch after the other and numbers them from 1, or from where another left off.
#[derive(Debug)]
pub struct BatchBuilder {
    encoder: BatchEncoder,
    compressor: Compressor,
    body: Vec<u8>,
    sealed: u64,
    opened_at: Option<Duration>,
}

impl BatchBuilder {
    /// A builder with nothing in it.
    #[must_use]
    pub fn new(compressor: Compressor) -> Self {
        Self::after(0, compressor)
    }

    /// The same, whose first batch is numbered as the one after `sequence`.
    #[must_use]
    pub fn after(sequence: u64, compressor: Compressor) -> Self {
        Self { encoder: BatchEncoder::new(), compressor, body: Vec::new(), sealed: sequence, opened_at: None }
    }

    /// Adds a packet. `now` is any clock that does not go back.
    pub fn push(&mut self, record: &Record, now: Duration) {
        self.opened_at.get_or_insert(now);
        self.encoder.push(record);
    }

    /// Whether the batch must be sealed before another packet is added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.encoder.estimated_len() >= TARGET_BYTES || self.encoder.records() >= TARGET_RECORDS
    }

    /// Whether the batch is full, or its first packet has waited for [`MAX_AGE`].
    #[must_use]
    pub fn is_due(&self, now: Duration) -> bool {
        self.is_full() || self.opened_at.is_some_and(|opened| now.saturating_sub(opened) >= MAX_AGE)
    }

    /// Packets in the batch so far.
    #[must_use]
    pub fn records(&self) -> u32 {
        self.encoder.records()
    }

    /// Number of the newest sealed batch; if there is none, of the one before the first.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sealed
    }

    /// Seals the batch, empty or not, and begins the next.
    pub fn seal(&mut self, sidecar: &Sidecar) -> wire::SealedBatch {
        self.sealed += 1;
        let records = self.encoder.records();
        let span = self.encoder.span();
        self.body.clear();
        self.encoder.finish(sidecar, &mut self.body);
        self.opened_at = None;
        let (compression, body) = self.compressor.compress(&self.body);
        wire::SealedBatch {
            sequence: self.sealed,
            records,
            first_at_ns: span.map(|(first, _)| first.as_ns()),
            last_at_ns: span.map(|(_, last)| last.as_ns()),
            compression: compression.into(),
            body_len: u32::try_from(self.body.len()).unwrap_or(u32::MAX),
            body,
        }
    }

    /// Throws the batch away and says what is lost; `None` if it was empty.
    pub fn discard(&mut self) -> Option<Loss> {
        let count = u64::from(self.encoder.records());
        let span = self.encoder.span();
        self.body.clear();
        self.encoder.finish(&Sidecar::default(), &mut self.body);
        self.opened_at = None;
        let (first_at, last_at): (Timestamp<_>, Timestamp<_>) = span?;
        Some(Loss { source: LossSource::Agent, count, first_at, last_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_records::bulk;
    use correlate_proto::convert::decode_body;

    fn open(batch: &wire::SealedBatch) -> Vec<Record> {
        let body = if batch.compression == i32::from(wire::Compression::Zstd) {
            zstd::bulk::decompress(&batch.body, batch.body_len.try_into().unwrap()).unwrap()
        } else {
            batch.body.clone()
        };
        assert_eq!(body.len(), usize::try_from(batch.body_len).unwrap());
        decode_body(&body).unwrap().records
    }

    #[test]
    fn batches_are_cut_by_size_and_hold_every_packet_once() {
        for compressor in [Compressor::zstd(), Compressor::none()] {
            let records = bulk(20_000);
            let mut builder = BatchBuilder::new(compressor);
            let mut back = Vec::new();
            let mut batches = 0;
            for record in &records {
                builder.push(record, Duration::ZERO);
                if builder.is_full() {
                    let batch = builder.seal(&Sidecar::default());
                    assert!(batch.body_len >= 32 * 1024 && batch.body_len <= 64 * 1024, "{}", batch.body_len);
                    batches += 1;
                    assert_eq!(batch.sequence, batches);
                    back.extend(open(&batch));
                }
            }
            back.extend(open(&builder.seal(&Sidecar::default())));
            assert!(batches > 2);
            assert_eq!(back, records);
        }
    }

    #[test]
    fn a_batch_is_due_when_its_first_packet_is_a_tenth_of_a_second_old() {
        let mut builder = BatchBuilder::new(Compressor::none());
        let start = Duration::from_secs(7);
        assert!(!builder.is_due(start + MAX_AGE));
        for (place, record) in bulk(3).iter().enumerate() {
            builder.push(record, start + Duration::from_millis(u64::try_from(place).unwrap() * 40));
        }
        assert!(!builder.is_due(start + Duration::from_millis(99)));
        assert!(builder.is_due(start + Duration::from_millis(100)));
        builder.seal(&Sidecar::default());
        assert!(!builder.is_due(start + Duration::from_secs(9)));
    }

    #[test]
    fn a_discarded_batch_says_what_is_lost_and_takes_no_number() {
        let mut builder = BatchBuilder::new(Compressor::none());
        assert_eq!(builder.discard(), None);
        let records = bulk(5);
        for record in &records {
            builder.push(record, Duration::ZERO);
        }
        let loss =
            Loss { source: LossSource::Agent, count: 5, first_at: records[0].at(), last_at: records[4].at() };
        assert_eq!(builder.discard(), Some(loss));
        builder.push(&records[0], Duration::ZERO);
        let batch = builder.seal(&Sidecar::default());
        assert_eq!((batch.sequence, open(&batch)), (1, vec![records[0]]));
    }
}
