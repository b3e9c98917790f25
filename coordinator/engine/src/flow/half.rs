//! One direction of a flow at one capture point.

use super::seen::Seen;
use super::unseen::{Again, Missed, Unseen};
use super::window::Window;
use crate::connection::PacketRef;
use crate::matching::Novelty;
use correlate_proto::{Segment, SeqNum, TcpFlags, Unwrapper};

/// How long after its first packet a flow that was already open when the capture began may acknowledge octets
/// that arrived before the capture did, without that telling against the capture. Two round trips of any
/// earthly path.
const WARM_UP_NS: i64 = 500_000_000;

/// An acknowledgement further ahead of all octets seen than any window allows (RFC 7323 §2.3: 1 GiB) is no
/// evidence of anything but a broken or forged header.
const MAX_UNSEEN: i64 = 1 << 30;

/// State of one direction.
#[derive(Debug, Default)]
pub(crate) struct Half {
    unwrapper: Option<Unwrapper>,
    base: i64,
    first_seq: Option<SeqNum>,
    /// Initial sequence number, if the SYN was seen.
    pub(crate) isn: Option<SeqNum>,
    pub(crate) seen: Seen,
    pub(crate) unseen: Unseen,
    /// Highest octet acknowledged by the other direction, as seen here.
    pub(crate) acked: Option<i64>,
    /// When it was.
    acked_at: i64,
    /// Distinct octets of payload seen.
    pub(crate) payload_bytes: u64,
    /// End of the highest octet seen.
    pub(crate) highest_end: Option<i64>,
    pub(crate) wire_segments: u64,
    pub(crate) retransmitted: u64,
    pub(crate) fin: Option<PacketRef>,
    pub(crate) mss: Option<u16>,
    /// TTL of the newest packet that is no RST.
    pub(crate) ttl: Option<u8>,
    /// TTL of the SYN or SYN-ACK.
    pub(crate) syn_ttl: Option<u8>,
    pub(crate) syn_tsval: Option<u32>,
    /// Window scale of its SYN, `Some(None)` if that had none; absent unless a whole SYN was seen.
    #[expect(clippy::option_option, reason = "no SYN and a SYN without the option are two things")]
    pub(crate) syn_scale: Option<Option<u8>>,
    /// What the other end lets this direction send.
    pub(crate) window: Window,
    /// IPv4 identification of the newest packet that is no RST; of a super-packet that of its first segment.
    pub(crate) last_ip_id: Option<u16>,
    /// Newest packet.
    pub(crate) last: Option<PacketRef>,
    first_at: Option<i64>,
}

impl Half {
    /// The 64-bit offset of `seq` in this direction. Offsets of one direction at two capture points differ by a
    /// multiple of 2³², or by what a device adds to sequence numbers.
    pub(crate) fn offset(&mut self, seq: SeqNum) -> i64 {
        if let Some(unwrapper) = &mut self.unwrapper {
            return self.base + unwrapper.unwrap(seq);
        }
        self.base = i64::from(seq.0);
        self.first_seq = Some(seq);
        self.unwrapper = Some(Unwrapper::new(seq));
        self.base
    }

    /// The offset of `seq` without taking it for the newest.
    pub(crate) fn peek(&self, seq: SeqNum) -> Option<i64> {
        self.unwrapper.as_ref().map(|unwrapper| self.base + unwrapper.peek(seq))
    }

    /// Where the numbering of this direction begins here, as offset and sequence number; `None` before its first packet or acknowledgement.
    pub(crate) const fn origin(&self) -> Option<(i64, SeqNum)> {
        match self.first_seq {
            Some(seq) => Some((self.base, seq)),
            None => None,
        }
    }

    /// Takes in a packet of this direction; `start` is its offset, `sent` whether the host of this capture point
    /// sent it. Gives what of it is new.
    pub(crate) fn take(
        &mut self,
        segment: &Segment,
        start: i64,
        at: PacketRef,
        wire_segments: u32,
        sent: bool,
    ) -> Novelty {
        self.first_at.get_or_insert(at.at);
        self.last = Some(at);
        self.wire_segments += u64::from(wire_segments);
        if segment.flags.has(TcpFlags::RST) {
            return Novelty::NOTHING;
        }
        self.note_header(segment, at, wire_segments, sent);
        let end = start + i64::from(segment.seq_len());
        if end == start || self.is_probe(segment, end) {
            return Novelty::NOTHING;
        }
        if segment.first_fragment {
            self.unseen.note_fragment(end);
        }
        let fresh = self.seen.fresh(start, end);
        let repeats = fresh.is_none() || self.highest_end.is_some_and(|highest| start < highest);
        let new = self.seen.insert(start, end);
        if repeats {
            self.retransmitted += u64::from(wire_segments);
            let acknowledged = self.acked.is_some_and(|acked| acked >= end);
            self.unseen.note_again(Again {
                start,
                end,
                at: at.at,
                fresh: fresh.filter(|(from, to)| to - from == new),
                tail: self.highest_end.is_none_or(|highest| end >= highest),
                acknowledged_for: acknowledged.then(|| at.at - self.acked_at),
            });
        }
        let overhead = end - start - i64::from(segment.payload_len);
        self.payload_bytes += u64::try_from(new - overhead.min(new)).unwrap_or(0);
        self.highest_end = Some(self.highest_end.map_or(end, |highest| highest.max(end)));
        Novelty { repeats, fresh }
    }

    fn note_header(&mut self, segment: &Segment, at: PacketRef, wire_segments: u32, sent: bool) {
        self.ttl = Some(segment.ip.ttl);
        self.last_ip_id = segment.ip.id;
        if segment.flags.has(TcpFlags::SYN) {
            self.isn = Some(segment.seq);
            self.syn_ttl = Some(segment.ip.ttl);
            self.mss = segment.options.mss;
            self.syn_tsval = segment.options.timestamps.map(|(value, _)| value);
            self.syn_scale = (!segment.header_truncated).then_some(segment.options.window_scale);
        }
        if segment.flags.has(TcpFlags::FIN) && self.fin.is_none() {
            self.fin = Some(at);
        }
        if let Some((value, _)) = segment.options.timestamps {
            self.unseen.note_stamp(value, at.at);
        }
        if let (Some(id), true) = (segment.ip.id, sent) {
            self.unseen.note_id(id, wire_segments, at.at);
        }
    }

    /// Whether `segment`, which ends at `end`, is a keep-alive or a window probe: one octet that was acknowledged long
    /// ago (RFC 9293 §3.8.4). It is sent again on purpose.
    fn is_probe(&self, segment: &Segment, end: i64) -> bool {
        segment.seq_len() == 1
            && segment.payload_len == 1
            && self.highest_end == Some(end)
            && self.acked.is_some_and(|acked| acked >= end)
    }

    /// Takes in the acknowledgement that `segment`, a packet of the other direction, carries for this one; `received`
    /// tells whether the host of this capture point is the one that acknowledges.
    pub(crate) fn take_ack(&mut self, segment: &Segment, at: i64, received: bool) {
        if !segment.flags.has(TcpFlags::ACK) || segment.flags.has(TcpFlags::RST) {
            return;
        }
        let ack = match self.peek(segment.ack) {
            Some(ack) => ack,
            None => self.offset(segment.ack),
        };
        if self.seen.is_empty() {
            self.seen.raise(ack);
        }
        self.prove_seen(i64::MIN, ack, at);
        if self.acked.is_none_or(|acked| acked < ack) {
            (self.acked, self.acked_at) = (Some(ack), at);
        }
        if let Some((_, echo)) = segment.options.timestamps {
            self.unseen.take_echo(echo);
        }
        self.take_sack(segment, ack, at, received);
    }

    fn take_sack(&mut self, segment: &Segment, ack: i64, at: i64, received: bool) {
        let blocks = segment.options.sack.as_slice();
        for (place, &(left, right)) in blocks.iter().enumerate() {
            let (Some(left), Some(right)) = (self.peek(left), self.peek(right)) else { continue };
            let around = blocks.get(1).and_then(|&(left, right)| self.peek(left).zip(self.peek(right)));
            let within = around.is_some_and(|(from, to)| from <= left && right <= to);
            if left >= right {
                continue;
            }
            // The first block reports what came twice if it lies below the acknowledgement or in the second block
            // (RFC 2883 §4).
            if place == 0 && (right <= ack || within) {
                if received {
                    self.unseen.take_duplicate_sack(left, right, at);
                } else {
                    self.unseen.note_duplicate_sack(left, right);
                }
            }
            // Of octets beyond all that was seen nothing is believed but the cumulative acknowledgement: a device that
            // shifts sequence numbers may forget these.
            if left >= ack && self.highest_end.is_some_and(|highest| right <= highest) {
                self.prove_seen(left, right, at);
            }
        }
    }

    /// Whether what this capture lacks at `at` may have passed before it began.
    fn is_warming_up(&self, at: i64) -> bool {
        self.isn.is_none() && self.first_at.is_none_or(|first| at - first < WARM_UP_NS)
    }

    /// An acknowledgement seen at `at` proves that `[start, end)` was received: whatever of it is not in the
    /// capture, the capture missed (Zeek calls it an ACK gap, Wireshark an unseen segment that was acknowledged).
    fn prove_seen(&mut self, start: i64, end: i64, at: i64) {
        if self.seen.contains(start, end) {
            return;
        }
        if self.highest_end.is_some_and(|highest| end - highest > MAX_UNSEEN) {
            return;
        }
        let excused = self.is_warming_up(at);
        let gaps: Vec<_> = self.seen.gaps(start, end).collect();
        for (start, end) in gaps {
            let counted = !excused && !self.unseen.is_in_fragments(start, end);
            self.seen.insert(start, end);
            self.unseen.add(Missed { start, end, by: at, counted });
        }
    }
}
