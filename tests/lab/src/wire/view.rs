//! Reading a frame: where its headers lie and what they say.

use correlate_proto::{Endpoint, FourTuple, TcpFlags};
use std::net::IpAddr;
use std::ops::Range;

pub(crate) const ETHERNET_LEN: usize = 14;
pub(crate) const TCP: u8 = 6;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMP_V6: u8 = 58;

/// Kind of the timestamps option (RFC 7323 §3.2).
pub(crate) const TIMESTAMPS: u8 = 8;

/// Kind of the SACK option (RFC 2018 §3).
pub(crate) const SACK: u8 = 5;

/// The IP header of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IpView {
    /// Source address.
    pub(crate) src: IpAddr,
    /// Destination address.
    pub(crate) dst: IpAddr,
    /// Protocol number of what follows.
    pub(crate) protocol: u8,
    /// Octets of the whole IP packet.
    pub(crate) len: usize,
    /// Octets of the IP header.
    pub(crate) header_len: usize,
    /// IPv4 identification.
    pub(crate) id: Option<u16>,
    /// Time to live, hop limit.
    pub(crate) ttl: u8,
}

/// The TCP header of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TcpView {
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: TcpFlags,
    pub(crate) window: u16,
    pub(crate) header_len: usize,
    pub(crate) payload_len: usize,
    /// Own value of the timestamps option.
    pub(crate) tsval: Option<u32>,
    /// How many SACK blocks it bears (RFC 2018 §3).
    pub(crate) sack_blocks: usize,
}

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    /// A TCP segment, or several in a super-packet.
    Tcp(TcpView),
    /// An ICMP or `ICMPv6` error that quotes TCP; the tuple is that of the quoted packet as it travelled.
    IcmpError { quoted: FourTuple },
}

/// A frame that the middlebox accounts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) ip: IpView,
    pub(crate) tuple: FourTuple,
    pub(crate) carried: Carried,
}

impl View {
    /// Reads an Ethernet frame; `None` if it carries neither TCP nor an ICMP error that quotes TCP.
    pub(crate) fn read(ethernet: &[u8]) -> Option<Self> {
        let packet = ethernet.get(ETHERNET_LEN..)?;
        let ip = IpView::read(packet)?;
        let body = packet.get(ip.header_len..ip.len.min(packet.len()))?;
        match ip.protocol {
            TCP => {
                let (src_port, dst_port) = ports(body)?;
                let tuple = tuple(&ip, src_port, dst_port);
                Some(Self { ip, tuple, carried: Carried::Tcp(TcpView::read(body, ip.len - ip.header_len)?) })
            }
            ICMP | ICMP_V6 => {
                if !is_error(ip.protocol, *body.first()?) {
                    return None;
                }
                let quote = body.get(8..)?;
                let inner = IpView::read(quote)?;
                let (src_port, dst_port) = ports(quote.get(inner.header_len..)?)?;
                if inner.protocol != TCP {
                    return None;
                }
                let quoted = tuple(&inner, src_port, dst_port);
                Some(Self { ip, tuple: tuple(&ip, 0, 0), carried: Carried::IcmpError { quoted } })
            }
            _ => None,
        }
    }

    /// The TCP header, if it is TCP.
    pub(crate) const fn tcp(&self) -> Option<&TcpView> {
        match &self.carried {
            Carried::Tcp(tcp) => Some(tcp),
            Carried::IcmpError { .. } => None,
        }
    }
}

impl IpView {
    /// Reads an IP header; the body need not be complete.
    pub(crate) fn read(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => {
                let header_len = usize::from(packet[0] & 15) * 4;
                let fixed: &[u8; 20] = packet.first_chunk()?;
                Some(Self {
                    src: IpAddr::from(*fixed[12..].first_chunk::<4>()?),
                    dst: IpAddr::from(*fixed[16..].first_chunk::<4>()?),
                    protocol: fixed[9],
                    len: usize::from(be16(fixed, 2)?).max(header_len),
                    header_len,
                    id: Some(be16(fixed, 4)?),
                    ttl: fixed[8],
                })
            }
            6 => {
                let fixed: &[u8; 40] = packet.first_chunk()?;
                Some(Self {
                    src: IpAddr::from(*fixed[8..].first_chunk::<16>()?),
                    dst: IpAddr::from(*fixed[24..].first_chunk::<16>()?),
                    protocol: fixed[6],
                    len: usize::from(be16(fixed, 4)?) + 40,
                    header_len: 40,
                    id: None,
                    ttl: fixed[7],
                })
            }
            _ => None,
        }
    }
}

impl TcpView {
    fn read(body: &[u8], segment_len: usize) -> Option<Self> {
        let header_len = usize::from(body.get(12)? >> 4) * 4;
        let options = body.get(20..header_len)?;
        Some(Self {
            seq: be32(body, 4)?,
            ack: be32(body, 8)?,
            flags: TcpFlags(be16(body, 12)? & 0x0fff),
            window: be16(body, 14)?,
            header_len,
            payload_len: segment_len.checked_sub(header_len)?,
            tsval: find_option(options, TIMESTAMPS).and_then(|found| be32(options, found.start + 2)),
            sack_blocks: find_option(options, SACK).map_or(0, |found| (found.len() - 2) / 8),
        })
    }

    /// Octets of sequence space: payload, SYN and FIN.
    pub(crate) fn seq_len(&self) -> u32 {
        u32::try_from(self.payload_len).unwrap_or(u32::MAX)
            + u32::from(self.flags.has(TcpFlags::SYN))
            + u32::from(self.flags.has(TcpFlags::FIN))
    }
}

/// Where an option of this kind lies within the options, its kind and length octets included (RFC 9293 §3.2).
pub(crate) fn find_option(options: &[u8], kind: u8) -> Option<Range<usize>> {
    let mut at = 0;
    loop {
        match (*options.get(at)?, options.get(at + 1)) {
            (0, _) => return None,
            (1, _) => at += 1,
            (found, Some(len)) if *len >= 2 => {
                let end = at + usize::from(*len);
                if found == kind {
                    return (end <= options.len()).then_some(at..end);
                }
                at = end;
            }
            _ => return None,
        }
    }
}

/// Whether an ICMP type is an error message (RFC 792, RFC 4443 §2.1).
const fn is_error(protocol: u8, kind: u8) -> bool {
    match protocol {
        ICMP => matches!(kind, 3 | 5 | 11 | 12),
        _ => kind < 128,
    }
}

fn ports(body: &[u8]) -> Option<(u16, u16)> {
    Some((be16(body, 0)?, be16(body, 2)?))
}

const fn tuple(ip: &IpView, src_port: u16, dst_port: u16) -> FourTuple {
    FourTuple {
        src: Endpoint { addr: ip.src, port: src_port },
        dst: Endpoint { addr: ip.dst, port: dst_port },
    }
}

pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|word| u16::from_be_bytes(*word))
}

pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}
