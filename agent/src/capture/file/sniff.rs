//! What a stream is, from its first octets.

use super::classic::{Classic, FILE_HEADER};

/// What was recognised.
#[derive(Debug)]
pub(super) enum Kind {
    Classic(Classic),
    Pcapng,
    Gzip,
    /// Not a capture: what it looks like, and what to do.
    Foreign(String, &'static str),
}

const GIVE_A_CAPTURE: &str = "give a pcap or pcapng file, as tcpdump -w and Wireshark write it";
const DECOMPRESS: &str = "decompress it first; only gzip is read directly";
const CONVERT: &str = "convert it first, as with: editcap -F pcapng IN OUT";

/// Magic numbers, what they are, and what to do.
const FOREIGN: [(&[u8], &str, &str); 16] = [
    (b"\x28\xB5\x2F\xFD", "zstd-compressed data", "decompress it first, as with: zstd -d FILE"),
    (b"\xFD7zXZ\0", "xz-compressed data", DECOMPRESS),
    (b"BZh", "bzip2-compressed data", DECOMPRESS),
    (b"\x04\x22\x4D\x18", "lz4-compressed data", DECOMPRESS),
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"\x7FELF", "an ELF program", GIVE_A_CAPTURE),
    (b"snoop\0\0\0", "a capture of Solaris snoop", CONVERT),
    (b"GMBU", "a capture of Microsoft Network Monitor", CONVERT),
    (b"RTSS", "a capture of Microsoft Network Monitor 1", CONVERT),
    (b"TRSNIFF data", "a capture of NetXRay or Sniffer", CONVERT),
    (b"XCP\0", "a capture of NetXRay", CONVERT),
    (b"SQLite format 3\0", "a saved session or another database", "open a session with: correlate show FILE"),
    (b"<?xml", "XML text", GIVE_A_CAPTURE),
    (b"<!DOCTYPE", "an HTML page", "download the capture itself, not the page that links to it"),
    (b"\xA1\xE2\xCB\x12", "a capture of an unknown pcap variant", CONVERT),
    (b"\x12\xCB\xE2\xA1", "a capture of an unknown pcap variant", CONVERT),
];

/// Recognises a stream by its first octets; `start` holds [`FILE_HEADER`] of them, or all that there are.
pub(super) fn recognise(start: &[u8]) -> Kind {
    if let [0x1F, 0x8B, ..] = start {
        return Kind::Gzip;
    }
    if let [0x0A, 0x0D, 0x0D, 0x0A, ..] = start {
        return Kind::Pcapng;
    }
    if let Some(header) = start.first_chunk::<FILE_HEADER>()
        && let Some(classic) = Classic::recognise(header)
    {
        return match classic {
            Ok(classic) => Kind::Classic(classic),
            Err(found) => Kind::Foreign(found, CONVERT),
        };
    }
    foreign(start)
}

fn foreign(start: &[u8]) -> Kind {
    if start.is_empty() {
        return Kind::Foreign(
            "it is empty".to_owned(),
            "check that the capture was written, and to this place, before it was copied",
        );
    }
    if is_classic_magic(start) {
        let found = format!("its file header is cut after {} octets", start.len());
        return Kind::Foreign(found, "copy it again; the writer was stopped before the first packet");
    }
    let magic: String =
        start.iter().take(4).map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" ");
    let known = FOREIGN.iter().find(|(magic, ..)| start.starts_with(magic));
    let (looks_like, remedy) = match known {
        Some((_, looks_like, remedy)) => (*looks_like, *remedy),
        None => guess(start),
    };
    Kind::Foreign(format!("it begins with {magic}, {looks_like}"), remedy)
}

fn is_classic_magic(start: &[u8]) -> bool {
    let mut padded = [0; FILE_HEADER];
    if start.len() < 4 || start.len() >= FILE_HEADER {
        return false;
    }
    padded[..start.len()].copy_from_slice(start);
    Classic::recognise(&padded).is_some()
}

fn guess(start: &[u8]) -> (&'static str, &'static str) {
    let is_text = start.iter().all(|octet| matches!(octet, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
    match start {
        [b'{' | b'[', ..] if is_text => ("as JSON does", GIVE_A_CAPTURE),
        _ if is_text => ("as text does", "give what tcpdump -w wrote, not what it printed"),
        _ if start.iter().all(|octet| *octet == 0) => {
            ("zeros as of a file that was never written", "copy it again from where it was captured")
        }
        _ => ("which is no known magic number", GIVE_A_CAPTURE),
    }
}
