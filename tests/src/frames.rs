//! Frames of the lab's captures, read with code that shares nothing with the program under test.

use correlate_lab::Entry;
use correlate_proto::Direction;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// What tells a TCP packet from others. Two packets with all of this alike cannot be told apart by anyone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Sender's address and port.
    pub src: (IpAddr, u16),
    /// Receiver's address and port.
    pub dst: (IpAddr, u16),
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// The twelve bits of the flags.
    pub flags: u16,
    /// Octets of payload.
    pub payload_len: usize,
    /// IPv4 identification; absent for IPv6.
    pub ip_id: Option<u16>,
    /// Own value of the timestamps option; absent without one.
    pub tsval: Option<u32>,
}

/// A TCP packet of a capture.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Its stamp.
    pub at_ns: i64,
    /// The packet.
    pub key: Key,
    /// Numbers of its further sightings, on other interfaces of the host.
    pub again: Vec<u64>,
    /// Numbers of its further fragments.
    pub parts: Vec<u64>,
}

impl Key {
    /// The packet of a ledger's entry as it came in.
    pub fn of(entry: &Entry) -> Self {
        let (src, dst) = (entry.came.src, entry.came.dst);
        Self {
            src: (src.addr, src.port),
            dst: (dst.addr, dst.port),
            seq: entry.seq,
            ack: entry.ack,
            flags: entry.flags.0,
            payload_len: entry.payload_len,
            ip_id: entry.ip_id,
            tsval: entry.tsval,
        }
    }

    /// Where it travels, if the client has that address.
    pub fn direction(&self, client: IpAddr) -> Direction {
        if self.src.0 == client { Direction::ClientToServer } else { Direction::ServerToClient }
    }
}

/// The TCP packets of a little-endian nanosecond capture, without what is around them. A datagram in fragments is where
/// its first one is; a packet that crossed several interfaces of the host, where it was seen first.
pub fn read(path: &Path) -> Vec<Packet> {
    let bytes = std::fs::read(path).expect("read a capture of the lab");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four octets"));
    assert_eq!(word(0), 0xa1b2_3c4d, "the lab writes nanoseconds");
    let is_cooked = word(20) == COOKED;
    let (mut at, mut number, mut packets) = (24, 0, Vec::new());
    // By datagram: the place of its packet, and the octets of the TCP header.
    let mut in_fragments: BTreeMap<Vec<u8>, (usize, usize)> = BTreeMap::new();
    while at < bytes.len() {
        let kept = word(at + 8) as usize;
        number += 1;
        let at_ns = i64::from(word(at)) * 1_000_000_000 + i64::from(word(at + 4));
        let record = &bytes[at + 16..at + 16 + kept];
        at += 16 + kept;
        let frame = if is_cooked { ethernet(record) } else { bare(record) };
        let fragment = fragment(&frame);
        if let Some((datagram, begin, end)) = &fragment
            && *begin > 0
        {
            if let Some(&(first, header)) = in_fragments.get(datagram) {
                let packet: &mut Packet = &mut packets[first];
                packet.key.payload_len = packet.key.payload_len.max(end - header);
                packet.parts.push(number);
            }
            continue;
        }
        let Some(key) = key(&frame) else { continue };
        if let Some((datagram, _, end)) = fragment {
            in_fragments.insert(datagram, (packets.len(), end - key.payload_len));
        }
        let just_now = |packet: &&mut Packet| at_ns - packet.at_ns < BETWEEN_INTERFACES_NS;
        let mut recent = packets.iter_mut().rev().take_while(just_now);
        match recent.find(|packet| is_cooked && packet.key == key) {
            Some(packet) => packet.again.push(number),
            None => packets.push(Packet { number, at_ns, key, again: Vec::new(), parts: Vec::new() }),
        }
    }
    packets
}

/// `LINKTYPE_LINUX_SLL2`: a capture on all interfaces.
const COOKED: u32 = 276;

/// What a packet may need from one interface of its host to the next, in ns.
const BETWEEN_INTERFACES_NS: i64 = 1_000_000;

/// An Ethernet frame without addresses in place of a cooked one.
fn ethernet(cooked: &[u8]) -> Vec<u8> {
    [&[0; 12], &cooked[..2], &cooked[20..]].concat()
}

/// A frame without the VLAN tag or the tunnel that it is in.
fn bare(frame: &[u8]) -> Vec<u8> {
    let within = |packet: &[u8]| {
        let version = if packet[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] };
        [&frame[..12], &version, packet].concat()
    };
    match (half(frame, 12), frame.get(23)) {
        (0x8100, _) => [&frame[..12], &frame[16..]].concat(),
        (0x0800, Some(4 | 41)) => within(&frame[34..]),
        (0x0800, Some(47)) => within(&frame[38..]),
        (0x0800, Some(17)) => frame[50..].to_vec(),
        _ => frame.to_vec(),
    }
}

/// Of an IPv4 fragment: which datagram it is of, where it begins, and where it ends.
fn fragment(frame: &[u8]) -> Option<(Vec<u8>, usize, usize)> {
    let ip = frame.get(14..).filter(|_| half(frame, 12) == 0x0800)?;
    let place = half(ip, 6);
    let begin = usize::from(place & 0x1fff) * 8;
    let end = begin + usize::from(half(ip, 2)) - 20;
    (place << 2 != 0).then(|| ([&ip[12..20], &ip[4..6]].concat(), begin, end))
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four octets"))
}

fn key(frame: &[u8]) -> Option<Key> {
    let ip = &frame[14..];
    let (src, dst, ip_id, tcp, tcp_bytes): (IpAddr, IpAddr, _, _, _) = match half(frame, 12) {
        // Of a fragmented packet the first part has the TCP header.
        0x0800 if ip[9] == 6 && half(ip, 6) << 3 == 0 => {
            let address = |at: usize| Ipv4Addr::from(word(ip, at)).into();
            (address(12), address(16), Some(half(ip, 4)), 20, usize::from(half(ip, 2)) - 20)
        }
        0x86dd if ip[6] == 6 => {
            let address = |at: usize| {
                Ipv6Addr::from(<[u8; 16]>::try_from(&ip[at..at + 16]).expect("sixteen octets")).into()
            };
            (address(8), address(24), None, 40, usize::from(half(ip, 4)))
        }
        _ => return None,
    };
    let tcp = &ip[tcp..];
    let header = usize::from(tcp[12] >> 4) * 4;
    Some(Key {
        src: (src, half(tcp, 0)),
        dst: (dst, half(tcp, 2)),
        seq: word(tcp, 4),
        ack: word(tcp, 8),
        flags: half(tcp, 12) & 0x0fff,
        payload_len: tcp_bytes - header,
        ip_id,
        tsval: timestamp(&tcp[20..header]),
    })
}

/// Own value of the timestamps option (kind 8, RFC 7323 §3).
fn timestamp(mut options: &[u8]) -> Option<u32> {
    loop {
        match *options {
            [1, ref rest @ ..] => options = rest,
            [8, 10, ..] => return Some(word(options, 2)),
            [kind, len, ..] if kind != 0 => options = options.get(usize::from(len.max(2))..)?,
            _ => return None,
        }
    }
}
