//! What the lab's tests share: running a scenario, and reading its captures with code of their own.
#![expect(dead_code, reason = "each test binary uses a part of it")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "this is test code, only not in a test function"
)]

use correlate_lab::{Done, Entry, LabError, Offloads, Outcome, Protocol, Scenario, record};
use correlate_proto::Direction;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Runs a scenario with whole frames captured, super-packets excepted; `None`, with a word why, where the kernel
/// forbids it.
pub(crate) fn run(scenario: &Scenario, seed: u64) -> Option<Outcome> {
    let mut scenario = scenario.clone();
    if scenario.offloads == Offloads::Off {
        for tap in scenario.server_taps.iter_mut().chain([&mut scenario.client_tap]) {
            tap.snaplen = 1_600;
        }
    }
    let folder = scratch(scenario.name, seed);
    match record(&scenario, seed, &folder) {
        Ok(outcome) => Some(outcome),
        Err(error @ LabError::NoPrivilege { .. }) => {
            skip(&error.to_string());
            None
        }
        Err(error) => panic!("{}: {error}", scenario.name),
    }
}

/// Says why a test does nothing; with `CI=true` that is a failure.
pub(crate) fn skip(reason: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "must not be skipped: {reason}");
    eprintln!("skipped: {reason}");
}

/// An empty folder of this test's own.
pub(crate) fn scratch(name: &str, seed: u64) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{seed}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("make a scratch folder");
    folder
}

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

/// What identifies a TCP packet well enough: ports, addresses' last octets, numbers, flags, length, `IPID`.
pub(crate) type Key = (String, u32, u32, u16, usize, Option<u16>);

/// The key of a captured frame, if it is TCP.
pub(crate) fn key_of_frame(frame: &[u8]) -> Option<Key> {
    let (tcp, ip_len, header_len, id) = match frame[12..14] {
        [8, 0] if frame[23] == 6 => {
            let id = u16::from_be_bytes([frame[18], frame[19]]);
            (34, usize::from(u16::from_be_bytes([frame[16], frame[17]])), 20, Some(id))
        }
        [0x86, 0xdd] if frame[20] == 6 => {
            (54, usize::from(u16::from_be_bytes([frame[18], frame[19]])) + 40, 40, None)
        }
        _ => return None,
    };
    let word = |at: usize| u32::from_be_bytes(frame[tcp + at..tcp + at + 4].try_into().unwrap());
    let half = |at: usize| u16::from_be_bytes([frame[tcp + at], frame[tcp + at + 1]]);
    let (src, dst) = if header_len == 20 { (frame[29], frame[33]) } else { (frame[37], frame[53]) };
    let payload = ip_len - header_len - usize::from(frame[tcp + 12] >> 4) * 4;
    let ends = format!("{src}:{}>{dst}:{}", half(0), half(2));
    Some((ends, word(4), word(8), half(12) & 0xfff, payload, id))
}

/// The key of a ledger's entry as it came in.
pub(crate) fn key_as_it_came(entry: &Entry) -> Key {
    key(entry, entry.came, entry.seq, entry.ack)
}

/// The key of a ledger's entry as it left.
pub(crate) fn key_as_it_left(entry: &Entry) -> Key {
    key(entry, entry.left, entry.seq_left, entry.ack_left)
}

fn key(entry: &Entry, tuple: correlate_proto::FourTuple, seq: u32, ack: u32) -> Key {
    let last = |addr: std::net::IpAddr| match addr {
        std::net::IpAddr::V4(v4) => v4.octets()[3],
        std::net::IpAddr::V6(v6) => v6.octets()[15],
    };
    let (src, dst) = (tuple.src, tuple.dst);
    let ends = format!("{}:{}>{}:{}", last(src.addr), src.port, last(dst.addr), dst.port);
    (ends, seq, ack, entry.flags.0, entry.payload_len, entry.ip_id)
}

/// Counts of keys.
pub(crate) type Bag = BTreeMap<Key, i64>;

/// What a tap saw of TCP.
pub(crate) fn seen_by(path: &Path) -> Bag {
    let mut bag = Bag::new();
    for key in read_pcap(path).iter().filter_map(|record| key_of_frame(&record.frame)) {
        *bag.entry(key).or_default() += 1;
    }
    bag
}

/// What the ledger says that a tap of the client (`None`) or of a server must have seen of TCP.
pub(crate) fn due_at(ledger: &[Entry], server: Option<usize>) -> Bag {
    let away = if server.is_none() { Direction::ClientToServer } else { Direction::ServerToClient };
    let mut bag = Bag::new();
    for entry in ledger.iter().filter(|entry| entry.protocol == Protocol::Tcp) {
        if server.is_some_and(|server| server != entry.server) {
            continue;
        }
        let sent_by_host = !matches!(entry.done, Done::Inject | Done::Duplicate);
        if entry.direction == away && sent_by_host {
            *bag.entry(key_as_it_came(entry)).or_default() += 1;
        }
        if entry.direction != away && entry.at_out_ns.is_some() {
            *bag.entry(key_as_it_left(entry)).or_default() += 1;
        }
    }
    bag
}

/// Asserts that every tap saw exactly what the ledger says, and that nothing was lost without a rule.
pub(crate) fn assert_ledger_agrees(name: &str, outcome: &Outcome) {
    assert_eq!(outcome.middlebox_drops, 0, "{name}: the middlebox lost frames");
    for (index, tap) in outcome.taps.iter().enumerate() {
        assert_eq!(tap.drops, 0, "{name}: a tap lost frames");
        let due = due_at(&outcome.ledger, index.checked_sub(1));
        let seen = seen_by(&tap.path);
        let differs = |one: &Bag, other: &Bag| -> Vec<(Key, i64)> {
            one.iter().filter(|(key, n)| other.get(key) != Some(n)).map(|(k, n)| (k.clone(), *n)).collect()
        };
        let (missing, extra) = (differs(&due, &seen), differs(&seen, &due));
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{name}, tap {index}: due {missing:?}, seen {extra:?}"
        );
        assert!(!seen.is_empty(), "{name}, tap {index}: nothing was compared");
    }
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
