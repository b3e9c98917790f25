//! Fate: what became of a segment that the two ends do not both show.
//!
//! "Sent, not seen" is loss only after the capture has been cleared (ALGORITHMS §4.2): the receiver's capture
//! must be proven to have run when the segment would have arrived, and no acknowledgement may prove that the
//! segment arrived unseen.

use crate::clock::PairClock;
use crate::connection::{Connection, SentState, Tally};
use crate::flow::{Flow, Half};
use crate::matching::{Kind, Lane, Piece};
use crate::point::{Point, Window};
use crate::session::Session;
use correlate_proto::{CapturePointId, Direction, Span, Timestamp};

/// A segment that was not seen at the other end is not judged before so much event time has passed there: a
/// SYN's repetitions and slow queues are within it (ALGORITHMS §4.3 asks for 3 s for handshakes).
const WAIT_NS: i64 = 3_000_000_000;

/// A capture must have run for at least this long beyond the moment when a segment would have arrived, before
/// the segment's absence speaks for loss (§4.3: 250 ms, or a few round trips).
const MIN_SLACK_NS: i64 = 250_000_000;

/// Round trips that a segment may take longer than the shortest one and still be on its way.
const SLACK_ROUND_TRIPS: i64 = 3;

/// A segment is overtaken when so many later ones arrived, and one of them was sent this much later.
const OVERTAKEN_BY: u64 = 3;
const MIN_SETTLING_NS: i64 = 10_000_000;

/// Without an estimate of the offset one way is unbounded; no path of this earth delays a packet longer.
const MAX_DELAY_NS: i64 = 5_000_000_000;

/// What became of one wire segment that did not simply arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FateRecord {
    /// Where it was sent, or, for those that were only seen arriving, where it arrived.
    pub point: CapturePointId,
    /// Its number in that capture.
    pub packet: u64,
    /// Its direction.
    pub direction: Direction,
    /// Octets of sequence space.
    pub len: u32,
    /// Wire segments it stands for: more than one only where a super-packet's cut is unknown.
    pub wire: u32,
    /// Its IPv4 identification.
    pub ip_id: Option<u16>,
    /// What became of it.
    pub fate: Fate,
}

/// The fate of a wire segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Lost on the path.
    Lost,
    /// Received, though the receiver's capture lacks it.
    MissedByReceiver,
    /// Sent, though the sender's capture lacks it.
    MissedBySender,
    /// Sent once, arrived twice.
    Duplicated,
    /// Nothing proves that the other end's capture ran at that time.
    Uncovered,
    /// The evidence carries no verdict.
    Ambiguous,
}

/// How far event time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Horizon {
    /// Up to the points' watermarks.
    Watermarks,
    /// All there is has been delivered.
    End,
}

/// The two ends of one direction of a hop.
struct Ends<'a> {
    session: &'a Session,
    direction: Direction,
    sender: &'a Flow,
    receiver: &'a Flow,
    slack: i64,
    /// What a segment may be overtaken by without being lost.
    settling: i64,
    /// Added to an end's offsets to get those of the lane.
    sender_shift: i64,
    receiver_shift: i64,
}

impl Session {
    /// Judges the waiting segments of every connection as far as event time allows.
    pub(crate) fn settle(&mut self, horizon: Horizon) {
        let listed: Vec<u32> = self.unsettled.iter().copied().collect();
        for index in listed {
            let Some(mut connection) = self.connections[index as usize].take() else { continue };
            if connection.is_paired() {
                self.settle_connection(&mut connection, horizon);
            } else if horizon == Horizon::Watermarks {
                self.drop_unpaired(&mut connection);
            }
            if !connection.has_waiting() {
                connection.listed = false;
                self.unsettled.remove(&index);
                if connection.is_closed() {
                    self.closed.insert(index);
                }
            }
            self.connections[index as usize] = Some(connection);
        }
    }

    /// Segments of a connection that one end alone has seen for long need not wait for the other end.
    fn drop_unpaired(&self, connection: &mut Connection) {
        let Some(flow) = connection.seen_flows().next() else { return };
        let Some(watermark) = self.points[flow.point].watermark else { return };
        for lane in connection.hops.iter_mut().flat_map(|hop| &mut hop.lanes) {
            for side in [&mut lane.sent, &mut lane.received] {
                let dropped = side.take_due(watermark.saturating_sub(4 * WAIT_NS)).len();
                side.give_up(u64::try_from(dropped).unwrap_or(u64::MAX));
            }
        }
    }

    fn settle_connection(&mut self, connection: &mut Connection, horizon: Horizon) {
        for hop in 0..connection.hops.len() {
            for direction in Direction::BOTH {
                let mut lane = core::mem::take(&mut connection.hops[hop].lanes[direction.index()]);
                let mut tally = core::mem::take(&mut connection.hops[hop].tallies[direction.index()]);
                let mut resets: Vec<(u64, bool, SentState)> = Vec::new();
                let mut fates: Vec<FateRecord> = Vec::new();
                let trace = self.config.trace_fates;
                if let Some(ends) = self.ends(connection, hop, direction) {
                    let (sent_until, received_until) = ends.due(horizon);
                    for piece in lane.sent.take_due(sent_until) {
                        let fate = ends.judge_sent(&piece, &lane, &mut tally);
                        note_reset(&mut resets, &piece, true, fate);
                        fates.extend(trace.then(|| ends.record(&piece, true, direction, fate)));
                    }
                    for piece in lane.received.take_due(received_until) {
                        let fate = ends.judge_received(&piece, &mut tally);
                        note_reset(&mut resets, &piece, false, fate);
                        fates.extend(trace.then(|| ends.record(&piece, false, direction, fate)));
                    }
                }
                connection.hops[hop].lanes[direction.index()] = lane;
                connection.hops[hop].tallies[direction.index()] = tally;
                apply_resets(connection, direction, &resets);
                self.fates.append(&mut fates);
            }
        }
    }

    fn ends<'a>(&'a self, connection: &'a Connection, hop: usize, direction: Direction) -> Option<Ends<'a>> {
        let (up, down) = (connection.flows[hop].as_ref()?, connection.flows[hop + 1].as_ref()?);
        let shift = connection.hops[hop].shifts[direction.index()].unwrap_or(0);
        let forward = direction == Direction::ClientToServer;
        let (sender, receiver) = if forward { (up, down) } else { (down, up) };
        let round_trip = self.clock(up.point, down.point).and_then(PairClock::min_rtt).map_or(0, Span::as_ns);
        Some(Ends {
            session: self,
            direction,
            sender,
            receiver,
            slack: slack(round_trip),
            settling: round_trip.max(MIN_SETTLING_NS),
            sender_shift: if forward { 0 } else { shift },
            receiver_shift: if forward { shift } else { 0 },
        })
    }

    /// When a packet that is at `from` at `at`, by that point's clock, is at `to` by `to`'s clock if it takes no
    /// time: earliest and latest. With matches in one direction only, the other side of the bound is what no
    /// path exceeds; with none, the rough offset is all there is.
    pub(crate) fn translate(&self, at: i64, from: usize, to: usize) -> (i64, i64) {
        let downstream = self.points[from].position < self.points[to].position;
        let (up, down) = if downstream { (from, to) } else { (to, from) };
        let rough = self.points[up].rough_offset - self.points[down].rough_offset;
        let known = self.clock(up, down).map(|clock| {
            let at_up = if downstream { at } else { at.saturating_sub(self.points[down].reference_offset) };
            clock.offset_at(Timestamp::from_ns(at_up))
        });
        let (low, high) = match known.map(|found| (found.lo.map(Span::as_ns), found.hi.map(Span::as_ns))) {
            Some((Some(low), Some(high))) => (low, high),
            Some((None, Some(high))) => (high.saturating_sub(MAX_DELAY_NS), high),
            Some((Some(low), None)) => (low, low.saturating_add(MAX_DELAY_NS)),
            Some((None, None)) | None => {
                (rough.saturating_sub(MAX_DELAY_NS), rough.saturating_add(MAX_DELAY_NS))
            }
        };
        if downstream {
            (at.saturating_add(low), at.saturating_add(high))
        } else {
            (at.saturating_sub(high), at.saturating_sub(low))
        }
    }

    /// How long beyond its expected arrival a packet between two points may be under way.
    pub(crate) fn slack(&self, a: usize, b: usize) -> i64 {
        let (up, down) = if self.points[a].position < self.points[b].position { (a, b) } else { (b, a) };
        slack(self.clock(up, down).and_then(PairClock::min_rtt).map_or(0, Span::as_ns))
    }
}

fn slack(round_trip: i64) -> i64 {
    MIN_SLACK_NS.max(SLACK_ROUND_TRIPS.saturating_mul(round_trip))
}

impl Ends<'_> {
    /// Up to which stamps of the sender and of the receiver pieces are judged.
    fn due(&self, horizon: Horizon) -> (i64, i64) {
        if horizon == Horizon::End {
            return (i64::MAX, i64::MAX);
        }
        let (Some(sending), Some(receiving)) = (self.sending().watermark, self.receiving().watermark) else {
            return (i64::MIN, i64::MIN);
        };
        let wait = WAIT_NS + self.slack;
        let (received_by_sender_clock, _) =
            self.session.translate(receiving, self.receiver.point, self.sender.point);
        let (sent_by_receiver_clock, _) =
            self.session.translate(sending, self.sender.point, self.receiver.point);
        // What the far capture is not yet known to cover waits for the end, when all is known of it.
        let arrives_by = self.known_until(self.receiving(), self.receiver.point, self.sender.point);
        let departs_by = self.known_until(self.sending(), self.sender.point, self.receiver.point);
        (
            sending
                .min(received_by_sender_clock)
                .saturating_sub(wait)
                .min(arrives_by.saturating_sub(self.slack)),
            receiving.min(sent_by_receiver_clock).saturating_sub(wait).min(departs_by),
        )
    }

    /// Until when `point`'s capture is known to have run, by the clock of the other end.
    fn known_until(&self, point: &Point, from: usize, to: usize) -> i64 {
        if point.info.vouched {
            return i64::MAX;
        }
        point.covered_to().map_or(i64::MIN, |until| self.session.translate(until, from, to).0)
    }

    /// When `piece`, sent, would arrive if it took no time: earliest and latest by the receiver's clock.
    fn arrival(&self, piece: &Piece) -> (i64, i64) {
        self.session.translate(piece.at, self.sender.point, self.receiver.point)
    }

    fn judge_sent(&self, piece: &Piece, lane: &Lane, tally: &mut Tally) -> Fate {
        let (earliest, latest) = self.arrival(piece);
        let in_cover =
            self.receiving().covers(Window { from: earliest, to: latest.saturating_add(self.slack) });
        if !in_cover && !self.was_overtaken(piece, tally) {
            tally.uncovered += u64::from(piece.wire);
            return Fate::Uncovered;
        }
        let forgotten = lane.sent.given_up() + lane.received.given_up() > 0
            || self.receiver.half(self.direction).seen.forgot();
        if piece.fragment || forgotten {
            tally.ambiguous += u64::from(piece.wire);
            return Fate::Ambiguous;
        }
        let half = self.receiver.half(self.direction);
        let (start, end) = (piece.start - self.receiver_shift, piece.end() - self.receiver_shift);
        let unseen = match piece.kind {
            Kind::Data => self.arrived_unseen(piece, half, start, end, lane),
            // The capture shows what follows a SYN that it does not show.
            Kind::Syn | Kind::SynAck => half.isn.is_none() && half.origin().is_some(),
            Kind::Ack | Kind::Rst => false,
        };
        if unseen {
            tally.missed_by_receiver += u64::from(piece.wire);
            return Fate::MissedByReceiver;
        }
        let confirmed = piece.len > 0 && half.seen.contains(start, end);
        tally.lose(piece, confirmed);
        Fate::Lost
    }

    /// Whether segments sent well after `piece` arrived in the capture: then it had its chance there too, however
    /// soon the capture ended (§4.3: three later segments, and a settling time for reordering).
    fn was_overtaken(&self, piece: &Piece, tally: &Tally) -> bool {
        let settled = piece.at.saturating_add(self.settling);
        let (earliest, latest) = self.arrival(piece);
        let chance = Window { from: earliest, to: latest.saturating_add(self.settling) };
        tally.delivered_beyond(piece.serial + OVERTAKEN_BY, settled) && self.receiving().covers(chance)
    }

    /// Whether an acknowledgement proves that the receiver got this copy though its capture has none: one that
    /// left before any copy that the capture does have, and no later copy explains better.
    fn arrived_unseen(&self, piece: &Piece, half: &Half, start: i64, end: i64, lane: &Lane) -> bool {
        if let Some(missed) = half.missed_overlap(start, end) {
            let (_, sendable_until) =
                self.session.translate(missed.acked_at, self.receiver.point, self.sender.point);
            return piece.at <= sendable_until && !lane.sent.has_later_copy(piece, sendable_until);
        }
        let sender_half = self.sender.half(self.direction);
        let acked = sender_half.acked.is_some_and(|acked| acked >= piece.end() - self.sender_shift);
        acked && !half.seen.contains(start, end) && !lane.sent.has_later_copy(piece, i64::MAX)
    }

    fn judge_received(&self, piece: &Piece, tally: &mut Tally) -> Fate {
        let departure = self.departure(piece);
        let wire = u64::from(piece.wire);
        if piece.kind == Kind::Data && tally.take_back(piece) {
            // It was given up too early and did arrive.
            return Fate::Ambiguous;
        }
        if piece.kind == Kind::Data || piece.kind == Kind::Ack {
            if piece.repeats || piece.kind == Kind::Ack {
                tally.duplicated += wire;
                return Fate::Duplicated;
            }
            let sender_half = self.sender.half(self.direction);
            let (start, end) = (piece.start - self.sender_shift, piece.end() - self.sender_shift);
            if sender_half.missed_overlap(start, end).is_some() {
                tally.missed_by_sender += wire;
                return Fate::MissedBySender;
            }
        }
        if self.sending().covers(departure) {
            tally.ambiguous += u64::from(piece.kind == Kind::Data) * wire;
            Fate::Ambiguous
        } else {
            Fate::Uncovered
        }
    }

    /// When `piece`, which arrived, can have been sent: not before the connection began, if its sender's capture
    /// shows that.
    fn departure(&self, piece: &Piece) -> Window {
        let (earliest, latest) = self.session.translate(piece.at, self.receiver.point, self.sender.point);
        let earliest = earliest.saturating_sub(self.slack);
        let began = self.sender.opener.map_or(earliest, |_| self.sender.first.at.min(latest));
        Window { from: earliest.max(began), to: latest }
    }

    fn sending(&self) -> &Point {
        &self.session.points[self.sender.point]
    }

    fn receiving(&self) -> &Point {
        &self.session.points[self.receiver.point]
    }

    fn record(&self, piece: &Piece, sent: bool, direction: Direction, fate: Fate) -> FateRecord {
        let point = if sent { self.sending().info.id } else { self.receiving().info.id };
        FateRecord {
            point,
            packet: piece.packet,
            direction,
            len: piece.len,
            wire: piece.wire,
            ip_id: piece.ip_id,
            fate,
        }
    }
}

fn note_reset(resets: &mut Vec<(u64, bool, SentState)>, piece: &Piece, sent: bool, fate: Fate) {
    if piece.kind != Kind::Rst {
        return;
    }
    let state = match fate {
        Fate::Lost => SentState::OneEnded,
        Fate::Ambiguous if !sent => SentState::OneEnded,
        Fate::MissedByReceiver
        | Fate::MissedBySender
        | Fate::Duplicated
        | Fate::Uncovered
        | Fate::Ambiguous => SentState::Unclear,
    };
    resets.push((piece.packet, sent, state));
}

fn apply_resets(connection: &mut Connection, direction: Direction, resets: &[(u64, bool, SentState)]) {
    let sender = connection.sender_position(direction);
    for &(packet, sent, state) in resets {
        for reset in connection.resets.iter_mut().filter(|reset| reset.direction == direction) {
            if reset.packet.packet == packet && (reset.position == sender) == sent {
                reset.state = state;
            }
        }
    }
}
