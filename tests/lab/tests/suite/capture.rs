//! Reading captures with code of the tests' own.
#![expect(clippy::unwrap_used, reason = "this is test code, only not in a test function")]

use std::collections::BTreeMap;
use std::path::Path;

/// One record of a capture: true or not, as it was stamped.
pub(crate) struct Captured {
    pub(crate) at_ns: i64,
    pub(crate) frame: Vec<u8>,
}

/// Reads a little-endian nanosecond pcap file.
pub(crate) fn read_pcap(path: &Path) -> Vec<Captured> {
    let bytes = std::fs::read(path).expect("read the capture");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_3c4d, "nanosecond magic");
    let (mut at, mut records) = (24, Vec::new());
    while at < bytes.len() {
        let kept = word(at + 8) as usize;
        let at_ns = i64::from(word(at)) * 1_000_000_000 + i64::from(word(at + 4));
        records.push(Captured { at_ns, frame: bytes[at + 16..at + 16 + kept].to_vec() });
        at += 16 + kept;
    }
    records
}

/// The packets of a capture of whole frames, fragments put together. A datagram has the stamp of its last fragment.
pub(crate) fn packets(path: &Path) -> Vec<Captured> {
    let mut waiting: BTreeMap<Vec<u8>, Vec<(usize, Vec<u8>)>> = BTreeMap::new();
    let mut whole = Vec::new();
    for record in bare(path) {
        let frame = &record.frame;
        // "More fragments" and the offset; the two bits before them say nothing of this.
        let place = if frame[12..14] == [8, 0] { u16::from_be_bytes([frame[20], frame[21]]) } else { 0 };
        if place << 2 == 0 {
            whole.push(record);
            continue;
        }
        // Addresses, identification, and 8-octet units from the datagram's start.
        let datagram = [&frame[26..34], &frame[18..20]].concat();
        let end = 14 + usize::from(u16::from_be_bytes([frame[16], frame[17]]));
        let pieces = waiting.entry(datagram.clone()).or_default();
        // What a snaplen has cut away is taken for zeroes.
        let mut piece = frame[34..end.min(frame.len())].to_vec();
        piece.resize(end - 34, 0);
        pieces.push((usize::from(place & 0x1fff) * 8, piece));
        pieces.sort();
        let last = place & 0x2000 == 0;
        if let Some(body) = last.then(|| put_together(pieces)).flatten() {
            waiting.remove(&datagram);
            let mut frame = [&record.frame[..34], &body].concat();
            let len = u16::try_from(20 + body.len()).unwrap();
            frame[16..18].copy_from_slice(&len.to_be_bytes());
            frame[20..22].fill(0);
            frame[24..26].fill(0);
            let header = !u16::try_from(sum(&frame[14..34])).unwrap();
            frame[24..26].copy_from_slice(&header.to_be_bytes());
            whole.push(Captured { at_ns: record.at_ns, frame });
        }
    }
    assert!(waiting.is_empty(), "{}: fragments without their datagram", path.display());
    whole
}

/// The Ethernet frames of a capture, what is around them taken away; of a capture on all interfaces those of one.
fn bare(path: &Path) -> Vec<Captured> {
    let bytes = std::fs::read(path).expect("read the capture");
    let is_cooked = bytes[20..24] == 276u32.to_le_bytes();
    let mut records = read_pcap(path);
    if is_cooked {
        let interface = |record: &Captured| record.frame[4..8].to_vec();
        let first = records.iter().map(interface).min();
        records.retain(|record| Some(interface(record)) == first);
    }
    for record in &mut records {
        let frame = &record.frame;
        record.frame =
            if is_cooked { [&[0; 12], &frame[..2], &frame[20..]].concat() } else { unwrapped(frame) };
    }
    records
}

/// A frame without the VLAN tag or the tunnel that it is in.
fn unwrapped(frame: &[u8]) -> Vec<u8> {
    let version = |packet: &[u8]| if packet[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] };
    let within = |packet: &[u8]| [&frame[..12], &version(packet), packet].concat();
    match (frame[12], frame[13]) {
        (0x81, 0) => [&frame[..12], &frame[16..]].concat(),
        (8, 0) if matches!(frame[23], 4 | 41) => within(&frame[34..]),
        (8, 0) if frame[23] == 47 => within(&frame[38..]),
        (8, 0) if frame[23] == 17 => frame[50..].to_vec(),
        _ => frame.to_vec(),
    }
}

/// The body of a datagram, if its pieces in order have no hole.
fn put_together(pieces: &[(usize, Vec<u8>)]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    for (at, piece) in pieces {
        if *at != body.len() {
            return None;
        }
        body.extend(piece);
    }
    Some(body)
}

/// One's-complement sum over 16-bit words.
fn sum(bytes: &[u8]) -> u32 {
    let total: u64 = bytes
        .chunks(2)
        .map(|pair| u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum();
    let mut folded = total;
    while folded > 0xffff {
        folded = (folded & 0xffff) + (folded >> 16);
    }
    u32::try_from(folded).unwrap()
}

/// Whether the IP header's and the TCP or ICMP checksum of a whole frame are right (RFC 1071: sum to 0xffff).
pub(crate) fn checksums_hold(frame: &[u8]) -> bool {
    let folded = |total: u32| (total & 0xffff) + (total >> 16);
    match frame[12..14] {
        [8, 0] => {
            let body = &frame[34..14 + usize::from(u16::from_be_bytes([frame[16], frame[17]]))];
            let len = u32::try_from(body.len()).unwrap();
            let pseudo = if frame[23] == 6 { sum(&frame[26..34]) + 6 + len } else { 0 };
            sum(&frame[14..34]) == 0xffff && folded(folded(sum(body) + pseudo)) == 0xffff
        }
        [0x86, 0xdd] => {
            let body = &frame[54..54 + usize::from(u16::from_be_bytes([frame[18], frame[19]]))];
            let pseudo = sum(&frame[22..54]) + u32::from(frame[20]) + u32::try_from(body.len()).unwrap();
            folded(folded(sum(body) + pseudo)) == 0xffff
        }
        _ => true,
    }
}
