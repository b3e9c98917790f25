//! Classic files.

use super::{
    LITTLE, MICROSECONDS, NANOSECONDS, ORDERS, classic_file, classic_header, classic_packet, open, read,
    read_on,
};
use crate::capture::{FrameSource, LinkType};
use correlate_proto::{Coverage, Heard, Timestamp};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

#[test]
fn both_byte_orders_and_resolutions_are_read() {
    for order in ORDERS {
        for (magic, fraction, ns) in [(MICROSECONDS, 250_000, 250_000_000), (NANOSECONDS, 7, 7)] {
            let mut file = classic_header(order, magic, 4, 1);
            file.extend(classic_packet(order, (1_700_000_000, fraction), b"abc", 1_514));
            file.extend(classic_packet(order, (1_700_000_001, 0), b"defg", 4));
            let (seen, stats) = read(&file);
            assert_eq!(seen[0].at_ns, 1_700_000_000_000_000_000 + ns);
            assert_eq!((seen[0].bytes.as_slice(), seen[0].wire_len, seen[0].number), (&b"abc"[..], 1_514, 1));
            assert_eq!((seen[1].bytes.as_slice(), seen[1].number, seen.len()), (&b"defg"[..], 2, 2));
            assert_eq!((stats.frames, stats.bytes, stats.truncated, stats.ended_early), (2, 1_518, 1, None));
            let (from, to) = (stats.first_at.unwrap(), stats.last_at.unwrap());
            assert_eq!(to.as_ns(), 1_700_000_001_000_000_000);
            assert_eq!(stats.coverage, [Coverage { from, to }]);
        }
    }
}

#[test]
fn a_file_header_alone_is_a_capture_of_nothing() {
    let file = open(&classic_header(LITTLE, MICROSECONDS, 4, 276)).unwrap();
    assert_eq!(file.link_type_name(), "LINUX_SLL2");
    let (seen, file) = read_on(file);
    assert_eq!((seen.len(), file.stats().coverage.len(), file.stats().ended_early), (0, 0, None));
}

#[test]
fn an_impossible_fraction_stays_in_its_second() {
    let mut file = classic_header(LITTLE, NANOSECONDS, 4, 1);
    file.extend(classic_packet(LITTLE, (5, 4_000_000_000), b"a", 1));
    assert_eq!(read(&file).0[0].at_ns, 5_999_999_999);
}

#[test]
fn old_versions_have_their_lengths_the_other_way_round() {
    for minor in [2, 3] {
        let mut file = classic_header(LITTLE, MICROSECONDS, minor, 1);
        let mut packet = classic_packet(LITTLE, (1, 0), b"abc", 900);
        packet[8..16].rotate_left(4);
        file.extend(packet);
        let (seen, _) = read(&file);
        assert_eq!((seen[0].bytes.as_slice(), seen[0].wire_len), (&b"abc"[..], 900));
    }
}

#[test]
fn the_patched_format_tells_the_direction() {
    let mut file = classic_header(LITTLE, 0xA1B2_CD34, 4, 1);
    for kind in [0, 4] {
        let packet = classic_packet(LITTLE, (1, 0), b"", 3);
        let mut head = [&packet[..], &[2, 0, 0, 0, 8, 0, kind, 0]].concat();
        head[8] = 3;
        file.extend([&head[..], b"abc"].concat());
    }
    let (seen, _) = read(&file);
    assert_eq!((seen[0].heard, seen[1].heard), (Heard::In, Heard::Out));
    assert_eq!(seen[1].bytes, b"abc");
}

#[test]
fn cooked_headers_tell_direction_and_interface() {
    let mut file = classic_header(LITTLE, MICROSECONDS, 4, 276);
    for (index, kind) in [(3, 4), (9, 0), (3, 0)] {
        let frame = [&[8, 0, 0, 0, 0, 0, 0, index, 0, 1, kind, 6][..], &[0; 8]].concat();
        file.extend(classic_packet(LITTLE, (1, 0), &frame, 20));
    }
    let (seen, file) = read_on(open(&file).unwrap());
    let sightings: Vec<_> = seen.iter().map(|each| (each.interface, each.heard)).collect();
    assert_eq!(sightings, [(0, Heard::Out), (1, Heard::In), (0, Heard::In)]);
    let indices: Vec<_> = file.interfaces().iter().map(|each| each.index).collect();
    assert_eq!(indices, [3, 9]);
    assert_eq!(seen[0].link, LinkType::LinuxSll2);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn gzip_is_read_in_one_or_several_members() {
    let file = classic_file(50);
    let plain = read(&file);
    assert_eq!(read(&gzip(&file)), plain);
    let members = [gzip(&file[..100]), gzip(&file[100..])].concat();
    assert_eq!(read(&members), plain);
}

#[test]
fn a_cut_gzip_gives_what_could_be_decompressed() {
    // Stored without compression, so that a cut in the middle leaves frames.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&classic_file(200)).unwrap();
    let whole = encoder.finish().unwrap();
    let (seen, stats) = read(&whole[..whole.len() / 2]);
    assert!(stats.ended_early.is_some());
    assert!(!seen.is_empty() && seen.len() < 200, "{}", seen.len());
}

#[test]
fn a_stream_in_single_octets_gives_the_same() {
    struct Drip(std::vec::IntoIter<u8>);
    impl std::io::Read for Drip {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let Some(octet) = self.0.next() else { return Ok(0) };
            out[0] = octet;
            Ok(1)
        }
    }
    let file = classic_file(9);
    let drip = super::CaptureFile::from_reader("-", Box::new(Drip(file.clone().into_iter()))).unwrap();
    assert_eq!(read_on(drip).0, read(&file).0);
}

#[test]
fn coverage_follows_stamps_that_go_back() {
    let mut file = classic_header(LITTLE, MICROSECONDS, 4, 1);
    for second in [10, 30, 5, 20] {
        file.extend(classic_packet(LITTLE, (second, 0), b"a", 1));
    }
    let (_, stats) = read(&file);
    let whole = Coverage { from: Timestamp::from_ns(5_000_000_000), to: Timestamp::from_ns(30_000_000_000) };
    assert_eq!(stats.coverage, [whole]);
}
