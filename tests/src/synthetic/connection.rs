//! Both ends of one invented connection: requests of the client, answers of the server.

use super::{Random, Side};

/// A segment on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Packet {
    pub(super) from: Side,
    pub(super) seq: u32,
    pub(super) ack: u32,
    /// The low octet of the header's flags.
    pub(super) flags: u8,
    pub(super) window: u16,
    pub(super) payload_len: u32,
    /// The payload is this word followed by zeros, so this is its one's-complement sum too.
    pub(super) payload_word: u16,
    pub(super) ip_id: u16,
    pub(super) timestamps: (u32, u32),
}

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

/// Payload of a full segment on a path of 1,500 octets with the timestamps option.
const SEGMENT_BYTES: u32 = 1_448;
/// Segments in flight at first (RFC 6928) and at most: the receiver's window.
const WINDOW_SEGMENTS: (u32, u32) = (10, 128);

/// A connection with fewer packets left in its share closes.
const CLOSING_PACKETS: u64 = 8;

/// One host's end.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one end, not states of one machine")]
struct End {
    next_seq: u32,
    acked: u32,
    expected: u32,
    ip_id: u16,
    clock_base: u32,
    echo: u32,
    /// Octets the application has written and that are not sent yet.
    unsent: u32,
    congestion_window: u32,
    /// Full segments received and not acknowledged yet.
    unacknowledged: u32,
    owes_ack: bool,
    synchronised: bool,
    /// The handshake's last ACK goes out alone, before the first data.
    owes_handshake_ack: bool,
    wants_fin: bool,
    fin_sent: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    ends: [End; 2],
    /// Packets that it may still make before the client closes.
    share: u64,
    syn_sent: bool,
}

impl End {
    fn new(random: &mut Random) -> Self {
        let isn = random.bits32();
        Self {
            next_seq: isn,
            acked: isn,
            expected: 0,
            ip_id: random.bits16(),
            clock_base: random.bits32(),
            echo: 0,
            unsent: 0,
            congestion_window: WINDOW_SEGMENTS.0,
            unacknowledged: 0,
            owes_ack: false,
            synchronised: false,
            owes_handshake_ack: false,
            wants_fin: false,
            fin_sent: false,
        }
    }

    fn in_flight(&self) -> u32 {
        self.next_seq.wrapping_sub(self.acked)
    }

    fn may_send_data(&self) -> bool {
        self.synchronised
            && !self.owes_handshake_ack
            && self.unsent > 0
            && self.in_flight() < self.congestion_window * SEGMENT_BYTES
    }

    fn may_send_fin(&self) -> bool {
        self.synchronised && self.wants_fin && !self.fin_sent && self.unsent == 0
    }
}

impl Connection {
    pub(super) fn new(_index: u32, share: u64, random: &mut Random) -> Self {
        Self { ends: [End::new(random), End::new(random)], share, syn_sent: false }
    }

    /// Whether that side has anything to send at once.
    pub(super) fn may_send(&self, side: Side) -> bool {
        let end = &self.ends[side.index()];
        let syn = side == Side::Client && !self.syn_sent;
        syn || end.owes_ack || end.may_send_data() || end.may_send_fin()
    }

    /// The next packet of that side, if it may send one.
    pub(super) fn send(&mut self, side: Side, now: u64, random: &mut Random) -> Option<Packet> {
        if !self.may_send(side) {
            return None;
        }
        self.share = self.share.saturating_sub(1);
        let first = side == Side::Client && !self.syn_sent;
        self.syn_sent = true;
        let end = &mut self.ends[side.index()];
        let syn = first || !end.synchronised;
        let mut flags = if first {
            SYN
        } else if syn {
            SYN | ACK
        } else {
            ACK
        };
        let payload_len = if end.may_send_data() && !syn { end.unsent.min(SEGMENT_BYTES) } else { 0 };
        let seq = end.next_seq;
        end.unsent -= payload_len;
        if payload_len > 0 && end.unsent == 0 {
            flags |= PSH;
        }
        if payload_len == 0 && !syn && end.may_send_fin() {
            flags |= FIN;
            end.fin_sent = true;
        }
        let occupied = payload_len + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        end.next_seq = end.next_seq.wrapping_add(occupied);
        end.owes_ack = false;
        end.owes_handshake_ack = false;
        end.unacknowledged = 0;
        // A server's end is synchronised once it has answered; a client's when the answer comes.
        end.synchronised |= side == Side::Server;
        let syn_ack = syn && !first;
        if !syn_ack {
            end.ip_id = end.ip_id.wrapping_add(1);
        }
        let word = if payload_len == 1 { random.bits16() & 0xFF00 } else { random.bits16() };
        Some(Packet {
            from: side,
            seq,
            ack: if first { 0 } else { end.expected },
            flags,
            window: if syn { 64_240 } else { 502 },
            payload_len,
            payload_word: if payload_len == 0 { 0 } else { word },
            ip_id: if syn_ack { 0 } else { end.ip_id },
            timestamps: (
                end.clock_base.wrapping_add(u32::try_from(now / 1_000_000 % (1 << 32)).unwrap_or(0)),
                end.echo,
            ),
        })
    }

    /// Takes a packet in; true if that side has something to send in answer.
    pub(super) fn receive(&mut self, side: Side, packet: &Packet, random: &mut Random) -> bool {
        let finished = self.share < CLOSING_PACKETS;
        // Two segments are acknowledged by one packet.
        let affordable =
            u32::try_from(self.share / 3 * 2 + 1).unwrap_or(u32::MAX).saturating_mul(SEGMENT_BYTES);
        let end = &mut self.ends[side.index()];
        end.echo = packet.timestamps.0;
        if packet.flags & ACK != 0 {
            let advance = packet.ack.wrapping_sub(end.acked);
            end.acked = packet.ack;
            if advance > SEGMENT_BYTES {
                let grown = end.congestion_window + advance / SEGMENT_BYTES;
                end.congestion_window = grown.min(WINDOW_SEGMENTS.1);
            }
        }
        let occupied = packet.payload_len + u32::from(packet.flags & (SYN | FIN) != 0);
        if occupied > 0 {
            end.expected = packet.seq.wrapping_add(occupied);
            end.unacknowledged += 1;
            end.owes_ack |= end.unacknowledged >= 2 || packet.flags & (SYN | FIN | PSH) != 0;
        }
        let answered = packet.payload_len > 0 && packet.flags & PSH != 0;
        match side {
            Side::Client if packet.flags & SYN != 0 => {
                end.synchronised = true;
                end.owes_handshake_ack = true;
                end.unsent = request(random);
            }
            Side::Client if answered && finished => end.wants_fin = true,
            Side::Client if answered => end.unsent = request(random),
            Side::Server if answered => end.unsent = response(random).min(affordable),
            Side::Server if packet.flags & FIN != 0 => end.wants_fin = true,
            Side::Client | Side::Server => {}
        }
        self.may_send(side)
    }
}

/// Octets of a request.
fn request(random: &mut Random) -> u32 {
    80 + random.below32(900)
}

/// Octets of an answer: mostly small, some large, as of a web service.
fn response(random: &mut Random) -> u32 {
    match random.below(10) {
        0..6 => 200 + random.below32(6_000),
        6..9 => 6_000 + random.below32(100_000),
        _ => 100_000 + random.below32(1_500_000),
    }
}
