//! One capture, read and dissected on a thread of its own.

use correlate_agent::capture::CaptureError;
use correlate_proto::{Local, PointStats, Record, Timestamp};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::{io, thread};

/// Records in a batch: large enough that handing over costs nothing beside reading, small enough that a handful
/// of batches stays in the cache of a processor.
pub(crate) const BATCH_RECORDS: usize = 4096;

/// Batches that may wait for the engine. A reader that is ahead by these waits: that bounds memory to a few
/// megabytes a file.
const BATCHES_AHEAD: usize = 4;

/// Anything that gives records in batches.
pub(crate) trait Batches: Send {
    /// Fills `records`, which is empty, with the next ones in capture order; false when there are no more.
    fn fill(&mut self, records: &mut Vec<Record>) -> Result<bool, CaptureError>;
    /// Everything up to here, by the capture's own clock, has been given; absent before the first frame.
    fn watermark(&self) -> Option<Timestamp<Local>>;
    /// Counters so far.
    fn stats(&self) -> PointStats;
}

/// What a reader delivers.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Some of the capture.
    Records {
        /// In capture order.
        records: Vec<Record>,
        /// Up to where the capture has been delivered with them.
        watermark: Option<Timestamp<Local>>,
        /// The earliest stamp of any frame up to the first delivery, whatever its protocol.
        began: Option<Timestamp<Local>>,
    },
    /// The capture is at its end; its counters.
    End(Box<PointStats>),
}

impl Delivery {
    /// Since when the capture is known to have run, as of this delivery.
    pub(crate) fn began(&self) -> Option<Timestamp<Local>> {
        match self {
            Self::Records { began, .. } => *began,
            Self::End(stats) => began(stats),
        }
    }
}

fn began(stats: &PointStats) -> Option<Timestamp<Local>> {
    stats.coverage.first().map(|covered| covered.from)
}

/// The receiving side of a reading thread. Dropping it ends the thread at its next batch.
#[derive(Debug)]
pub(crate) struct Reader {
    name: String,
    deliveries: Receiver<Result<Delivery, CaptureError>>,
    spent: SyncSender<Vec<Record>>,
}

impl Reader {
    /// Starts to read `source`, which is named `name` in errors.
    pub(crate) fn start(name: &str, source: impl Batches + 'static) -> Result<Self, CaptureError> {
        let (deliver, deliveries) = sync_channel(BATCHES_AHEAD);
        // One more than can be under way, so that giving a vector back never waits.
        let (spent, recycled) = sync_channel(BATCHES_AHEAD + 2);
        thread::Builder::new()
            .name(format!("read {name}"))
            .spawn(move || read(source, &deliver, &recycled))
            .map_err(|source| CaptureError::Read { name: name.to_owned(), source })?;
        Ok(Self { name: name.to_owned(), deliveries, spent })
    }

    /// The next delivery; waits for it. Not to be called again after [`Delivery::End`] or an error.
    pub(crate) fn next(&mut self) -> Result<Delivery, CaptureError> {
        self.deliveries.recv().unwrap_or_else(|_| {
            let source = io::Error::other("its reading thread ended unexpectedly");
            Err(CaptureError::Read { name: self.name.clone(), source })
        })
    }

    /// Gives a vector back to be filled again.
    pub(crate) fn recycle(&self, mut records: Vec<Record>) {
        records.clear();
        // A thread that has ended needs none.
        let _ = self.spent.try_send(records);
    }
}

fn read(
    mut source: impl Batches,
    deliver: &SyncSender<Result<Delivery, CaptureError>>,
    recycled: &Receiver<Vec<Record>>,
) {
    let mut since = None;
    loop {
        let mut records = recycled.try_recv().unwrap_or_else(|_| Vec::with_capacity(BATCH_RECORDS));
        let filled = source.fill(&mut records);
        since = since.or_else(|| began(&source.stats()));
        let delivery = match filled {
            Ok(true) => Ok(Delivery::Records { records, watermark: source.watermark(), began: since }),
            Ok(false) => Ok(Delivery::End(Box::new(source.stats()))),
            Err(error) => Err(error),
        };
        let last = !matches!(delivery, Ok(Delivery::Records { .. }));
        if deliver.send(delivery).is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Gives `left` empty batches and counts how many were asked for.
    struct Fake {
        left: usize,
        asked: Arc<AtomicUsize>,
        fail: bool,
    }

    impl Batches for Fake {
        fn fill(&mut self, records: &mut Vec<Record>) -> Result<bool, CaptureError> {
            assert!(records.is_empty(), "a recycled vector arrives empty");
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.left == 0 && self.fail {
                return Err(CaptureError::Read { name: "x".into(), source: io::Error::other("disk") });
            }
            self.left = self.left.saturating_sub(1);
            Ok(self.left > 0)
        }

        fn watermark(&self) -> Option<Timestamp<Local>> {
            None
        }

        fn stats(&self) -> PointStats {
            PointStats { frames: 7, ..PointStats::default() }
        }
    }

    #[test]
    fn a_reader_that_is_ahead_waits() {
        let asked = Arc::new(AtomicUsize::new(0));
        let source = Fake { left: 1000, asked: Arc::clone(&asked), fail: false };
        let mut reader = Reader::start("a", source).expect("a thread");
        let mut seen = 0;
        loop {
            match reader.next().expect("no error") {
                Delivery::Records { records, .. } => {
                    seen += 1;
                    // One more may be under way into the channel, and one more being filled.
                    assert!(asked.load(Ordering::SeqCst) <= seen + BATCHES_AHEAD + 2);
                    reader.recycle(records);
                }
                Delivery::End(stats) => {
                    assert_eq!((seen, stats.frames), (999, 7));
                    return;
                }
            }
        }
    }

    #[test]
    fn an_error_in_mid_file_arrives_in_its_place() {
        let source = Fake { left: 2, asked: Arc::default(), fail: true };
        let mut reader = Reader::start("a", source).expect("a thread");
        assert!(matches!(reader.next(), Ok(Delivery::Records { .. })));
        // The second batch of the fake is its last good one and says so.
        assert!(matches!(reader.next(), Ok(Delivery::End(_))));
        let mut broken =
            Reader::start("b", Fake { left: 0, asked: Arc::default(), fail: true }).expect("a thread");
        assert!(broken.next().expect_err("it fails").to_string().contains("disk"));
    }

    #[test]
    fn a_reader_whose_thread_is_gone_says_so_and_does_not_hang() {
        struct Panics;
        impl Batches for Panics {
            fn fill(&mut self, _: &mut Vec<Record>) -> Result<bool, CaptureError> {
                panic!("planned by the test")
            }
            fn watermark(&self) -> Option<Timestamp<Local>> {
                None
            }
            fn stats(&self) -> PointStats {
                PointStats::default()
            }
        }
        let mut reader = Reader::start("a.pcap", Panics).expect("a thread");
        assert!(reader.next().expect_err("it is gone").to_string().contains("a.pcap"));
    }
}
