//! A capture file as batches of records.

use super::reader::{BATCH_RECORDS, Batches};
use crate::error::CliError;
use correlate_agent::capture::{CaptureError, CaptureFile, Fill, Frame, Reader};
use correlate_agent::dissect::{Dissected, dissect};
use correlate_agent::filter::Filter;
use correlate_proto::{IcmpError, IcmpKind, Interface, Local, PointStats, Record, Span, Timestamp};
use std::path::Path;
use std::sync::Arc;

/// Stamps within one capture go backwards by tens of microseconds, where several processors took the frames.
/// What a capture has delivered is known only so far behind its newest stamp.
const SETTLING: Span = Span::from_ms(10);

/// A capture file being read through a filter.
#[derive(Debug)]
pub(crate) struct Capture {
    reader: Reader<CaptureFile>,
    newest: Option<Timestamp<Local>>,
    ended: bool,
}

impl Capture {
    /// Opens the file at `path`, `-` for standard input. `words` is a filter, empty for none; with `decap` a
    /// packet passes also if what its tunnels and tags hold matches.
    pub(crate) fn open(path: &Path, words: &str, decap: bool) -> Result<Self, CliError> {
        // The filter first: what was typed wrong is known before anything is opened.
        let filter = match words.trim() {
            "" => None,
            words => Some(Arc::new(Filter::parse(words).map_err(|error| CliError::filter(&error))?)),
        };
        let mut reader = Reader::new(CaptureFile::open(path)?);
        if let Some(filter) = filter {
            let quoted = Arc::clone(&filter);
            reader = reader
                .with_filter(Box::new(move |frame| {
                    filter.program().matches(frame) || (decap && inside(&filter, frame))
                }))
                .with_quote_filter(Box::new(move |error| quoted.matches_quoted(error)));
        }
        Ok(Self { reader, newest: None, ended: false })
    }

    /// The interfaces that the file names at its beginning.
    pub(crate) fn interfaces(&self) -> Vec<Interface> {
        self.reader.interfaces().to_vec()
    }

    /// Name of the link type; empty if frames must be read to know.
    pub(crate) fn link_type(&self) -> String {
        self.reader.link_type_name()
    }
}

impl Batches for Capture {
    fn fill(&mut self, records: &mut Vec<Record>) -> Result<bool, CaptureError> {
        if !self.ended {
            self.ended = self.reader.fill(records, BATCH_RECORDS)? == Fill::End;
        }
        self.newest = records.iter().map(Record::at).max().max(self.newest);
        Ok(!records.is_empty())
    }

    fn watermark(&self) -> Option<Timestamp<Local>> {
        self.newest.map(|newest| newest.plus(Span(-SETTLING.as_ns())))
    }

    fn stats(&self) -> PointStats {
        self.reader.stats()
    }
}

/// Whether the innermost packet matches by its addresses and ports: they are judged as those of a quoted packet.
fn inside(filter: &Filter, frame: &Frame<'_>) -> bool {
    let Dissected::Record(Record::Segment(segment)) = dissect(frame) else { return false };
    filter.matches_quoted(&IcmpError {
        packet: segment.packet,
        at: segment.at,
        heard: segment.heard,
        interface: segment.interface,
        from: segment.tuple.dst.addr,
        to: segment.tuple.src.addr,
        kind: IcmpKind::Other,
        icmp_type: 0,
        icmp_code: 0,
        quoted: segment.tuple,
        quoted_seq: segment.seq,
        quoted_ip_id: segment.ip.id,
        quoted_ip_len: segment.ip.len,
        ttl: segment.ip.ttl,
    })
}
