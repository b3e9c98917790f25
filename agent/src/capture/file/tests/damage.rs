//! Files that are cut, damaged, or no captures at all.

use super::{LITTLE, MICROSECONDS, classic_file, classic_header, classic_packet, open, read};
use crate::capture::{CaptureError, CaptureFile};
use proptest::prelude::*;
use std::path::Path;

#[test]
fn a_cut_anywhere_keeps_every_whole_packet() {
    let file = classic_file(3);
    for cut in 24..file.len() {
        let (seen, stats) = read(&file[..cut]);
        assert_eq!(seen.len(), (cut - 24) / 36);
        let at_border = (cut - 24) % 36 == 0;
        assert_eq!(stats.ended_early.is_none(), at_border, "{cut}");
    }
    let (_, stats) = read(&file[..file.len() - 1]);
    assert_eq!(stats.ended_early.as_deref(), Some("the file is cut in the data of packet 3"));
}

#[test]
fn an_absurd_length_ends_the_file_without_being_believed() {
    for claimed in [262_145, u32::MAX] {
        let mut file = classic_file(2);
        let mut packet = classic_packet(LITTLE, (9, 0), b"abc", 3);
        packet[8..12].copy_from_slice(&claimed.to_le_bytes());
        file.extend(packet);
        let (seen, stats) = read(&file);
        assert_eq!(seen.len(), 2);
        let reason = stats.ended_early.unwrap();
        assert!(reason.contains("packet 3") && reason.contains(&claimed.to_string()), "{reason}");
    }
}

#[test]
fn the_largest_packet_is_read() {
    let mut file = classic_header(LITTLE, MICROSECONDS, 4, 1);
    let frame = vec![7; 262_144];
    for second in 0..20 {
        file.extend(classic_packet(LITTLE, (second, 0), &frame, 262_144));
    }
    let (seen, stats) = read(&file);
    assert_eq!((seen.len(), stats.ended_early), (20, None));
    assert!(seen.iter().all(|each| each.bytes == frame));
}

/// The message for content that is no capture.
fn refusal(bytes: &[u8]) -> String {
    match open(bytes) {
        Err(error @ CaptureError::NotACapture { .. }) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_is_no_capture_is_named_with_a_remedy() {
    for (bytes, found, remedy) in [
        (&b"\x28\xB5\x2F\xFD........"[..], "28 b5 2f fd, zstd", "zstd -d"),
        (b"\x7FELF\x02\x01\x01", "7f 45 4c 46, an ELF program", "give a pcap"),
        (b"{\"packets\": []}", "7b 22 70 61, as JSON does", "give a pcap"),
        (b"12:00:00.1 IP 10.0.0.1.5 > 10.0.0.2.6", "31 32 3a 30, as text does", "what tcpdump -w wrote"),
        (b"snoop\0\0\0\0\0\0\x02", "Solaris snoop", "editcap"),
        (b"SQLite format 3\0", "a saved session", "correlate show"),
        (b"", "it is empty", "check that the capture was written"),
        (&[0; 40], "00 00 00 00, zeros", "copy it again"),
        (&classic_header(LITTLE, MICROSECONDS, 4, 1)[..20], "cut after 20 octets", "copy it again"),
        (b"\xD4\xC3\xB2\xA1\x09\0\x01\0................", "unknown version 9.1", "editcap"),
        (&[0x80, 0x91, 0xA2, 0xB3, 0xC4], "80 91 a2 b3, which is no known", "give a pcap"),
    ] {
        let message = refusal(bytes);
        assert!(message.starts_with("test.pcap is not a capture: "), "{message}");
        assert!(message.contains(found) && message.contains(remedy), "{message}");
    }
}

#[test]
fn gzip_of_something_else_is_named() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    assert!(
        refusal(&gzip(b"hello, this is text")).contains("inside gzip, it begins with 68 65 6c 6c, as text")
    );
    assert!(refusal(&gzip(&gzip(&classic_file(1)))).contains("gzip inside gzip"));
    assert!(refusal(&gzip(b"")).contains("inside gzip, it is empty"));
    assert!(refusal(b"\x1F\x8B\x08\0garbage").contains("its gzip data is damaged"));
}

#[test]
fn a_path_that_cannot_be_opened_is_named() {
    let error = CaptureFile::open(Path::new("/nonexistent/a.pcap")).unwrap_err().to_string();
    assert!(error.starts_with("cannot open /nonexistent/a.pcap: "), "{error}");
    let error = CaptureFile::open(Path::new("/")).unwrap_err().to_string();
    assert!(error.contains("directory"), "{error}");
}

proptest! {
    #[test]
    fn any_octets_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(file) = open(&bytes) {
            super::read_on(file);
        }
    }

    #[test]
    fn a_changed_octet_costs_no_earlier_packet(at in 24usize..384, value: u8) {
        let mut file = classic_file(10);
        let whole = read(&file).0;
        file[at] = value;
        let (seen, _) = read(&file);
        let untouched = (at - 24) / 36;
        prop_assert_eq!(&seen[..untouched], &whole[..untouched]);
    }
}
