//! From a source of frames to batches of records, with everything counted on the way.

use super::addresses::AddressBook;
use super::error::CaptureError;
use super::frame::{Frame, FrameSource, Next};
use crate::dissect::{Dissected, SkipReason, dissect};
use core::fmt;
use correlate_proto::{IcmpError, Interface, PointStats, Record};
use std::collections::BTreeMap;

/// Name under which TCP packets that the filter does not match are counted.
const NOT_MATCHED: &str = "not matched by the filter";

/// Whether a frame is asked for.
pub type FrameFilter = Box<dyn FnMut(&Frame<'_>) -> bool + Send>;
/// Whether an ICMP error is, by the packet that it quotes.
pub type QuoteFilter = Box<dyn FnMut(&IcmpError) -> bool + Send>;

/// How far a batch got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// The batch is full; there may be more.
    More,
    /// A live source had nothing more within its time-out.
    Idle,
    /// The source is at its end.
    End,
}

/// Reads records from a source.
pub struct Reader<S> {
    source: S,
    filter: Option<FrameFilter>,
    quote_filter: Option<QuoteFilter>,
    skipped: [u64; SkipReason::COUNT],
    /// The last reason of each kind, for its name.
    reasons: [Option<SkipReason>; SkipReason::COUNT],
    not_matched: u64,
    addresses: AddressBook,
}

impl<S: fmt::Debug> fmt::Debug for Reader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("source", &self.source)
            .field("filtered", &self.filter.is_some())
            .finish_non_exhaustive()
    }
}

impl<S: FrameSource> Reader<S> {
    /// Reads every TCP packet and every ICMP error that quotes one.
    pub fn new(source: S) -> Self {
        Self {
            source,
            filter: None,
            quote_filter: None,
            skipped: [0; SkipReason::COUNT],
            reasons: [None; SkipReason::COUNT],
            not_matched: 0,
            addresses: AddressBook::default(),
        }
    }

    /// Keeps only the TCP packets that `filter` matches. ICMP errors are kept whatever it says: what they quote
    /// decides, see [`with_quote_filter`](Self::with_quote_filter).
    #[must_use]
    pub fn with_filter(mut self, filter: FrameFilter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Keeps only the ICMP errors for which `filter` holds.
    #[must_use]
    pub fn with_quote_filter(mut self, filter: QuoteFilter) -> Self {
        self.quote_filter = Some(filter);
        self
    }

    /// Reads from what `change` makes of the source.
    #[must_use]
    pub fn map_source<T>(self, change: impl FnOnce(S) -> T) -> Reader<T> {
        Reader {
            source: change(self.source),
            filter: self.filter,
            quote_filter: self.quote_filter,
            skipped: self.skipped,
            reasons: self.reasons,
            not_matched: self.not_matched,
            addresses: self.addresses,
        }
    }

    /// Appends records to `batch` until it holds `max` of them.
    ///
    /// An error leaves in `batch` what was read before it.
    pub fn fill(&mut self, batch: &mut Vec<Record>, max: usize) -> Result<Fill, CaptureError> {
        while batch.len() < max {
            let frame = match self.source.next()? {
                Next::Frame(frame) => frame,
                Next::Idle => return Ok(Fill::Idle),
                Next::End => return Ok(Fill::End),
            };
            match dissect(&frame) {
                Dissected::Record(record) => {
                    let (one, other) = match &record {
                        Record::Segment(segment) => (segment.tuple.src.addr, segment.tuple.dst.addr),
                        Record::IcmpError(error) => (error.from, error.to),
                    };
                    self.addresses.note(one);
                    self.addresses.note(other);
                    if wanted(&record, &frame, &mut self.filter, &mut self.quote_filter) {
                        batch.push(record);
                    } else {
                        self.not_matched += 1;
                    }
                }
                Dissected::Skipped(reason) => {
                    self.addresses.note_frame(&frame);
                    self.skipped[reason.index()] += 1;
                    self.reasons[reason.index()] = Some(reason);
                }
            }
        }
        Ok(Fill::More)
    }

    /// Asks the source to end: [`FrameSource::wind_up`].
    pub fn wind_up(&mut self) -> bool {
        self.source.wind_up()
    }

    /// Counters: the source's, with skipped frames by reason and the addresses seen.
    pub fn stats(&self) -> PointStats {
        let mut stats = self.source.stats();
        stats.skipped = self.skipped();
        stats.addresses_seen = self.addresses.to_vec();
        stats
    }

    fn skipped(&self) -> BTreeMap<String, u64> {
        let by_reason =
            self.reasons.iter().flatten().map(|reason| (reason.name(), self.skipped[reason.index()]));
        let mut skipped: BTreeMap<String, u64> = by_reason.collect();
        if self.not_matched > 0 {
            skipped.insert(NOT_MATCHED.to_owned(), self.not_matched);
        }
        skipped
    }

    /// The source's interfaces, which records refer to.
    pub fn interfaces(&self) -> &[Interface] {
        self.source.interfaces()
    }

    /// The source's link type.
    pub fn link_type_name(&self) -> String {
        self.source.link_type_name()
    }

    /// The source itself.
    pub fn source(&self) -> &S {
        &self.source
    }
}

#[inline]
fn wanted(
    record: &Record,
    frame: &Frame<'_>,
    filter: &mut Option<FrameFilter>,
    quote_filter: &mut Option<QuoteFilter>,
) -> bool {
    match record {
        Record::Segment(_) => filter.as_mut().is_none_or(|matches| matches(frame)),
        Record::IcmpError(error) => quote_filter.as_mut().is_none_or(|matches| matches(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CaptureFile;
    use etherparse::PacketBuilder;

    /// Four raw IPv4 packets: TCP to ports 80 and 81, UDP, and an ICMP error that quotes the first.
    fn file() -> CaptureFile {
        let tcp = |port: u16| {
            let mut bytes = Vec::new();
            let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(4_000, port, 1, 2);
            builder.write(&mut bytes, b"abc").unwrap();
            bytes
        };
        let mut udp = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 3], [10, 0, 0, 4], 64).udp(5, 6).write(&mut udp, b"x").unwrap();
        let quote = [&[3, 1, 0, 0, 0, 0, 0, 0][..], &tcp(80)[..28]].concat();
        let head = [0x45, 0, 0, 56, 0, 0, 0, 0, 60, 1, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1];
        let mut bytes =
            [&[0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0][..], &[0; 8], &[0, 0, 4, 0, 101, 0, 0, 0]].concat();
        for packet in [tcp(80), tcp(81), udp, [&head[..], &quote].concat()] {
            let len = u32::try_from(packet.len()).unwrap().to_le_bytes();
            bytes.extend([&[0; 8][..], &len, &len, &packet].concat());
        }
        CaptureFile::from_reader("test.pcap", Box::new(std::io::Cursor::new(bytes))).unwrap()
    }

    fn ports(batch: &[Record]) -> Vec<Option<u16>> {
        let port = |record: &Record| match record {
            Record::Segment(segment) => Some(segment.tuple.dst.port),
            Record::IcmpError(_) => None,
        };
        batch.iter().map(port).collect()
    }

    #[test]
    fn batches_are_filled_to_their_size_and_everything_is_counted() {
        let mut reader = Reader::new(file());
        let mut batch = Vec::new();
        assert_eq!(reader.fill(&mut batch, 2).unwrap(), Fill::More);
        assert_eq!(ports(&batch), [Some(80), Some(81)]);
        assert_eq!(reader.fill(&mut batch, 9).unwrap(), Fill::End);
        assert_eq!(ports(&batch), [Some(80), Some(81), None]);
        let stats = reader.stats();
        assert_eq!((stats.frames, stats.skipped), (4, BTreeMap::from([("not TCP".to_owned(), 1)])));
        let addresses: Vec<_> = stats.addresses_seen.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.9"]);
    }

    #[test]
    fn a_filter_chooses_segments_and_its_own_hook_chooses_errors() {
        let to_port_81 = |frame: &Frame<'_>| frame.bytes[22..24] == [0, 81];
        let mut reader = Reader::new(file()).with_filter(Box::new(to_port_81));
        let mut batch = Vec::new();
        assert_eq!(reader.fill(&mut batch, 9).unwrap(), Fill::End);
        assert_eq!(ports(&batch), [Some(81), None], "errors are kept unless the hook refuses them");
        assert_eq!(reader.stats().skipped.get(NOT_MATCHED), Some(&1));

        let refuse = |error: &IcmpError| error.quoted.dst.port == 81;
        let mut reader =
            Reader::new(file()).with_filter(Box::new(to_port_81)).with_quote_filter(Box::new(refuse));
        batch.clear();
        assert_eq!(reader.fill(&mut batch, 9).unwrap(), Fill::End);
        assert_eq!(ports(&batch), [Some(81)]);
        assert_eq!(
            reader.stats().addresses_seen.len(),
            5,
            "filtered frames still prove that hosts were heard"
        );
    }
}
