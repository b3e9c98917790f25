//! Writing classic pcap files with nanosecond stamps.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const HEADER_LEN: u64 = 24;
const RECORD_HEADER_LEN: u64 = 16;

/// What the frames of a file begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkType {
    /// An Ethernet header.
    Ethernet = 1,
    /// That of Linux's cooked capture, version 2 (`LINKTYPE_LINUX_SLL2`).
    Cooked = 276,
}

/// A pcap file that is being written.
#[derive(Debug)]
pub(crate) struct PcapWriter {
    out: BufWriter<File>,
    snaplen: usize,
    len: u64,
}

impl PcapWriter {
    /// Creates the file; an existing one is replaced.
    pub(crate) fn create(path: &Path, snaplen: usize, link_type: LinkType) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let limit = u32::try_from(snaplen).unwrap_or(u32::MAX);
        out.write_all(&MAGIC_NANOSECONDS.to_le_bytes())?;
        out.write_all(&[2, 0, 4, 0])?; // version 2.4
        out.write_all(&[0; 8])?; // time zone, accuracy
        out.write_all(&limit.to_le_bytes())?;
        out.write_all(&(link_type as u32).to_le_bytes())?;
        Ok(Self { out, snaplen, len: HEADER_LEN })
    }

    /// Writes one frame of `wire_len` octets, of which `frame` has been captured, cut to the snaplen. Stamps before 1970 or after 2106 are held at those ends.
    pub(crate) fn write(&mut self, at_ns: i64, frame: &[u8], wire_len: usize) -> io::Result<()> {
        let at_ns = at_ns.max(0);
        let seconds = u32::try_from(at_ns / 1_000_000_000).unwrap_or(u32::MAX);
        let nanoseconds = u32::try_from(at_ns % 1_000_000_000).unwrap_or(0);
        let kept = &frame[..frame.len().min(self.snaplen)];
        for field in [seconds, nanoseconds, length(kept.len()), length(wire_len)] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        self.len += RECORD_HEADER_LEN + u64::from(length(kept.len()));
        self.out.write_all(kept)
    }

    /// Octets of the file so far.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Writes what is buffered, and cuts the file to `len` octets.
    pub(crate) fn finish(mut self, len: u64) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().set_len(len)
    }
}

fn length(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}
