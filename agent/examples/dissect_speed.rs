//! How long dissection takes per frame, beside what etherparse's own slicing takes on the same frames:
//! `dissect_speed FILE`.

use correlate_agent::capture::{CaptureFile, Frame, FrameSource, Next};
use correlate_agent::dissect::dissect;
use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const FRAMES: usize = 4_096;
const ROUNDS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("usage: dissect_speed FILE")?;
    let mut file = CaptureFile::open(Path::new(&name))?;
    let mut kept: Vec<(Vec<u8>, Frame<'static>)> = Vec::new();
    while kept.len() < FRAMES {
        let Next::Frame(frame) = file.next()? else { break };
        kept.push((frame.bytes.to_vec(), Frame { bytes: &[], ..frame }));
    }
    let frames: Vec<Frame<'_>> = kept.iter().map(|(bytes, frame)| Frame { bytes, ..*frame }).collect();
    let mut out = std::io::stdout().lock();
    let ours = best(&frames, |frame| {
        black_box(&dissect(black_box(frame)));
    });
    let strict = best(&frames, |frame| {
        black_box(etherparse::SlicedPacket::from_ethernet(black_box(frame.bytes)).is_ok());
    });
    let lax = best(&frames, |frame| {
        black_box(etherparse::LaxSlicedPacket::from_ethernet(black_box(frame.bytes)).is_ok());
    });
    writeln!(out, "ns per frame: {ours:.1} dissect, {strict:.1} etherparse strict, {lax:.1} etherparse lax")?;
    Ok(())
}

/// The quickest of all rounds, in nanoseconds per frame: the least disturbed one.
fn best(frames: &[Frame<'_>], mut each: impl FnMut(&Frame<'_>)) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        frames.iter().for_each(&mut each);
        best = best.min(start.elapsed().as_secs_f64());
    }
    let count = u32::try_from(frames.len().max(1)).unwrap_or(u32::MAX);
    best * 1e9 / f64::from(count)
}
