//! Reads a capture file and says what is in it and how long that took: `read_capture FILE...`.
//!
//! Twice: the frames alone, and dissected into batches of records as an analysis reads them. Times are of the
//! processor where the system tells them, so that a busy machine does not falsify them.

use correlate_agent::capture::{CaptureFile, Fill, FrameSource, Next, Reader};
use correlate_proto::{PointStats, Record};
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const BATCH: usize = 1_024;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    for name in std::env::args().skip(1) {
        let path = Path::new(&name);
        let read = frames(path);
        let dissected = records(path);
        match (read, dissected) {
            (Ok((frames, alone)), Ok(((segments, errors), stats, whole))) => {
                writeln!(out, "{name}: {frames} frames, {segments} TCP, {errors} ICMP errors")?;
                writeln!(out, "  skipped {:?}, ended early {:?}", stats.skipped, stats.ended_early)?;
                let each = |took: u128| took / u128::from(frames.max(1));
                writeln!(out, "  {} ns each read, {} ns read and dissected", each(alone), each(whole))?;
            }
            (Err(error), _) | (_, Err(error)) => writeln!(out, "{name}: {error}")?,
        }
    }
    Ok(())
}

fn frames(path: &Path) -> Result<(u64, u128), Box<dyn Error>> {
    let clock = Instant::now();
    let start = spent_ns(clock);
    let mut file = CaptureFile::open(path)?;
    let mut octets = 0usize;
    while let Next::Frame(frame) = file.next()? {
        octets += frame.bytes.len();
    }
    std::hint::black_box(octets);
    Ok((file.stats().frames, spent_ns(clock) - start))
}

/// Nanoseconds that this thread has been on a processor (Linux), or else that have passed.
fn spent_ns(start: Instant) -> u128 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat");
    let on_processor = schedule.ok().and_then(|text| text.split(' ').next()?.parse().ok());
    on_processor.unwrap_or_else(|| start.elapsed().as_nanos())
}

type Counts = (u64, u64);

fn records(path: &Path) -> Result<(Counts, PointStats, u128), Box<dyn Error>> {
    let clock = Instant::now();
    let start = spent_ns(clock);
    let mut reader = Reader::new(CaptureFile::open(path)?);
    let mut batch = Vec::with_capacity(BATCH);
    let (mut segments, mut errors) = (0, 0);
    loop {
        batch.clear();
        let fill = reader.fill(&mut batch, BATCH)?;
        for record in &batch {
            match record {
                Record::Segment(_) => segments += 1,
                Record::IcmpError(_) => errors += 1,
            }
        }
        if fill == Fill::End {
            return Ok(((segments, errors), reader.stats(), spent_ns(clock) - start));
        }
    }
}
