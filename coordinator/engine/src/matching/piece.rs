//! Virtual wire segments: what a captured packet was, or will be, on the wire.

use super::PayloadSum;
use correlate_proto::{Segment, TcpFlags};

/// No card or kernel makes a super-packet of more wire segments (BIG TCP: 512 KiB of 536 octets are a thousand). One
/// that claims more is damaged and stays whole.
const MAX_PIECES: u32 = 4096;

/// Where no SYN told the segment size, a larger IP packet may have been merged, or not cut yet: the largest that
/// crosses an Ethernet whole. Cards leave all kinds of values in the checksums of what they make.
const MAX_SINGLE_IP_LEN: u32 = 1500;

/// What a wire segment is for. Kinds are never matched with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Syn,
    SynAck,
    /// Payload, or a FIN.
    Data,
    /// No octet of sequence space: acknowledgements, window updates, keep-alives.
    Ack,
    Rst,
}

/// One wire segment as one capture point saw it. A super-packet (TSO, GRO) is several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Offset of its first octet, in the sender's numbering.
    pub(crate) start: i64,
    /// Octets of sequence space: payload, SYN and FIN.
    pub(crate) len: u32,
    pub(crate) kind: Kind,
    /// Sent, or received, again: lower octets of the direction had been seen before it.
    pub(crate) repeats: bool,
    /// Of the wire segments it stands for, those of which each octet had been seen before it. None of a probe.
    pub(crate) stale: u32,
    /// Capture time by the capture point's own clock.
    pub(crate) at: i64,
    /// That time is not certain, as the host's clock was set just then: it teaches no clock anything.
    pub(crate) doubtful: bool,
    /// Packet number in that capture.
    pub(crate) packet: u64,
    /// Place in the order of the direction at that capture point.
    pub(crate) serial: u64,
    pub(crate) tsval: Option<u32>,
    /// IPv4 identification, counted on within a super-packet.
    pub(crate) ip_id: Option<u16>,
    /// Of a segment without octets: its acknowledgement number.
    pub(crate) ack: u32,
    /// Of the same, and of resets: what else tells it from others.
    pub(crate) mark: u32,
    /// Octets of its IP packet, as captured.
    pub(crate) ip_len: u32,
    /// Octets of the largest IP packet that it was on the wire, as far as is known: a super-packet is none.
    pub(crate) largest_ip_len: u32,
    /// Wire segments it stands for: more than one only where a super-packet's cut is unknown.
    pub(crate) wire: u32,
    /// Octets of payload of each of them but the last; 0 if it is not known.
    pub(crate) size: u16,
    /// Its octets are not all of the packet's: the rest follows in IP fragments without a TCP header.
    pub(crate) fragment: bool,
    /// DSCP and ECN.
    pub(crate) tos: u8,
    /// Sum of its payload, where the capture tells it of these octets alone.
    pub(crate) sum: Option<PayloadSum>,
}

impl Piece {
    /// Offset behind its last octet.
    pub(crate) const fn end(&self) -> i64 {
        self.start + self.len as i64
    }

    /// Whether each of its octets had been seen before it.
    pub(crate) const fn known(&self) -> bool {
        self.stale > 0 && self.stale == self.wire
    }

    /// Whether it and `other` are parts of one wire segment, which a device on the way cut in several.
    pub(crate) fn is_of_the_same_segment(&self, other: &Self) -> bool {
        let apart = self.start.abs_diff(other.start);
        self.packet == other.packet && self.at == other.at && (self.size == 0 || apart < u64::from(self.size))
    }

    /// The piece without what tells its packet from others of the same octets.
    pub(super) const fn without_marks(self) -> Self {
        Self { tsval: None, ip_id: None, ..self }
    }
}

/// What of a packet its capture point had not seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Novelty {
    /// Lower octets of the direction had been seen before it.
    pub(crate) repeats: bool,
    /// From the first to behind the last octet that is new; `None` if none is.
    pub(crate) fresh: Option<(i64, i64)>,
}

impl Novelty {
    /// Of a packet that carries no octet, or none that matters.
    pub(crate) const NOTHING: Self = Self { repeats: false, fresh: None };

    /// Whether the part `[start, end)` brought nothing new.
    const fn knows(self, start: i64, end: i64) -> bool {
        match self.fresh {
            None => self.repeats,
            Some((from, to)) => end <= from || to <= start,
        }
    }

    /// How many of the `wire` segments of `size` octets each, from `start` on, brought nothing new. What lies between two
    /// new parts counts as new.
    fn stale(self, start: i64, wire: u32, size: u32) -> u32 {
        let size = i64::from(size.max(1));
        let whole = |octets: i64| u32::try_from(octets.max(0) / size).unwrap_or(0).min(wire);
        match (self.repeats, self.fresh) {
            (false, _) => 0,
            (true, None) => wire,
            // A new FIN goes with the last segment, however full that is.
            (true, Some((from, to))) => {
                whole(from - start).min(wire.saturating_sub(1)) + wire - whole(to - start + size - 1)
            }
        }
    }

    /// The same with every offset moved by `shift`.
    pub(crate) fn shifted(self, shift: i64) -> Self {
        Self { fresh: self.fresh.map(|(from, to)| (from + shift, to + shift)), ..self }
    }
}

/// Cuts a captured packet into wire segments and hands each to `each`. Where the segment size of a super-packet
/// is unknown it stays whole, and matching cuts it at the borders that the other end shows.
///
/// Linux counts the IP ID on by one for each wire segment of a super-packet and repeats timestamps and
/// acknowledgement in each (Documentation/networking/segmentation-offloads.rst).
pub(crate) fn cut(
    segment: &Segment,
    start: i64,
    at: i64,
    novelty: Novelty,
    mss: Option<u32>,
    mut each: impl FnMut(Piece),
) {
    let kind = kind_of(segment);
    let len = segment.seq_len();
    let whole = Piece {
        start,
        len,
        kind,
        repeats: novelty.repeats,
        stale: 0,
        at,
        doubtful: false,
        packet: segment.packet,
        serial: 0,
        tsval: segment.options.timestamps.map(|(value, _)| value),
        ip_id: segment.ip.id,
        ack: if kind == Kind::Ack { segment.ack.0 } else { 0 },
        mark: match kind {
            Kind::Ack => mark(segment),
            // One that answers is another than one that breaks off.
            Kind::Rst => u32::from(segment.flags.has(TcpFlags::ACK)),
            Kind::Syn | Kind::SynAck | Kind::Data => 0,
        },
        ip_len: segment.ip.len,
        largest_ip_len: segment.ip.len,
        wire: 1,
        size: 0,
        fragment: segment.first_fragment,
        tos: segment.ip.tos,
        sum: None,
    };
    let payload = segment.payload_len;
    let headers = segment.ip.len.saturating_sub(payload);
    match segment.gso_size.map(|size| u32::from(size.get())) {
        Some(size) if payload > size && payload.div_ceil(size) <= MAX_PIECES => {
            let mut done = 0;
            let mut index: u16 = 0;
            while done < payload {
                let octets = size.min(payload - done);
                let last = done + octets == payload;
                let from = start + i64::from(done);
                let share = if last { len - done } else { octets };
                each(Piece {
                    start: from,
                    len: share,
                    stale: u32::from(novelty.knows(from, from + i64::from(share))),
                    ip_id: segment.ip.id.map(|id| id.wrapping_add(index)),
                    ip_len: headers + octets,
                    largest_ip_len: headers + octets,
                    size: sixteen(size),
                    ..whole
                });
                done += octets;
                index = index.wrapping_add(1);
            }
        }
        Some(size) => {
            let wire = wire_segments(payload, Some(size));
            let largest_ip_len = headers + payload.min(size);
            let stale = novelty.stale(start, wire, size);
            each(Piece { wire, size: sixteen(size), stale, largest_ip_len, ..whole });
        }
        None => {
            let wire = wire_segments(payload, mss);
            let single = wire == 1 && (mss.is_some() || segment.ip.len <= MAX_SINGLE_IP_LEN);
            let sum = segment.payload_sum.filter(|_| single && !segment.first_fragment);
            let stale = novelty.stale(start, wire, mss.unwrap_or(len));
            let size = mss.map_or(0, sixteen);
            let most = mss.map_or(MAX_SINGLE_IP_LEN, |mss| headers + mss);
            let largest_ip_len = if single { segment.ip.len } else { most };
            each(Piece { wire, size, stale, largest_ip_len, sum: sum.map(PayloadSum::new), ..whole });
        }
    }
}

/// How many wire segments a packet with `payload` octets is, given the largest segment that the connection
/// agreed on.
pub(crate) fn wire_segments(payload: u32, mss: Option<u32>) -> u32 {
    match mss {
        Some(mss) if mss > 0 && payload > mss => payload.div_ceil(mss),
        _ => 1,
    }
}

/// A segment size; those beyond what an IP datagram holds are damage.
fn sixteen(size: u32) -> u16 {
    u16::try_from(size).unwrap_or(u16::MAX)
}

fn kind_of(segment: &Segment) -> Kind {
    if segment.flags.has(TcpFlags::RST) {
        Kind::Rst
    } else if segment.flags.is_syn() {
        Kind::Syn
    } else if segment.flags.is_syn_ack() {
        Kind::SynAck
    } else if segment.seq_len() > 0 {
        Kind::Data
    } else {
        Kind::Ack
    }
}

/// A mixture of what distinguishes acknowledgements of one number (FNV-1a over words): the window, and the shape of
/// the SACK blocks. Not where these lie, as a device that shifts sequence numbers may forget them; nor the echoed
/// timestamp, which a device may shift, and which says no more than the acknowledgement does.
fn mark(segment: &Segment) -> u32 {
    let mut mixture: u32 = 0x811c_9dc5;
    let mut mix = |word: u32| mixture = (mixture ^ word).wrapping_mul(0x0100_0193).rotate_left(5);
    mix(u32::from(segment.window));
    let blocks = segment.options.sack.as_slice();
    let Some(&(origin, _)) = blocks.first() else { return mixture };
    for &(left, right) in blocks {
        mix(left.0.wrapping_sub(origin.0));
        mix(right.0.wrapping_sub(left.0));
    }
    mixture
}

#[cfg(test)]
impl Piece {
    /// A segment of a hundred octets for tests, captured at `at`.
    pub(crate) fn sample(kind: Kind, at: i64) -> Self {
        Self {
            start: 0,
            len: 100,
            kind,
            repeats: false,
            stale: 0,
            at,
            doubtful: false,
            packet: 1,
            serial: 1,
            tsval: Some(7),
            ip_id: Some(5),
            ack: 0,
            mark: 0,
            ip_len: 1500,
            largest_ip_len: 1500,
            wire: 1,
            size: 0,
            fragment: false,
            tos: 0,
            sum: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_that_bring_nothing_new_are_counted_around_what_is() {
        let stale = |repeats, fresh, wire| Novelty { repeats, fresh }.stale(100, wire, 10);
        assert_eq!(stale(false, Some((100, 130)), 3), 0);
        assert_eq!(stale(true, None, 3), 3);
        assert_eq!(stale(true, Some((110, 120)), 3), 2);
        assert_eq!(stale(true, Some((115, 116)), 3), 2);
        assert_eq!(stale(true, Some((115, 125)), 3), 1);
        assert_eq!(stale(true, Some((100, 130)), 3), 0);
        assert_eq!(
            [1, 3].map(|wire| stale(
                true,
                Some((100 + i64::from(wire) * 10, 101 + i64::from(wire) * 10)),
                wire
            )),
            [0, 2],
            "a FIN"
        );
    }
}
