//! Taking in one record: its flow, its place in the sequence space, its matches.

use crate::connection::{
    Connection, HandshakeLog, IcmpSeen, Offer, PacketRef, Remembered, RstSeen, SentState, segment_size,
};
use crate::delay::Before;
use crate::fate::FateRecord;
use crate::flow::{Flow, FlowPair};
use crate::matching::{End, Kind, Novelty, Piece, cut, wire_segments};
use crate::numbering::{align, check_sack, downstream_end, turn};
use crate::point::Point;
use crate::session::{Clocks, Courses, Session};
use crate::sink::{MatchSink, Special};
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
        // The capture of a host may lack the packet that its error quotes.
        let index = self.maps[point].find(&pair).or_else(|| self.maps.iter().find_map(|map| map.find(&pair)));
        let found = index.and_then(|index| self.connections[index as usize].as_mut());
        let Some(connection) = found else { return };
        let Some(flow) = connection.seen_flows().find(|flow| flow.pair == pair) else { return };
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
        let station = Station { position, last: self.path_len - 1 };
        let (start, novelty) = advance_flow(
            flow,
            src_half,
            station,
            segment,
            &mut connection.handshake[position],
            &mut connection.resets,
        );
        let mss = segment_size(flow, segment);
        if novelty.repeats && !station.sends(direction) {
            self.points[point].sightings.note_retransmission(segment);
        }
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
        let direction = packet.direction;
        let fates = self.config.trace_fates.then_some(&mut self.fates);
        if align(connection, hop, direction) {
            offer_again(connection, hop, (&mut self.clocks, &mut self.courses), &self.points, fates);
        }
        let is_downstream = self.points[packet.point].position > hop;
        let end = if (direction == Direction::ClientToServer) == is_downstream {
            End::Receiver
        } else {
            End::Sender
        };
        if end == End::Receiver && !segment.options.sack.as_slice().is_empty() {
            check_sack(connection, hop, direction, PacketRef::of(packet.point, segment), segment);
        }
        let paired = connection.is_paired();
        let waiting = connection.hops[hop].lanes[direction.index()].side(end);
        if !paired && waiting.len() >= MAX_WAITING_UNPAIRED {
            waiting.forget(segment.at.as_ns());
            return;
        }
        let shifts = if is_downstream { connection.hops[hop].shifts } else { [None; 2] };
        let shift = shifts[direction.index()].unwrap_or(0);
        let acks = shifts[direction.reversed().index()].map_or(0, turn);
        let (start, novelty) = (packet.start + shift, packet.novelty.shifted(shift));
        let fates = self.config.trace_fates.then_some(&mut self.fates);
        let (lane, tally, mut sink) = MatchSink::of(
            connection,
            hop,
            direction,
            (&mut self.clocks, &mut self.courses),
            &self.points,
            fates,
        );
        let fin = i64::from(segment.flags.has(TcpFlags::FIN));
        sink.measure_up_to(start + i64::from(segment.seq_len()) - fin);
        let twins = &mut self.points[packet.point].twins;
        cut(segment, start, segment.at.as_ns(), novelty, packet.mss, |piece: Piece| {
            let ack = if piece.kind == Kind::Ack { piece.ack.wrapping_add(acks) } else { 0 };
            let piece = Piece { ack, doubtful: packet.doubtful, ..piece };
            let twin = end == End::Receiver && twins.note(index, &piece, (shift, acks));
            lane.take(end, piece, twin, |found| sink.take(&found, tally));
            if twin {
                tally.note_twin(lane.received.last_number());
            }
        });
        let special = sink.special;
        follow_up(connection, hop, direction, &special);
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
struct Station {
    position: usize,
    /// The server's end.
    last: usize,
}

impl Station {
    /// Whether the host of this end sends what travels in `direction`.
    const fn sends(self, direction: Direction) -> bool {
        match direction {
            Direction::ClientToServer => self.position == 0,
            Direction::ServerToClient => self.position == self.last,
        }
    }
}

/// Offers what waits at both ends of `hop` again, after it was renumbered.
pub(crate) fn offer_again(
    connection: &mut Connection,
    hop: usize,
    (clocks, courses): (&mut Clocks, &mut Courses),
    points: &[Point],
    mut fates: Option<&mut Vec<FateRecord>>,
) {
    for direction in Direction::BOTH {
        let fates = fates.as_deref_mut();
        let (lane, tally, mut sink) =
            MatchSink::of(connection, hop, direction, (&mut *clocks, &mut *courses), points, fates);
        lane.offer_again(downstream_end(direction), |found| sink.take(&found, tally));
        let special = sink.special;
        follow_up(connection, hop, direction, &special);
    }
}

/// What follows from matches of packets that findings speak of one by one.
fn follow_up(connection: &mut Connection, hop: usize, direction: Direction, special: &[Special]) {
    for &Special { kind, sent, received } in special {
        if kind == Kind::Rst {
            mark_reset(connection, direction, sent, received);
        } else {
            connection.hops[hop].opened[direction.index()] = true;
            compare_offers(connection, hop, direction, sent, received);
        }
    }
}

/// Enters a packet in its flow: sequence space, acknowledgement, handshake and resets. Gives its offset and
/// what of it is new.
fn advance_flow(
    flow: &mut Flow,
    src_half: usize,
    station: Station,
    segment: &Segment,
    log: &mut HandshakeLog,
    resets: &mut Remembered<RstSeen>,
) -> (i64, Novelty) {
    let at = PacketRef::of(flow.point, segment);
    let direction = flow.direction_of(src_half);
    let (position, sent) = (station.position, station.sends(direction));
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
    } else if is_challenge(flow, src_half, segment, log) {
        log.challenge.get_or_insert(at);
    } else if log.ack.is_none() && flow.opener == Some(src_half) && segment.flags.has(TcpFlags::ACK) {
        let answers = flow.halves[1 - src_half].isn.is_none_or(|isn| segment.ack.since(isn) > 0);
        if answers {
            log.ack = Some(at);
        }
    }
}

/// No data runs ahead of a SYN further than this: an acknowledgement beyond it is none of the connection.
const LARGEST_FIRST_WINDOW: i32 = 1 << 20;

/// Whether `segment` answers a SYN with a plain ACK of an old connection's numbers.
fn is_challenge(flow: &Flow, src_half: usize, segment: &Segment, log: &HandshakeLog) -> bool {
    let answers = flow.opener == Some(1 - src_half) && log.syn.count() > 0 && log.syn_ack.count() == 0;
    let plain =
        segment.flags.has(TcpFlags::ACK) && !segment.flags.has(TcpFlags::RST) && segment.seq_len() == 0;
    let opener = &flow.halves[1 - src_half];
    let Some(isn) = opener.isn else { return false };
    // Once more than the SYN was sent, it was answered, and the capture lacks that answer.
    let is_first =
        opener.highest_end.is_none_or(|end| opener.peek(isn).is_some_and(|start| end <= start + 1));
    answers && is_first && plain && !(0..=LARGEST_FIRST_WINDOW).contains(&segment.ack.since(isn))
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
