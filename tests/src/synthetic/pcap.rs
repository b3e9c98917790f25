//! Classic capture files, written.

use super::Plan;
use super::frame::Headers;
use std::io::{self, BufWriter, Write};

/// What payload consists of after its first word; a whole frame has fewer octets than this.
const ZEROS: [u8; 4_096] = [0; 4_096];

/// Writes one file.
#[derive(Debug)]
pub(super) struct Writer<W: Write> {
    out: BufWriter<W>,
    snaplen: u32,
    nanoseconds: bool,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, plan: &Plan) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 20, out);
        let magic: u32 = if plan.nanoseconds { 0xA1B2_3C4D } else { 0xA1B2_C3D4 };
        out.write_all(&magic.to_le_bytes())?;
        out.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        out.write_all(&plan.snaplen.to_le_bytes())?;
        out.write_all(&1u32.to_le_bytes())?;
        Ok(Self { out, snaplen: plan.snaplen, nanoseconds: plan.nanoseconds })
    }

    pub(super) fn write(&mut self, stamp_ns: u64, headers: &Headers) -> io::Result<()> {
        let head = headers.as_slice();
        let captured = headers.wire_len.min(self.snaplen);
        let unit = if self.nanoseconds { 1 } else { 1_000 };
        let seconds = u32::try_from(stamp_ns / 1_000_000_000).unwrap_or(u32::MAX);
        let fraction = u32::try_from(stamp_ns % 1_000_000_000 / unit).unwrap_or(0);
        for field in [seconds, fraction, captured, headers.wire_len] {
            self.out.write_all(&field.to_le_bytes())?;
        }
        let cut = head.len().min(captured as usize);
        self.out.write_all(&head[..cut])?;
        self.out.write_all(&ZEROS[..captured as usize - cut])
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
