//! Taking records out of a capture, so that nothing tells that they were there.

use super::condition::{Condition, Quality};
use std::io;
use std::path::Path;

/// Octets of a pcap file's header, and of the header of each record.
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
/// Where in a record's header the number of its octets stands.
const LENGTH_AT: usize = 8;

/// Copies the capture `from`, which the lab has written, to `to` under a condition, and gives the numbers (from 1)
/// that the packets that stay had. `tap` is its place in the list of captures, `seed` decides which packets go.
pub fn thin(from: &Path, to: &Path, condition: Condition, tap: usize, seed: u64) -> io::Result<Vec<u64>> {
    let bytes = std::fs::read(from)?;
    let mut coin = Coin::new(seed, condition, tap);
    let mut kept = Vec::new();
    let mut out = bytes[..FILE_HEADER.min(bytes.len())].to_vec();
    for (number, record) in (1..).zip(records(&bytes)) {
        if !coin.toss() {
            kept.push(number);
            out.extend_from_slice(record);
        }
    }
    // Others may judge the same recording at this moment: what they read is whole.
    let unfinished = to.with_extension(format!("{}", std::process::id()));
    std::fs::write(&unfinished, out)?;
    std::fs::rename(unfinished, to)?;
    Ok(kept)
}

fn records(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = FILE_HEADER;
    std::iter::from_fn(move || {
        let length = bytes.get(at + LENGTH_AT..at + LENGTH_AT + 4)?.try_into().ok()?;
        let end = at + RECORD_HEADER + usize::try_from(u32::from_le_bytes(length)).ok()?;
        let record = bytes.get(at..end)?;
        at = end;
        Some(record)
    })
}

/// Decides which records go: `SplitMix64` (Steele, Lea, Flood 2014).
#[derive(Debug)]
struct Coin {
    state: u64,
    probability: f64,
}

impl Coin {
    fn new(seed: u64, condition: Condition, tap: usize) -> Self {
        let probability = if condition.place.has(tap) { condition.quality.missing() } else { 0.0 };
        let quality = Quality::ALL.iter().position(|quality| *quality == condition.quality).unwrap_or(0);
        let stream = (seed, quality as u64, condition.place as u64, tap as u64);
        let state = [stream.1, stream.2, stream.3].into_iter().fold(stream.0, |state, part| {
            state.wrapping_mul(0xA076_1D64_78BD_642F).wrapping_add(part.wrapping_add(1))
        });
        Self { state, probability }
    }

    fn toss(&mut self) -> bool {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let top = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(0);
        f64::from(top) < self.probability * f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::condition::Place;
    use super::*;

    /// A capture of `count` records of one octet: its number.
    fn capture(count: u8) -> Vec<u8> {
        let record = |number: u8| [&[0; 8][..], &[1, 0, 0, 0], &[60, 0, 0, 0], &[number]].concat();
        [vec![7; FILE_HEADER], (1..=count).flat_map(record).collect()].concat()
    }

    fn thinned(name: &str, condition: Condition, tap: usize, seed: u64) -> (Vec<u64>, Vec<u8>) {
        let folder = std::env::temp_dir().join(format!("correlate-thin-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let [from, to] = ["from", "to"].map(|file| folder.join(file));
        std::fs::write(&from, capture(250)).unwrap();
        let kept = thin(&from, &to, condition, tap, seed).unwrap();
        let bytes = std::fs::read(to).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        (kept, bytes)
    }

    #[test]
    fn what_stays_is_whole_and_what_goes_leaves_nothing() {
        let condition = Condition { quality: Quality::TenPercent, place: Place::Server };
        let (kept, bytes) = thinned("whole", condition, 1, 1);
        assert!((205..245).contains(&kept.len()), "{} of 250 stay", kept.len());
        let expected: Vec<u64> =
            records(&bytes).map(|record| u64::from(*record.last().expect("an octet"))).collect();
        assert_eq!(kept, expected);
        assert_ne!(kept, thinned("seed", condition, 1, 2).0, "another seed takes others");
    }

    #[test]
    fn the_other_end_and_a_clean_recording_stay_whole() {
        for (quality, tap) in [(Quality::TenPercent, 0), (Quality::Clean, 1)] {
            let (kept, bytes) = thinned("other", Condition { quality, place: Place::Server }, tap, 1);
            assert_eq!((kept.len(), bytes), (250, capture(250)));
        }
    }
}
