//! The TCP header (RFC 9293 §3.1).

use super::checksum::{fold, residual, sum};
use super::cursor::Cursor;
use super::ip::{Fragment, IpPacket};
use super::options;
use super::outcome::{Dissected, SkipReason};
use crate::capture::Frame;
use correlate_proto::{Endpoint, FourTuple, Record, Segment, SeqNum, TcpFlags};

/// Octets up to the end of the window field: what a record cannot do without.
const NEEDED: usize = 16;
/// Octets of a header without options.
const FIXED: usize = 20;

/// The segment at `at`, whose end is the end of the IP packet.
#[inline]
pub(super) fn read(frame: &Frame<'_>, packet: &IpPacket, at: &Cursor<'_>) -> Dissected {
    let header = match at.peek::<NEEDED>() {
        Ok(header) => header,
        Err(reason) => return Dissected::Skipped(reason),
    };
    let header_len = usize::from(header[12] >> 4) * 4;
    // The data offset is at most 60, so the conversion cannot fail.
    let payload_len = at.wire.checked_sub(u32::try_from(header_len).unwrap_or(0));
    let (FIXED.., Some(payload_len)) = (header_len, payload_len) else {
        return Dissected::Skipped(SkipReason::Malformed);
    };
    let whole = at.bytes.get(..header_len);
    let captured = whole.unwrap_or(at.bytes);
    Dissected::Record(Record::Segment(Segment {
        packet: frame.number,
        at: frame.at,
        heard: frame.heard,
        interface: frame.interface,
        tuple: FourTuple {
            src: Endpoint { addr: packet.src, port: be16(header, 0) },
            dst: Endpoint { addr: packet.dst, port: be16(header, 2) },
        },
        seq: SeqNum(be32(header, 4)),
        ack: SeqNum(be32(header, 8)),
        flags: TcpFlags(be16(header, 12) & 0x0FFF),
        window: be16(header, 14),
        payload_len,
        gso_size: frame.gso_size,
        ip: packet.fields,
        options: options::read(captured.get(FIXED..).unwrap_or(&[])),
        payload_sum: whole.and_then(|header| payload_sum(frame, packet, header, at.wire, payload_len)),
        first_fragment: packet.fragment == Fragment::First,
        header_truncated: whole.is_none(),
    }))
}

/// The payload's sum from the checksum, or nothing where that does not cover the payload as it was sent.
///
/// A sender that leaves the checksum to its hardware writes the pseudo-header's sum in its place (kernel
/// `__tcp_v4_send_check`), and so does a receiver that merged packets (`tcp4_gro_complete`). A capture on such
/// a host need not say so; the value itself does, and one complete checksum in 65,536 that happens to be the
/// same is taken for partial, too.
#[inline]
fn payload_sum(
    frame: &Frame<'_>,
    packet: &IpPacket,
    header: &[u8],
    tcp_len: u32,
    payload_len: u32,
) -> Option<u16> {
    const TCP: u64 = 6;
    let offloaded = frame.checksum_partial || frame.gso_size.is_some() || packet.length_from_frame;
    if offloaded || packet.fragment != Fragment::Whole {
        return None;
    }
    let pseudo = packet.address_sum + TCP + u64::from(tcp_len);
    let checksum = u16::from_be_bytes([*header.get(16)?, *header.get(17)?]);
    if checksum == fold(pseudo) {
        return None;
    }
    let residual = residual(pseudo + sum(header));
    // Without payload there is nothing to be left over: the checksum is wrong, or something else stands there.
    (payload_len > 0 || residual == 0).then_some(residual)
}

#[inline]
fn be16(header: &[u8; NEEDED], offset: usize) -> u16 {
    u16::from_be_bytes([header[offset], header[offset + 1]])
}

#[inline]
fn be32(header: &[u8; NEEDED], offset: usize) -> u32 {
    u32::from_be_bytes([header[offset], header[offset + 1], header[offset + 2], header[offset + 3]])
}
