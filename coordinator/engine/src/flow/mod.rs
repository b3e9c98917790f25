//! Flows: connections as one capture point sees them.

mod half;
mod key;
mod seen;
mod stall;
mod unseen;
mod window;

pub(crate) use half::Half;
pub(crate) use key::{FlowMap, FlowPair};
pub(crate) use seen::Seen;
pub(crate) use stall::Stall;
pub(crate) use unseen::Unseen;

use crate::connection::PacketRef;
use correlate_proto::{Direction, Endpoint, FourTuple, Heard, Role, Segment, SeqNum, TcpFlags};
use window::{Arrival, Told};

/// A connection as one capture point sees it: one incarnation of one four-tuple.
#[derive(Debug)]
pub(crate) struct Flow {
    /// The capture point, as an index.
    pub(crate) point: usize,
    /// The four-tuple in its canonical order.
    pub(crate) pair: FlowPair,
    /// Which half travels from the client host to the server host; the other one travels back.
    pub(crate) client_half: usize,
    /// The capture itself told which host sends which half.
    pub(crate) orientation_known: bool,
    /// The two directions: 0 is sent by `pair.low`.
    pub(crate) halves: [Half; 2],
    /// The half that opened the connection with a SYN, if the SYN was seen.
    pub(crate) opener: Option<usize>,
    /// The opening half and its initial sequence number, as the first packet told.
    pub(crate) opening: Option<(usize, SeqNum)>,
    /// First packet.
    pub(crate) first: PacketRef,
    /// Last packet.
    pub(crate) last: PacketRef,
    /// Packets that ended a silence, the newest ones.
    pub(crate) wakes: Vec<Wake>,
}

/// A packet that ended a silence of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wake {
    pub(crate) packet: PacketRef,
    /// How long nothing had been seen, in either direction.
    pub(crate) idle_ns: i64,
    /// The half that it travels in.
    pub(crate) half: usize,
}

/// A connection that nothing was seen of for this long was silent. Retransmission timeouts come to it after three or
/// four attempts, so packets that repeat data end no silence.
const SILENT_NS: i64 = 1_000_000_000;

/// How many ends of silences are remembered; the oldest goes. A connection that dies after one sends at most nine
/// keep-alives that look like more (`tcp_keepalive_probes`).
const MAX_WAKES: usize = 16;

impl Flow {
    /// A flow that begins with `segment` at `point`.
    pub(crate) fn new(point: usize, pair: FlowPair, segment: &Segment) -> Self {
        let at = PacketRef::of(point, segment);
        Self {
            point,
            pair,
            client_half: 0,
            orientation_known: false,
            halves: [Half::default(), Half::default()],
            opener: None,
            opening: None,
            first: at,
            last: at,
            wakes: Vec::new(),
        }
    }

    /// Notes whether the packet at `at`, of `half`, ends a silence. Called before it becomes the last one.
    pub(crate) fn note_silence(&mut self, at: PacketRef, half: usize, repeats_data: bool) {
        let idle_ns = at.at.saturating_sub(self.last.at);
        if idle_ns < SILENT_NS || repeats_data {
            return;
        }
        if self.wakes.len() >= MAX_WAKES {
            self.wakes.remove(0);
        }
        self.wakes.push(Wake { packet: at, idle_ns, half });
    }

    /// The half that travels in `direction`.
    pub(crate) fn half(&self, direction: Direction) -> &Half {
        &self.halves[self.half_index(direction)]
    }

    /// Index of the half that travels in `direction`.
    pub(crate) const fn half_index(&self, direction: Direction) -> usize {
        match direction {
            Direction::ClientToServer => self.client_half,
            Direction::ServerToClient => 1 - self.client_half,
        }
    }

    /// The direction that half `index` travels in.
    pub(crate) const fn direction_of(&self, index: usize) -> Direction {
        if index == self.client_half { Direction::ClientToServer } else { Direction::ServerToClient }
    }

    /// The client host's end as it appears here.
    pub(crate) const fn client(&self) -> Endpoint {
        if self.client_half == 0 { self.pair.low } else { self.pair.high }
    }

    /// The server host's end as it appears here.
    pub(crate) const fn server(&self) -> Endpoint {
        if self.client_half == 0 { self.pair.high } else { self.pair.low }
    }

    /// Takes in that `segment` of half `src_half`, which begins at `start`, came while the window may be closed.
    pub(crate) fn note_arrival(&mut self, src_half: usize, segment: &Segment, start: i64) {
        let half = &mut self.halves[src_half];
        if half.window.has_stalled() && segment.seq_len() == segment.payload_len {
            let (payload, highest, acked) = (segment.payload_len, half.highest_end, half.acked);
            half.window.arrive(Arrival { start, payload, highest, acked, at: segment.at.as_ns() });
        }
    }

    /// Takes in the window that `segment`, sent by half `src_half`, tells for the other direction. The window of a SYN
    /// is not scaled and comes before there is anything to be sent, and a RST has none (RFC 7323 §2.2).
    pub(crate) fn hear_window(&mut self, src_half: usize, segment: &Segment) {
        let flags = segment.flags;
        if !flags.has(TcpFlags::ACK) || flags.has(TcpFlags::SYN) || flags.has(TcpFlags::RST) {
            return;
        }
        let (from, to) = (&self.halves[src_half], &self.halves[1 - src_half]);
        // Scaling holds only if both SYNs had the option.
        let shift =
            from.syn_scale.zip(to.syn_scale).map(|(own, peer)| own.zip(peer).map_or(0, |(own, _)| own));
        let Some(ack) = to.peek(segment.ack) else { return };
        let packet = PacketRef::of(self.point, segment);
        let told = Told { ack, raw: segment.window, shift, mss: from.mss, packet };
        self.halves[1 - src_half].window.hear(told);
    }

    /// The direction of the SYN, if it was seen here.
    pub(crate) fn opened(&self) -> Option<Direction> {
        self.opener.map(|half| self.direction_of(half))
    }
}

/// Which half of `tuple`'s flow the client host sends, judged by the capture itself: the direction in which the
/// frame crossed the interface of a host of this `role`.
pub(crate) fn client_half_by_capture(role: Role, heard: Heard, src_is_low: bool) -> Option<usize> {
    let src_half = usize::from(!src_is_low);
    match (role, heard) {
        (Role::Client, Heard::Out) | (Role::Server, Heard::In) => Some(src_half),
        (Role::Client, Heard::In) | (Role::Server, Heard::Out) => Some(1 - src_half),
        (Role::Via, _) | (_, Heard::Unknown) => None,
    }
}

/// Which half the client host sends where nothing better is known: the sender of the SYN opens the connection
/// from the client host; without a SYN the higher port is taken for the client's.
pub(crate) fn client_half_by_custom(segment: &Segment, src_is_low: bool) -> usize {
    let FourTuple { src, dst } = segment.tuple;
    let src_is_client = if segment.flags.is_syn() {
        true
    } else if segment.flags.is_syn_ack() {
        false
    } else {
        src.port >= dst.port
    };
    usize::from(src_is_client != src_is_low)
}
