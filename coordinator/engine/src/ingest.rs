//! Taking in one record: its flow, its place in the sequence space, its matches.

use crate::connection::{
    Connection, HandshakeLog, IcmpSeen, Offer, PacketRef, Remembered, RstSeen, SentState, segment_size,
};
use crate::delay::{Before, Place};
use crate::flow::{Flow, FlowPair};
use crate::matching::{Kind, Match, Novelty, Piece, cut, wire_segments};
use crate::session::{Session, clock_of};
use crate::sink::{Copies, MatchSink, Trace};
use correlate_proto::{Direction, IcmpError, Record, Segment, TcpFlags};

/// How many pieces of a connection that only one end has seen wait for the other end. Pairing needs none of
/// them; they wait so that the first packets are matched when the other end turns out to lag.
pub(crate) const MAX_WAITING_UNPAIRED: usize = 1024;

/// Resets of one direction that are remembered at each end, so that a storm of one kind leaves room for the others.
const MAX_RESETS_EACH_WAY: usize = 4;

impl Session {
    /// Takes in one record of `point`.
    pub(crate) fn take(&mut self, point: usize, record: &Record) {
        self.records += 1;
        let at = record.at().as_ns();
        let state = &mut self.points[point];
        state.records += 1;
        state.span = Some(state.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        match record {
            Record::Segment(segment) => self.take_segment(point, segment),
            Record::IcmpError(error) => self.take_icmp(point, error),
        }
    }

    fn take_icmp(&mut self, point: usize, error: &IcmpError) {
        let (pair, src_is_low) = FlowPair::of(&error.quoted);
        let position = self.points[point].position;
        let found = self.maps[point].find(&pair).and_then(|index| self.connections[index as usize].as_mut());
        let Some(connection) = found else { return };
        let Some(flow) = connection.flows[position].as_ref() else { return };
        let quoted = flow.direction_of(usize::from(!src_is_low));
        let packet = PacketRef::of_icmp(point, error);
        connection.icmp.push(IcmpSeen { position, packet, quoted, error: *error });
    }

    fn take_segment(&mut self, point: usize, segment: &Segment) {
        if self.points[point].sightings.is_repeat(segment) {
            return;
        }
        let Some((index, src_half)) = self.connection_of(point, segment) else {
            self.no_room += 1;
            return;
        };
        let position = self.points[point].position;
        let Some(connection) = self.connections[index as usize].as_deref_mut() else { return };
        if !connection.listed {
            connection.listed = true;
            self.unsettled.insert(index);
        }
        if self.config.announce {
            self.news.watch(index);
        }
        let Some(flow) = connection.flows[position].as_mut() else { return };
        let direction = flow.direction_of(src_half);
        let before = Before::of(&flow.halves[src_half]);
        let missed_before = flow.halves[1 - src_half].unseen.count;
        let end = End { position, last: self.path_len - 1 };
        let (start, novelty) = advance_flow(
            flow,
            src_half,
            end,
            segment,
            &mut connection.handshake[position],
            &mut connection.resets,
        );
        let mss = segment_size(flow, segment);
        let packet = PacketRef::of(point, segment);
        flow.note_silence(packet, src_half, novelty.repeats && segment.payload_len > 1);
        flow.last = packet;
        let missed = flow.halves[1 - src_half].unseen.count;
        let state = &mut self.points[point];
        state.missed += missed - missed_before;
        if segment.payload_len > 0 {
            state.verifiable += u64::from(wire_segments(segment.payload_len, mss));
        }
        connection.watch(position, direction, segment, start, before);
        let doubtful = self.points[point].is_doubtful(segment.packet);
        let packet = Entering { point, direction, start, novelty, mss, doubtful };
        for hop in hops_of(connection.flows.len(), position) {
            self.enter_hop(index, hop, &packet, segment);
        }
    }

    /// Matches a packet that takes part in `hop`.
    fn enter_hop(&mut self, index: u32, hop: usize, packet: &Entering, segment: &Segment) {
        let Some(connection) = self.connections[index as usize].as_deref_mut() else { return };
        let (direction, paired) = (packet.direction, connection.is_paired());
        align_hop(connection, hop, direction);
        let is_downstream = self.points[packet.point].position > hop;
        let both = connection.flows[hop].as_ref().zip(connection.flows[hop + 1].as_ref());
        let state = &mut connection.hops[hop];
        let offset = state.shifts[direction.index()].unwrap_or(0);
        let shift = if is_downstream { offset } else { 0 };
        let points = both.map(|(up, down)| [up.point, down.point]);
        let ids = points.map(|points| points.map(|point| self.points[point].info.id));
        let (start, novelty) = (packet.start + shift, packet.novelty.shifted(shift));
        let fin = i64::from(segment.flags.has(TcpFlags::FIN));
        let place = Place {
            direction,
            payload_end: start + i64::from(segment.seq_len()) - fin,
            sender_shift: if direction == Direction::ServerToClient { offset } else { 0 },
        };
        let mut sink = MatchSink {
            delays: connection.delays.as_deref_mut().map(|delays| (delays, place)),
            clock: points.map(|[up, down]| clock_of(&mut self.clocks, &self.points, up, down)),
            copies: both.map(|(up, down)| Copies::new(up, down, direction, offset)),
            direction,
            points: points.unwrap_or([packet.point; 2]),
            changes: &mut state.changes[direction.index()],
            special: None,
            traced: ids
                .filter(|_| self.config.trace_fates)
                .map(|ids| Trace::new(&mut self.fates, ids, direction)),
        };
        let (lane, tally) = (&mut state.lanes[direction.index()], &mut state.tallies[direction.index()]);
        let sends = (direction == Direction::ClientToServer) != is_downstream;
        let side = if sends { &mut lane.sent } else { &mut lane.received };
        if !paired && side.len() >= MAX_WAITING_UNPAIRED {
            side.give_up(1);
            return;
        }
        let twins = &mut self.points[packet.point].twins;
        cut(segment, start, segment.at.as_ns(), novelty, packet.mss, |piece: Piece| {
            let piece = Piece { doubtful: packet.doubtful, ..piece };
            if sends {
                lane.send(piece, |found: Match| sink.take(&found, tally));
                return;
            }
            let twin = twins.note(index, &piece);
            lane.receive(piece, |found: Match| sink.take(&found, tally));
            if twin {
                tally.note_twin(lane.received.last_number());
            }
        });
        match sink.special {
            Some((Kind::Rst, sent, received)) => mark_reset(connection, direction, sent, received),
            Some((_, sent, received)) => compare_offers(connection, hop, direction, sent, received),
            None => {}
        }
    }
}

/// A packet that its flow has taken in.
struct Entering {
    point: usize,
    direction: Direction,
    start: i64,
    novelty: Novelty,
    mss: Option<u32>,
    /// When it was captured is not certain.
    doubtful: bool,
}

/// Where on the path a packet is captured.
#[derive(Debug, Clone, Copy)]
struct End {
    position: usize,
    /// The server's end.
    last: usize,
}

impl End {
    /// Whether the host of this end sends what travels in `direction`.
    const fn sends(self, direction: Direction) -> bool {
        match direction {
            Direction::ClientToServer => self.position == 0,
            Direction::ServerToClient => self.position == self.last,
        }
    }
}

/// Enters a packet in its flow: sequence space, acknowledgement, handshake and resets. Gives its offset and
/// what of it is new.
fn advance_flow(
    flow: &mut Flow,
    src_half: usize,
    end: End,
    segment: &Segment,
    log: &mut HandshakeLog,
    resets: &mut Remembered<RstSeen>,
) -> (i64, Novelty) {
    let at = PacketRef::of(flow.point, segment);
    let direction = flow.direction_of(src_half);
    let (position, sent) = (end.position, end.sends(direction));
    if segment.flags.has(TcpFlags::RST) {
        let start = flow.halves[src_half].peek(segment.seq);
        let seen = describe_reset(flow, src_half, position, segment, direction);
        let like = |other: &&RstSeen| other.position == position && other.direction == direction;
        if resets.iter().filter(like).count() < MAX_RESETS_EACH_WAY {
            resets.push(seen);
        }
        if flow.opener == Some(src_half) && log.syn_ack.count() > 0 && log.ack.is_none() {
            log.rejected = true;
        }
        let start = start.unwrap_or_else(|| i64::from(segment.seq.0));
        let novelty = flow.halves[src_half].take(segment, start, at, 1, sent);
        return (start, novelty);
    }
    if flow.opener.is_none() {
        if segment.flags.is_syn() {
            flow.opener = Some(src_half);
        } else if segment.flags.is_syn_ack() {
            flow.opener = Some(1 - src_half);
        }
    }
    log_handshake(flow, src_half, segment, at, log);
    let wire = segment.gso_size.map_or_else(
        || wire_segments(segment.payload_len, segment_size(flow, segment)),
        |size| segment.payload_len.div_ceil(u32::from(size.get())).max(1),
    );
    let start = flow.halves[src_half].offset(segment.seq);
    flow.note_arrival(src_half, segment, start);
    let novelty = flow.halves[src_half].take(segment, start, at, wire, sent);
    // Whoever sends this packet receives the other direction.
    flow.halves[1 - src_half].take_ack(segment, segment.at.as_ns(), sent);
    flow.hear_window(src_half, segment);
    (start, novelty)
}

fn log_handshake(flow: &Flow, src_half: usize, segment: &Segment, at: PacketRef, log: &mut HandshakeLog) {
    if segment.flags.has(TcpFlags::SYN) {
        log.offers.push(Offer::of(at, segment));
    }
    if segment.flags.is_syn() {
        log.syn.push(at);
        log.last_syn = Some(at);
    } else if segment.flags.is_syn_ack() {
        log.syn_ack.push(at);
        log.last_syn_ack = Some(at);
    } else if log.ack.is_none() && flow.opener == Some(src_half) && segment.flags.has(TcpFlags::ACK) {
        let answers = flow.halves[1 - src_half].isn.is_none_or(|isn| segment.ack.since(isn) > 0);
        if answers {
            log.ack = Some(at);
        }
    }
}

fn describe_reset(
    flow: &Flow,
    src_half: usize,
    position: usize,
    segment: &Segment,
    direction: Direction,
) -> RstSeen {
    let (own, peer) = (&flow.halves[src_half], &flow.halves[1 - src_half]);
    let answers_syn = flow.opener == Some(1 - src_half) && own.highest_end.is_none();
    let connection_has_stamps = own.syn_tsval.is_some() && peer.syn_tsval.is_some();
    RstSeen {
        position,
        direction,
        packet: PacketRef::of(flow.point, segment),
        state: SentState::Open,
        ttl: segment.ip.ttl,
        usual_ttl: own.ttl,
        idle_ns: segment.at.as_ns().saturating_sub(flow.last.at),
        answers_syn,
        id_continues: continues(own.last_ip_id, segment.ip.id),
        timestamps_fit: segment.options.timestamps.is_some() || !connection_has_stamps,
        seq_fits: own.highest_end.is_none_or(|end| own.peek(segment.seq) == Some(end)),
        after_close: own.fin.is_some() && peer.fin.is_some(),
    }
}

/// How far a stack's IPv4 identification may have gone on between two packets of a connection that were captured.
const ID_REACH: u16 = 16;

/// Whether `id` goes on from `last`, as the counter of a connection does (Linux counts by one for each segment).
fn continues(last: Option<u16>, id: Option<u16>) -> bool {
    matches!((last, id), (Some(last), Some(id)) if id != 0 && (1..=ID_REACH).contains(&id.wrapping_sub(last)))
}

fn mark_reset(connection: &mut Connection, direction: Direction, sent: u64, received: u64) {
    let sender = connection.sender_position(direction);
    for reset in connection.resets.iter_mut().filter(|reset| reset.direction == direction) {
        let packet = if reset.position == sender { sent } else { received };
        if reset.packet.packet == packet {
            reset.state = SentState::Matched;
        }
    }
}

/// Notes a SYN or SYN-ACK that arrived with other terms than it was sent with.
fn compare_offers(connection: &mut Connection, hop: usize, direction: Direction, sent: u64, received: u64) {
    let (up, down) = (&connection.handshake[hop].offers, &connection.handshake[hop + 1].offers);
    let (from, to) = match direction {
        Direction::ClientToServer => (up, down),
        Direction::ServerToClient => (down, up),
    };
    if let (Some(before), Some(after)) = (from.numbered(sent), to.numbered(received))
        && before.terms != after.terms
    {
        connection.hops[hop].changes[direction.index()].note_opening(sent, received);
    }
}

/// The hops that a capture point at `position` of a path of `positions` takes part in.
fn hops_of(positions: usize, position: usize) -> impl Iterator<Item = usize> {
    let before = position.checked_sub(1);
    let behind = (position + 1 < positions).then_some(position);
    before.into_iter().chain(behind)
}

/// Finds out by how much the two ends of a hop number octets differently, once both have seen the direction.
fn align_hop(connection: &mut Connection, hop: usize, direction: Direction) {
    if connection.hops[hop].shifts[direction.index()].is_some() {
        return;
    }
    let (Some(up), Some(down)) = (&connection.flows[hop], &connection.flows[hop + 1]) else { return };
    let (up, down) = (up.half(direction), down.half(direction));
    // Both count from the sequence number itself, so they differ by whole turns of the number space.
    let Some((here, seq)) = down.origin() else { return };
    let Some(there) = up.peek(seq) else { return };
    let shift = there - here;
    let state = &mut connection.hops[hop];
    state.shifts[direction.index()] = Some(shift);
    let lane = &mut state.lanes[direction.index()];
    match direction {
        Direction::ClientToServer => lane.received.shift(shift),
        Direction::ServerToClient => lane.sent.shift(shift),
    }
}
