//! Capture files of a few packets, octet by octet.

/// Path delay of each direction, in microseconds.
const DELAY_US: u64 = 10_000;
const START_US: u64 = 1_700_000_000_000_000;

/// One packet between 10.0.0.1 and 10.0.0.2:5432.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    /// When it left its sender, in microseconds from the start.
    pub(crate) sent_us: u64,
    /// From client to server.
    pub(crate) forward: bool,
    pub(crate) client_port: u16,
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) payload: u16,
    pub(crate) id: u16,
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const PSH: u8 = 8;
const ACK: u8 = 16;

/// Handshake, request of 100 octets, answer of 1000, close.
pub(crate) fn conversation() -> Vec<Packet> {
    let (c, s) = (1_000_u32, 500_000_u32);
    let rows = [
        (0, true, SYN, c, 0, 0),
        (11_000, false, SYN | ACK, s, c + 1, 0),
        (22_000, true, ACK, c + 1, s + 1, 0),
        (23_000, true, PSH | ACK, c + 1, s + 1, 100),
        (34_000, false, ACK, s + 1, c + 101, 0),
        (35_000, false, PSH | ACK, s + 1, c + 101, 1000),
        (46_000, true, ACK, c + 101, s + 1001, 0),
        (50_000, true, FIN | ACK, c + 101, s + 1001, 0),
        (61_000, false, FIN | ACK, s + 1001, c + 102, 0),
        (72_000, true, ACK, c + 102, s + 1002, 0),
    ];
    (1..)
        .zip(rows)
        .map(|(id, (sent_us, forward, flags, seq, ack, payload))| Packet {
            sent_us,
            forward,
            client_port: 40_000,
            flags,
            seq,
            ack,
            payload,
            // A SYN-ACK has none, as Linux sends it.
            id: if flags == SYN | ACK { 0 } else { id },
        })
        .collect()
}

/// A handshake that goes no further: three SYNs a second apart, each answered 1 ms after it came.
pub(crate) fn unanswered(number: u16) -> Vec<Packet> {
    let isn = 7_000 + u32::from(number) * 1_000_000;
    let begin = u64::from(number) * 100_000;
    let packet = |at: u64, forward: bool, id: u16| Packet {
        sent_us: begin + at,
        forward,
        client_port: 40_000 + number,
        flags: if forward { SYN } else { SYN | ACK },
        seq: if forward { isn } else { isn + 99 },
        ack: if forward { 0 } else { isn + 1 },
        payload: 0,
        id,
    };
    let answered = DELAY_US + 1_000;
    let syns = (0..3_u16).map(|n| packet(u64::from(n) * 1_000_000, true, number * 100 + n));
    syns.chain((0..3_u64).map(|n| packet(n * 1_000_000 + answered, false, 0))).collect()
}

/// A classic capture file, link type raw IP, microseconds, of what one end sees.
pub(crate) fn write(packets: &[Packet], at_server: bool, ahead_secs: u64) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    let mut seen: Vec<(u64, &Packet)> = packets
        .iter()
        .map(|packet| {
            let travelled = packet.forward == at_server;
            (START_US + packet.sent_us + if travelled { DELAY_US } else { 0 }, packet)
        })
        .collect();
    seen.sort_by_key(|(at, _)| *at);
    for (at, packet) in seen {
        let bytes = bytes(packet);
        let len = u32::try_from(bytes.len()).expect("a small packet");
        let word = |value: u64| u32::try_from(value).expect("within 32 bits").to_le_bytes();
        file.extend_from_slice(&word(at / 1_000_000 + ahead_secs));
        file.extend_from_slice(&word(at % 1_000_000));
        file.extend_from_slice(&len.to_le_bytes());
        file.extend_from_slice(&len.to_le_bytes());
        file.extend_from_slice(&bytes);
    }
    file
}

fn bytes(packet: &Packet) -> Vec<u8> {
    let total = 40 + packet.payload;
    let (client, server) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let (from, to, source, target) = if packet.forward {
        (client, server, packet.client_port, 5432_u16)
    } else {
        (server, client, 5432, packet.client_port)
    };
    let mut bytes = vec![0x45, 0];
    bytes.extend_from_slice(&total.to_be_bytes());
    bytes.extend_from_slice(&packet.id.to_be_bytes());
    bytes.extend_from_slice(&[0x40, 0, 64, 6, 0, 0]);
    bytes.extend_from_slice(&from);
    bytes.extend_from_slice(&to);
    let check = checksum(&bytes);
    bytes[10..12].copy_from_slice(&check.to_be_bytes());
    bytes.extend_from_slice(&source.to_be_bytes());
    bytes.extend_from_slice(&target.to_be_bytes());
    bytes.extend_from_slice(&packet.seq.to_be_bytes());
    bytes.extend_from_slice(&packet.ack.to_be_bytes());
    bytes.extend_from_slice(&[0x50, packet.flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    bytes.resize(usize::from(total), b'x');
    let mut pseudo: Vec<u8> = from.into_iter().chain(to).chain([0, 6]).collect();
    pseudo.extend_from_slice(&(total - 20).to_be_bytes());
    pseudo.extend_from_slice(&bytes[20..]);
    let check = checksum(&pseudo);
    bytes[36..38].copy_from_slice(&check.to_be_bytes());
    bytes
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}
