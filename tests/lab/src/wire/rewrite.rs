//! Changing what a TCP packet says, as devices on the path do.

use super::edit::{age, mend_checksums};
use super::frame::Frame;
use super::view::{ETHERNET_LEN, SACK, TIMESTAMPS, View, be32, find_option};
use correlate_proto::{Direction, TcpFlags};

const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;

/// Whether a device that shifts sequence numbers minds the SACK blocks too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SackBlocks {
    /// They are shifted like the acknowledgement number.
    Shifted,
    /// They are forgotten: SACK is broken.
    Left,
}

/// A change of a packet's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// Adds `by` to the sequence numbers of one direction, and takes it from what the other acknowledges.
    ShiftSequence {
        /// Direction whose sequence numbers are shifted.
        of: Direction,
        /// By how much, modulo 2³².
        by: u32,
        /// What becomes of SACK blocks.
        sack: SackBlocks,
    },
    /// Adds `by` to the timestamps of one direction, and takes it from what the other echoes (RFC 7323 §3.2).
    ShiftTimestamps {
        /// Direction whose timestamps are shifted.
        of: Direction,
        /// By how much, modulo 2³².
        by: u32,
    },
    /// Sets the identification, of IPv4 only.
    SetId(u16),
    /// Lowers the MSS option to at most this.
    ClampMss(u16),
    /// Overwrites the option of this kind with no-operations.
    StripOption(u8),
    /// Sets the six bits of the DSCP (RFC 2474).
    Dscp(u8),
    /// Takes this from the TTL or hop limit, but leaves at least 1.
    Age(u8),
    /// Clears the two bits of ECN (RFC 3168 §5).
    BleachEcn,
    /// Turns over all bits of the first octet of the payload.
    AlterPayload,
}

/// Changes a TCP packet that travels in `direction`. One that is not TCP, or lacks what would be changed, is left.
pub(crate) fn rewrite(frame: &mut Frame, direction: Direction, change: Rewrite) {
    let Some(view) = View::read(frame.ethernet()) else { return };
    let Some(tcp) = view.tcp().copied() else { return };
    if let Rewrite::Age(hops) = change {
        return age(frame, hops);
    }
    let packet = &mut frame.ethernet_mut()[ETHERNET_LEN..];
    let (ip_header, segment) = packet.split_at_mut(view.ip.header_len);
    match change {
        Rewrite::ShiftSequence { of, by, .. } if of == direction => {
            put32(segment, 4, tcp.seq.wrapping_add(by));
        }
        Rewrite::ShiftSequence { by, sack, .. } => {
            if tcp.flags.has(TcpFlags::ACK) {
                put32(segment, 8, tcp.ack.wrapping_sub(by));
            }
            if sack == SackBlocks::Shifted {
                shift_sack(&mut segment[20..tcp.header_len], by);
            }
        }
        Rewrite::ShiftTimestamps { of, by } => {
            let forward = of == direction;
            shift_timestamps(&mut segment[20..tcp.header_len], forward, by, tcp.flags.has(TcpFlags::ACK));
        }
        Rewrite::SetId(id) => {
            if view.ip.id.is_some() {
                ip_header[4..6].copy_from_slice(&id.to_be_bytes());
            }
        }
        Rewrite::ClampMss(most) => clamp_mss(&mut segment[20..tcp.header_len], most),
        Rewrite::StripOption(kind) => {
            let options = &mut segment[20..tcp.header_len];
            if let Some(found) = find_option(options, kind) {
                options[found].fill(NO_OPERATION);
            }
        }
        Rewrite::Dscp(dscp) => set_traffic_class(ip_header, |class| (dscp << 2) | (class & 3)),
        Rewrite::Age(_) => {}
        Rewrite::BleachEcn => set_traffic_class(ip_header, |class| class & !3),
        Rewrite::AlterPayload => {
            if let Some(first) = segment[tcp.header_len..].first_mut().filter(|_| tcp.payload_len > 0) {
                *first = !*first;
            }
        }
    }
    mend_checksums(frame);
}

/// Takes `by` from both edges of each SACK block (RFC 2018 §3).
fn shift_sack(options: &mut [u8], by: u32) {
    let Some(found) = find_option(options, SACK) else { return };
    for at in (found.start + 2..found.end).step_by(4) {
        if let Some(edge) = be32(options, at) {
            put32(options, at, edge.wrapping_sub(by));
        }
    }
}

/// Adds `by` to the own value, or takes it from the echoed one, which without an ACK means nothing.
fn shift_timestamps(options: &mut [u8], forward: bool, by: u32, echoes: bool) {
    let Some(found) = find_option(options, TIMESTAMPS) else { return };
    let (at, by) = if forward { (found.start + 2, by) } else { (found.start + 6, by.wrapping_neg()) };
    if let Some(value) = be32(options, at).filter(|_| forward || echoes) {
        put32(options, at, value.wrapping_add(by));
    }
}

fn clamp_mss(options: &mut [u8], most: u16) {
    let Some(found) = find_option(options, MSS) else { return };
    let value = &mut options[found.start + 2..found.end];
    if let [high, low] = value {
        [*high, *low] = u16::from_be_bytes([*high, *low]).min(most).to_be_bytes();
    }
}

/// Changes the octet that IPv4 calls TOS and IPv6 traffic class.
fn set_traffic_class(header: &mut [u8], change: impl FnOnce(u8) -> u8) {
    if header[0] >> 4 == 4 {
        header[1] = change(header[1]);
    } else {
        let class = change((header[0] << 4) | (header[1] >> 4));
        header[0] = (header[0] & 0xf0) | (class >> 4);
        header[1] = (class << 4) | (header[1] & 0x0f);
    }
}

fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_edges_of_every_sack_block_are_shifted_and_nothing_else() {
        let mut options = vec![1, 1, SACK, 18];
        for edge in [100u32, 200, 5, u32::MAX] {
            options.extend(edge.to_be_bytes());
        }
        shift_sack(&mut options, 10);
        let edges: Vec<u32> = (4..20).step_by(4).map(|at| be32(&options, at).unwrap()).collect();
        assert_eq!(edges, [90, 190, 5u32.wrapping_sub(10), u32::MAX - 10]);
        assert_eq!(options[..4], [1, 1, SACK, 18]);
    }

    #[test]
    fn an_mss_is_lowered_and_never_raised() {
        let mut options = [MSS, 4, 5, 180]; // 1460
        clamp_mss(&mut options, 1200);
        assert_eq!(options, [MSS, 4, 4, 176]);
        clamp_mss(&mut options, 1300);
        assert_eq!(options, [MSS, 4, 4, 176]);
    }

    #[test]
    fn the_traffic_class_of_ipv6_spans_two_octets() {
        let mut header = [0x6a, 0xbc];
        set_traffic_class(&mut header, |class| {
            assert_eq!(class, 0xab);
            0xcd
        });
        assert_eq!(header, [0x6c, 0xdc]);
    }
}
