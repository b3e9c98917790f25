//! TCP options (RFC 9293 §3.2), read leniently.
//!
//! Not by etherparse's iterator: that one ends at the first option it does not know, and Fast Open, MPTCP or
//! MD5 stand before options that the analysis needs.

use correlate_proto::{SeqNum, TcpOptions};

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// FNV-1a, 32 bits: the layout hash must be the same on every host, which the standard hashers do not promise.
const FNV_START: u32 = 0x811C_9DC5;
const FNV_PRIME: u32 = 0x0100_0193;

/// What the options area says. Reading ends at the first option that contradicts itself or is cut off; what
/// stood before it is kept.
#[inline]
pub(super) fn read(area: &[u8]) -> TcpOptions {
    if let [NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10, stamps @ ..] = area
        && let Ok(stamps) = <&[u8; 8]>::try_from(stamps)
    {
        // What nearly every packet has, in the layout that RFC 7323 appendix A recommends.
        return TcpOptions {
            timestamps: Some(pair(*stamps)),
            layout: ALIGNED_TIMESTAMPS,
            ..TcpOptions::default()
        };
    }
    read_any(area)
}

const ALIGNED_TIMESTAMPS: u32 = mix(mix(mix(FNV_START, NO_OPERATION), NO_OPERATION), TIMESTAMPS);

const fn mix(hash: u32, kind: u8) -> u32 {
    (hash ^ kind as u32).wrapping_mul(FNV_PRIME)
}

fn read_any(mut area: &[u8]) -> TcpOptions {
    let mut options = TcpOptions::default();
    let mut layout = FNV_START;
    loop {
        let (kind, body) = match area {
            [] | [END, ..] => break,
            [NO_OPERATION, rest @ ..] => {
                layout = mix(layout, NO_OPERATION);
                area = rest;
                continue;
            }
            [kind, len, ..] => {
                let Some(body) = area.get(2..usize::from(*len)) else { break };
                area = area.get(usize::from(*len)..).unwrap_or(&[]);
                (*kind, body)
            }
            [_] => break,
        };
        layout = mix(layout, kind);
        set(&mut options, kind, body);
    }
    options.layout = if layout == FNV_START { 0 } else { layout };
    options
}

/// Takes an option over if it has the length that it must have.
fn set(options: &mut TcpOptions, kind: u8, body: &[u8]) {
    match (kind, body) {
        (MSS, [high, low]) => options.mss = Some(u16::from_be_bytes([*high, *low])),
        (WINDOW_SCALE, [shift]) => options.window_scale = Some(*shift),
        (SACK_PERMITTED, []) => options.sack_permitted = true,
        (TIMESTAMPS, stamps) => {
            if let Ok(stamps) = <&[u8; 8]>::try_from(stamps) {
                options.timestamps = Some(pair(*stamps));
            }
        }
        (SACK, blocks) if blocks.len().is_multiple_of(8) => {
            for block in blocks.as_chunks::<8>().0 {
                let (left, right) = pair(*block);
                options.sack.push(SeqNum(left), SeqNum(right));
            }
        }
        _ => {}
    }
}

/// Two numbers of 32 bits.
#[inline]
fn pair(octets: [u8; 8]) -> (u32, u32) {
    let both = u64::from_be_bytes(octets);
    let low = both & u64::from(u32::MAX);
    (u32::try_from(both >> 32).unwrap_or(0), u32::try_from(low).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn linux_syn_options_are_read() {
        let options = read(&[2, 4, 5, 0xB4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7]);
        assert_eq!(options.mss, Some(1460));
        assert_eq!(options.window_scale, Some(7));
        assert!(options.sack_permitted);
        assert_eq!(options.timestamps, Some((7, 0)));
        assert_ne!(options.layout, 0);
    }

    #[test]
    fn an_unknown_option_does_not_hide_those_behind_it() {
        // Fast Open with a cookie, then an MSS.
        let options = read(&[34, 6, 1, 2, 3, 4, 2, 4, 5, 0xB4]);
        assert_eq!(options.mss, Some(1460));
    }

    #[test]
    fn four_sack_blocks_are_read() {
        let mut area = vec![5, 34];
        for block in 1..=4u32 {
            area.extend((block * 100).to_be_bytes());
            area.extend((block * 100 + 50).to_be_bytes());
        }
        let options = read(&area);
        let blocks: Vec<_> = options.sack.as_slice().iter().map(|(left, right)| (left.0, right.0)).collect();
        assert_eq!(blocks, [(100, 150), (200, 250), (300, 350), (400, 450)]);
    }

    #[test]
    fn options_before_a_damaged_one_are_kept() {
        for damaged in [&[3u8, 0][..], &[3, 1], &[3, 9, 7], &[3], &[8, 10, 1, 2]] {
            let area = [&[2, 4, 5, 0xB4], damaged].concat();
            let options = read(&area);
            assert_eq!((options.mss, options.window_scale, options.timestamps), (Some(1460), None, None));
        }
    }

    #[test]
    fn the_layout_leaves_values_out_and_order_in() {
        let layout = |area: &[u8]| read(area).layout;
        assert_eq!(layout(&[2, 4, 5, 0xB4, 4, 2]), layout(&[2, 4, 2, 0x18, 4, 2]));
        assert_ne!(layout(&[2, 4, 5, 0xB4, 4, 2]), layout(&[4, 2, 2, 4, 5, 0xB4]));
        assert_eq!(layout(&[]), 0);
        assert_eq!(layout(&[0, 0, 0, 0]), 0);
    }

    proptest! {
        #[test]
        fn the_short_way_for_timestamps_gives_what_the_long_way_gives(value: u32, echo: u32) {
            let area = [&[1, 1, 8, 10][..], &value.to_be_bytes(), &echo.to_be_bytes()].concat();
            prop_assert_eq!(read(&area), read_any(&area));
        }

        #[test]
        fn any_area_ends(area in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(read(&area), read_any(&area));
        }
    }
}
