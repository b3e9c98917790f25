//! How long a filter takes per packet of a file, for some expressions: `filter_rate [EXPRESSION...]`.

use correlate_agent::capture::{Frame, LinkType};
use correlate_agent::filter::Filter;
use correlate_proto::{Heard, Timestamp};
use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

const ROUNDS: u32 = 5;
const PACKETS: u32 = 2_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut given: Vec<String> = std::env::args().skip(1).collect();
    if given.is_empty() {
        given = ["", "port 5432", "host 10.0.0.1 and port 5432", "port 80 or 443 or 5432"]
            .map(String::from)
            .to_vec();
    }
    let mut bytes = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0].to_vec();
    bytes.extend([0x45, 0, 0, 52, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend([0x9c, 0x40, 0x15, 0x38, 0, 0, 0, 1, 0, 0, 0, 1, 0x80, 0x10, 1, 0, 0, 0, 0, 0]);
    bytes.extend([0; 12]);
    let mut out = std::io::stdout().lock();
    for text in given {
        let filter = Filter::parse(&text).map_err(|error| error.render())?;
        let mut best = u128::MAX;
        let mut matched = 0u32;
        for _ in 0..ROUNDS {
            matched = 0;
            let clock = Instant::now();
            let begin = spent_ns(clock);
            for number in 0..u64::from(PACKETS) {
                matched += u32::from(filter.program().matches(black_box(&frame(number, &bytes))));
            }
            best = best.min(spent_ns(clock) - begin);
        }
        let tenths = best * 10 / u128::from(PACKETS);
        let len = filter.program().instructions().len();
        writeln!(out, "{}.{} ns  {matched} matched, {len} instructions  `{text}`", tenths / 10, tenths % 10)?;
    }
    Ok(())
}

/// Nanoseconds that this thread has been on a processor (Linux), or else that have passed.
fn spent_ns(start: Instant) -> u128 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat");
    let on_processor = schedule.ok().and_then(|text| text.split(' ').next()?.parse().ok());
    on_processor.unwrap_or_else(|| start.elapsed().as_nanos())
}

fn frame(number: u64, bytes: &[u8]) -> Frame<'_> {
    Frame {
        number,
        at: Timestamp::from_ns(0),
        bytes,
        wire_len: 66,
        link: LinkType::Ethernet,
        heard: Heard::Unknown,
        interface: 0,
        gso_size: None,
        checksum_partial: false,
        vlan: None,
    }
}
