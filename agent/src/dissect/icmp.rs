//! Errors of ICMP, for IPv4 and IPv6, that quote the packet they are about (RFC 792, RFC 4443).

use super::cursor::Cursor;
use super::ip::{self, Fragment, IpPacket};
use super::outcome::SkipReason;
use crate::capture::Frame;
use correlate_proto::{Endpoint, FourTuple, IcmpError, IcmpKind, SeqNum};
use etherparse::ip_number;

/// The error at `at`. Messages that are no errors are skipped as other traffic.
pub(super) fn read(
    frame: &Frame<'_>,
    packet: &IpPacket,
    at: &mut Cursor<'_>,
) -> Result<IcmpError, SkipReason> {
    let header = at.take::<8>()?;
    let [icmp_type, icmp_code, _, _, rest @ ..] = *header;
    let kind = if packet.protocol == ip_number::ICMP {
        kind_v4(icmp_type, icmp_code, rest)
    } else {
        kind_v6(icmp_type, icmp_code, rest)
    };
    let kind = kind.ok_or(SkipReason::NotTcp)?;
    let quote = quote(at).map_err(|_| SkipReason::IcmpQuote)?;
    Ok(IcmpError {
        packet: frame.number,
        at: frame.at,
        heard: frame.heard,
        interface: frame.interface,
        from: packet.src,
        to: packet.dst,
        kind,
        icmp_type,
        icmp_code,
        quoted: quote.tuple,
        quoted_seq: quote.seq,
        quoted_ip_id: quote.packet.fields.id,
        quoted_ip_len: quote.packet.fields.len,
        ttl: packet.fields.ttl,
    })
}

struct Quote {
    packet: IpPacket,
    tuple: FourTuple,
    seq: SeqNum,
}

/// RFC 792 promises eight octets of what the quoted packet carries: ports and sequence number.
fn quote(at: &mut Cursor<'_>) -> Result<Quote, SkipReason> {
    let packet = ip::read(at)?;
    if packet.protocol != ip_number::TCP || packet.fragment == Fragment::Later {
        return Err(SkipReason::IcmpQuote);
    }
    let [a, b, c, d, seq @ ..] = *at.take::<8>()?;
    let tuple = FourTuple {
        src: Endpoint { addr: packet.src, port: u16::from_be_bytes([a, b]) },
        dst: Endpoint { addr: packet.dst, port: u16::from_be_bytes([c, d]) },
    };
    Ok(Quote { packet, tuple, seq: SeqNum(u32::from_be_bytes(seq)) })
}

/// RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7; `rest` is the header's second word. Absent: no error.
fn kind_v4(icmp_type: u8, code: u8, rest: [u8; 4]) -> Option<IcmpKind> {
    match (icmp_type, code) {
        (3, 3) => Some(IcmpKind::PortUnreachable),
        (3, 4) => Some(IcmpKind::TooBig { mtu: u32::from(u16::from_be_bytes([rest[2], rest[3]])) }),
        (3, 9 | 10 | 13) => Some(IcmpKind::Prohibited),
        (3, _) => Some(IcmpKind::Unreachable),
        (11, 0) => Some(IcmpKind::TimeExceeded),
        // Source quench, redirect, reassembly time-out, parameter problem.
        (4 | 5 | 11 | 12, _) => Some(IcmpKind::Other),
        _ => None,
    }
}

/// RFC 4443 §3. Errors have types below 128; the others are messages of their own.
fn kind_v6(icmp_type: u8, code: u8, rest: [u8; 4]) -> Option<IcmpKind> {
    match (icmp_type, code) {
        (1, 1 | 5 | 6) => Some(IcmpKind::Prohibited),
        (1, 4) => Some(IcmpKind::PortUnreachable),
        (1, _) => Some(IcmpKind::Unreachable),
        (2, _) => Some(IcmpKind::TooBig { mtu: u32::from_be_bytes(rest) }),
        (3, 0) => Some(IcmpKind::TimeExceeded),
        (0..128, _) => Some(IcmpKind::Other),
        _ => None,
    }
}
