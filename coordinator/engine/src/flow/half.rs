//! One direction of a flow at one capture point.

use super::seen::Seen;
use crate::connection::PacketRef;
use correlate_proto::{Segment, SeqNum, TcpFlags, Unwrapper};

/// How many ranges proven to be missing from a capture are remembered per direction; beyond it the oldest are
/// merged into one with their successor, which keeps their octets excused.
const MAX_MISSED: usize = 512;

/// How long after its first packet a flow that was already open when the capture began may acknowledge octets
/// that arrived before the capture did, without that telling against the capture. Two round trips of any
/// earthly path.
const WARM_UP_NS: i64 = 500_000_000;

/// Octets that an acknowledgement proves to have passed this capture point though the capture lacks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// When the acknowledgement was seen, by this point's clock.
    pub(crate) acked_at: i64,
}

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
    pub(crate) missed: Vec<Missed>,
    /// Packets proven to be missing from this capture.
    pub(crate) missed_ranges: u64,
    /// Highest octet acknowledged by the other direction, as seen here.
    pub(crate) acked: Option<i64>,
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

    /// Takes in a packet of this direction; `start` is its offset. Gives whether it repeats
    /// octets sent before, and whether it has none that is new.
    pub(crate) fn take(
        &mut self,
        segment: &Segment,
        start: i64,
        at: PacketRef,
        wire_segments: u32,
    ) -> (bool, bool) {
        let end = start + i64::from(segment.seq_len());
        self.first_at.get_or_insert(at.at);
        self.last = Some(at);
        self.wire_segments += u64::from(wire_segments);
        if segment.flags.has(TcpFlags::RST) {
            return (false, false);
        }
        self.ttl = Some(segment.ip.ttl);
        self.last_ip_id = segment.ip.id;
        if segment.flags.has(TcpFlags::SYN) {
            self.isn = Some(segment.seq);
            self.syn_ttl = Some(segment.ip.ttl);
            self.mss = segment.options.mss;
            self.syn_tsval = segment.options.timestamps.map(|(value, _)| value);
        }
        if segment.flags.has(TcpFlags::FIN) && self.fin.is_none() {
            self.fin = Some(at);
        }
        let repeats = end > start && self.highest_end.is_some_and(|highest| start < highest);
        if repeats {
            self.retransmitted += u64::from(wire_segments);
        }
        let mut known = false;
        if end > start {
            let overhead = end - start - i64::from(segment.payload_len);
            let new = self.seen.insert(start, end);
            known = new == 0;
            self.payload_bytes += u64::try_from(new - overhead.min(new)).unwrap_or(0);
            self.highest_end = Some(self.highest_end.map_or(end, |highest| highest.max(end)));
        }
        (repeats, known)
    }

    /// Takes in the acknowledgement that `segment`, a packet of the other direction, carries for this one.
    pub(crate) fn take_ack(&mut self, segment: &Segment, at: i64) {
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
            self.acked = Some(ack);
        }
        for &(left, right) in segment.options.sack.as_slice() {
            if let (Some(left), Some(right)) = (self.peek(left), self.peek(right))
                && left < right
                && left >= ack
            {
                self.prove_seen(left, right, at);
            }
        }
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
        let excused = self.isn.is_none() && self.first_at.is_none_or(|first| at - first < WARM_UP_NS);
        let gaps: Vec<_> = self.seen.gaps(start, end).collect();
        for (from, to) in gaps {
            self.seen.insert(from, to);
            self.missed_ranges += u64::from(!excused);
            self.note_missed(Missed { start: from, end: to, acked_at: at });
        }
    }

    fn note_missed(&mut self, missed: Missed) {
        if self.missed.len() >= MAX_MISSED {
            let oldest = self.missed.remove(0);
            if let Some(next) = self.missed.first_mut() {
                next.start = next.start.min(oldest.start);
                next.end = next.end.max(oldest.end);
            }
        }
        self.missed.push(missed);
    }

    /// The missed range that overlaps `[start, end)`, if there is one.
    pub(crate) fn missed_overlap(&self, start: i64, end: i64) -> Option<Missed> {
        self.missed.iter().copied().find(|missed| missed.start < end && start < missed.end)
    }
}
