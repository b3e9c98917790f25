//! Making packets that no host sent.

use super::edit::mend_checksums;
use super::frame::Frame;
use super::view::{ETHERNET_LEN, ICMP, ICMP_V6, TCP};
use crate::netlink::Mac;
use correlate_proto::{FourTuple, TcpFlags};
use std::net::IpAddr;

/// A TCP segment without payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) tuple: FourTuple,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: TcpFlags,
    pub(crate) window: u16,
    /// Options, a multiple of four octets and at most 40.
    pub(crate) options: Vec<u8>,
    pub(crate) ttl: u8,
    pub(crate) ip_id: u16,
}

impl Segment {
    /// The frame for it, addressed to `to`.
    pub(crate) fn frame(&self, to: Mac) -> Frame {
        let mut tcp = Vec::with_capacity(20 + self.options.len());
        tcp.extend_from_slice(&self.tuple.src.port.to_be_bytes());
        tcp.extend_from_slice(&self.tuple.dst.port.to_be_bytes());
        tcp.extend_from_slice(&self.seq.to_be_bytes());
        tcp.extend_from_slice(&self.ack.to_be_bytes());
        let words = u16::try_from(5 + self.options.len() / 4).unwrap_or(15);
        tcp.extend_from_slice(&((words << 12) | self.flags.0).to_be_bytes());
        tcp.extend_from_slice(&self.window.to_be_bytes());
        tcp.extend_from_slice(&[0; 4]); // checksum, urgent pointer
        tcp.extend_from_slice(&self.options);
        packet(to, (self.tuple.src.addr, self.tuple.dst.addr), (self.ttl, self.ip_id), TCP, &tcp)
    }
}

/// What an ICMP error says, in the words of both versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpMessage {
    /// The packet is larger than the next link's MTU, in octets.
    TooBig {
        /// The MTU that is reported.
        mtu: u16,
    },
    /// No route to the host.
    HostUnreachable,
    /// A filter forbids it.
    Prohibited,
}

impl IcmpMessage {
    /// Type, code and the second word (RFC 792, RFC 1191, RFC 1812 §5.2.7.1, RFC 4443).
    const fn header(self, v6: bool) -> (u8, u8, u32) {
        match (self, v6) {
            (Self::TooBig { mtu }, false) => (3, 4, mtu as u32),
            (Self::TooBig { mtu }, true) => (2, 0, mtu as u32),
            (Self::HostUnreachable, false) => (3, 1, 0),
            (Self::HostUnreachable, true) => (1, 3, 0),
            (Self::Prohibited, false) => (3, 13, 0),
            (Self::Prohibited, true) => (1, 1, 0),
        }
    }
}

/// An ICMP error about the packet in `culprit` (an Ethernet frame), from `from` to the packet's sender.
pub(crate) fn icmp_error(culprit: &[u8], message: IcmpMessage, from: IpAddr, to: (IpAddr, Mac)) -> Frame {
    // As much as fits the smallest IPv4 datagram that all hosts take, 576 octets less the headers.
    let quote = &culprit[ETHERNET_LEN..culprit.len().min(ETHERNET_LEN + 548)];
    let (kind, code, word) = message.header(from.is_ipv6());
    let mut body = vec![kind, code, 0, 0];
    body.extend_from_slice(&word.to_be_bytes());
    body.extend_from_slice(quote);
    let protocol = if from.is_ipv6() { ICMP_V6 } else { ICMP };
    packet(to.1, (from, to.0), (64, 0), protocol, &body)
}

fn packet(to: Mac, (src, dst): (IpAddr, IpAddr), (ttl, id): (u8, u16), protocol: u8, body: &[u8]) -> Frame {
    let mut bytes = to.to_vec();
    bytes.extend_from_slice(&crate::address::MIDDLE_MAC);
    let body_len = u16::try_from(body.len()).unwrap_or(u16::MAX);
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            bytes.extend_from_slice(&[0x08, 0x00, 0x45, 0]);
            bytes.extend_from_slice(&(body_len + 20).to_be_bytes());
            bytes.extend_from_slice(&id.to_be_bytes());
            bytes.extend_from_slice(&[0, 0, ttl, protocol, 0, 0]);
            bytes.extend_from_slice(&src.octets());
            bytes.extend_from_slice(&dst.octets());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            bytes.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0]);
            bytes.extend_from_slice(&body_len.to_be_bytes());
            bytes.extend_from_slice(&[protocol, ttl]);
            bytes.extend_from_slice(&src.octets());
            bytes.extend_from_slice(&dst.octets());
        }
        _ => unreachable!("both addresses of a packet are of one version"),
    }
    bytes.extend_from_slice(body);
    let mut frame = Frame::plain(&bytes);
    mend_checksums(&mut frame);
    frame
}
