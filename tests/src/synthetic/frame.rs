//! The octets of an invented packet.

use super::connection::{ACK, Packet, SYN};
use super::{Side, low16};

/// Headers of a frame: Ethernet, IPv4, TCP with its options, and the payload's first word.
#[derive(Debug)]
pub(super) struct Headers {
    bytes: [u8; 80],
    len: usize,
    /// Octets of the whole frame on the wire.
    pub(super) wire_len: u32,
}

impl Headers {
    fn push(&mut self, more: &[u8]) {
        self.bytes[self.len..self.len + more.len()].copy_from_slice(more);
        self.len += more.len();
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 0x0c], [2, 0, 0, 0, 0, 0x05]];
const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 0xee];
const ADDRESSES: [[u8; 4]; 2] = [[10, 0, 1, 2], [10, 0, 4, 12]];
const SERVER_PORT: u16 = 9_000;
const FIRST_CLIENT_PORT: u16 = 32_768;
/// Routers on the path.
const HOPS: u8 = 3;

/// The frame as its sender (`sent`) or its receiver captured it.
pub(super) fn build(connection: u32, packet: &Packet, sent: bool) -> Headers {
    let mut out = Headers { bytes: [0; 80], len: 0, wire_len: 0 };
    let (from, to) = (packet.from.index(), packet.from.other().index());
    let macs = if sent { (ROUTER, MACS[from]) } else { (MACS[to], ROUTER) };
    out.push(&macs.0);
    out.push(&macs.1);
    out.push(&[0x08, 0x00]);
    let syn = packet.flags & SYN != 0;
    let tcp_len = if syn { 40 } else { 32 };
    let tcp_bytes = tcp_len + packet.payload_len;
    ipv4(&mut out, packet, tcp_bytes, if sent { 64 } else { 64 - HOPS });
    let client_port = FIRST_CLIENT_PORT + low16(connection);
    let ports = match packet.from {
        Side::Client => (client_port, SERVER_PORT),
        Side::Server => (SERVER_PORT, client_port),
    };
    let start = out.len;
    out.push(&ports.0.to_be_bytes());
    out.push(&ports.1.to_be_bytes());
    out.push(&packet.seq.to_be_bytes());
    out.push(&packet.ack.to_be_bytes());
    out.push(&[if syn { 0xA0 } else { 0x80 }, packet.flags]);
    out.push(&packet.window.to_be_bytes());
    out.push(&[0; 4]);
    options(&mut out, packet, syn);
    let mut sum = pseudo_sum(packet, tcp_bytes) + sum(&out.bytes[start..out.len]);
    sum += u32::from(packet.payload_word);
    let checksum = !fold(sum);
    out.bytes[start + 16..start + 18].copy_from_slice(&checksum.to_be_bytes());
    out.push(&packet.payload_word.to_be_bytes()[..packet.payload_len.min(2) as usize]);
    out.wire_len = 34 + tcp_bytes;
    out
}

fn ipv4(out: &mut Headers, packet: &Packet, tcp_bytes: u32, ttl: u8) {
    let start = out.len;
    let total = low16(20 + tcp_bytes);
    out.push(&[0x45, 0]);
    out.push(&total.to_be_bytes());
    out.push(&packet.ip_id.to_be_bytes());
    out.push(&[0x40, 0, ttl, 6, 0, 0]);
    out.push(&ADDRESSES[packet.from.index()]);
    out.push(&ADDRESSES[packet.from.other().index()]);
    let checksum = !fold(sum(&out.bytes[start..out.len]));
    out.bytes[start + 10..start + 12].copy_from_slice(&checksum.to_be_bytes());
}

fn options(out: &mut Headers, packet: &Packet, syn: bool) {
    if syn {
        // MSS 1460, SACK permitted, then the timestamps, a no-op and a window scale of 7: Linux's order.
        out.push(&[2, 4, 0x05, 0xb4, 4, 2]);
    } else {
        out.push(&[1, 1]);
    }
    out.push(&[8, 10]);
    out.push(&packet.timestamps.0.to_be_bytes());
    let echo = if packet.flags & ACK != 0 { packet.timestamps.1 } else { 0 };
    out.push(&echo.to_be_bytes());
    if syn {
        out.push(&[1, 3, 3, 7]);
    }
}

fn pseudo_sum(packet: &Packet, tcp_bytes: u32) -> u32 {
    sum(&ADDRESSES[packet.from.index()]) + sum(&ADDRESSES[packet.from.other().index()]) + 6 + tcp_bytes
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    low16(sum)
}
