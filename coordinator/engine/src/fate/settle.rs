//! Judging what waits, as event time passes.

use super::due::Due;
use super::ends::{Ends, WAIT_NS};
use super::{Fate, FateRecord, Judged, Pending};
use crate::connection::{Connection, SentState};
use crate::course::Lost;
use crate::matching::{Kind, Piece};
use crate::session::Session;
use correlate_proto::Direction;

/// How far event time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Horizon {
    /// Up to the points' watermarks.
    Watermarks,
    /// All there is has been delivered.
    End,
}

/// What judging brings to light beside the fates of segments: packets that the two captures lack.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    /// Packets that the other end's capture shows, at the sender and at the receiver.
    identified: [u64; 2],
    /// Of them, those that nothing had given away before.
    fresh: [u64; 2],
}

impl Proofs {
    /// The sender's capture lacks `piece`, which arrived.
    pub(super) fn missed_by_sender(&mut self, piece: &Piece, fresh: bool) {
        self.identified[0] += u64::from(piece.wire);
        self.fresh[0] += u64::from(fresh);
    }

    /// The receiver's capture lacks `piece`, which was sent.
    pub(super) fn missed_by_receiver(&mut self, piece: &Piece, fresh: bool) {
        self.identified[1] += u64::from(piece.wire);
        self.fresh[1] += u64::from(fresh);
    }
}

/// What is to be entered once a direction has been judged.
struct Outcome {
    points: [usize; 2],
    proofs: Proofs,
    resets: Vec<(u64, bool, SentState)>,
    /// Numbers of acknowledgements that were lost.
    lost_acks: Vec<u64>,
    fates: Vec<FateRecord>,
    pending: Vec<Pending>,
    /// Segments lost on the path.
    lost: Vec<Lost>,
}

impl Session {
    /// Judges the waiting segments of every connection as far as event time allows.
    pub(crate) fn settle(&mut self, horizon: Horizon) {
        self.merge_rivals(horizon == Horizon::End);
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
                for piece in side.take_due(watermark.saturating_sub(4 * WAIT_NS)) {
                    side.forget(piece.at);
                }
            }
        }
    }

    fn settle_connection(&mut self, connection: &mut Connection, horizon: Horizon) {
        for hop in 0..connection.hops.len() {
            for direction in Direction::BOTH {
                if let Some(outcome) = self.settle_direction(connection, hop, direction, horizon) {
                    apply_resets(connection, direction, &outcome.resets);
                    note_lost_updates(connection, hop, direction, &outcome.lost_acks);
                    self.enter(outcome, direction, connection.number);
                }
            }
        }
    }

    fn settle_direction(
        &self,
        connection: &mut Connection,
        hop: usize,
        direction: Direction,
        horizon: Horizon,
    ) -> Option<Outcome> {
        let mut lane = core::mem::take(&mut connection.hops[hop].lanes[direction.index()]);
        let mut tally = core::mem::take(&mut connection.hops[hop].tallies[direction.index()]);
        let outcome = self.ends(connection, hop, direction).map(|ends| {
            let (sent_until, received_until) = ends.due(horizon, lane.tells_copies_apart());
            let mut outcome = Outcome::of(&ends);
            let trace = self.config.trace_fates;
            let due = Due::of(&mut lane.sent, sent_until);
            for (place, piece) in due.iter() {
                let judged = ends.judge_sent(&due, (place, piece), &lane, &mut tally, &mut outcome.proofs);
                if !ends.comparison.knows_numbers_of(piece) {
                    lane.sent.forget(piece.at);
                }
                outcome.note(piece, true, judged, trace.then(|| ends.record(piece, true, judged.fate)));
            }
            for (_, piece) in Due::of(&mut lane.received, received_until).iter() {
                let judged = ends.judge_received(piece, &lane, &mut tally, &mut outcome.proofs);
                if !ends.comparison.knows_numbers_of(piece) {
                    lane.received.forget(piece.at);
                }
                outcome.note(piece, false, judged, trace.then(|| ends.record(piece, false, judged.fate)));
            }
            outcome
        });
        connection.hops[hop].lanes[direction.index()] = lane;
        connection.hops[hop].tallies[direction.index()] = tally;
        outcome
    }

    fn enter(&mut self, outcome: Outcome, direction: Direction, connection: u64) {
        if !outcome.lost.is_empty() {
            let [sender, receiver] = outcome.points;
            let path = match direction {
                Direction::ClientToServer => (sender, receiver),
                Direction::ServerToClient => (receiver, sender),
            };
            let course = &mut self.courses.entry(path).or_default()[direction.index()];
            outcome.lost.iter().for_each(|lost| course.lose(lost, connection));
            for Lost { piece, .. } in &outcome.lost {
                if let Some(spot) = self.points[sender].sightings.lose(piece.packet) {
                    let totals = self.paths.entry((path.0, path.1, direction)).or_default();
                    totals.inside.note_lost(spot, piece);
                }
            }
        }
        for (end, point) in outcome.points.into_iter().enumerate() {
            self.points[point].missed += outcome.proofs.fresh[end];
            self.points[point].identified += outcome.proofs.identified[end];
        }
        self.fates.extend(outcome.fates);
        self.pending_fates.extend(outcome.pending);
    }

    /// The fates that had to wait until all is known about the captures.
    pub(crate) fn resolve_fates(&mut self) {
        let points = &self.points;
        let resolved = self.pending_fates.drain(..);
        self.fates.extend(resolved.map(|pending| pending.resolve(|point| points[point].is_suspect())));
    }
}

impl Outcome {
    fn of(ends: &Ends<'_>) -> Self {
        Self {
            points: [ends.sender.point, ends.receiver.point],
            proofs: Proofs::default(),
            resets: Vec::new(),
            lost_acks: Vec::new(),
            fates: Vec::new(),
            pending: Vec::new(),
            lost: Vec::new(),
        }
    }

    fn note(&mut self, piece: &Piece, sent: bool, judged: Judged, record: Option<FateRecord>) {
        if piece.kind == Kind::Rst {
            self.resets.push((piece.packet, sent, reset_state(judged.fate, sent)));
        }
        if piece.kind == Kind::Ack && sent && judged.fate == Fate::Lost {
            self.lost_acks.push(piece.packet);
        }
        if judged.fate == Fate::Lost {
            self.lost.push(Lost { piece: *piece, confirmed: judged.without.is_none() });
        }
        let Some(record) = record else { return };
        match judged.without {
            Some((point, otherwise)) => self.pending.push(Pending { record, point, otherwise }),
            None => self.fates.push(record),
        }
    }
}

impl Ends<'_> {
    fn record(&self, piece: &Piece, sent: bool, fate: Fate) -> FateRecord {
        let point = if sent { self.sending() } else { self.receiving() };
        FateRecord::of(point.info.id, piece, self.direction, fate)
    }
}

const fn reset_state(fate: Fate, sent: bool) -> SentState {
    match fate {
        Fate::Lost => SentState::OneEnded,
        Fate::Ambiguous if !sent => SentState::OneEnded,
        Fate::MissedByReceiver
        | Fate::MissedBySender
        | Fate::Duplicated
        | Fate::Reordered
        | Fate::Spurious
        | Fate::Uncovered
        | Fate::Ambiguous => SentState::Unclear,
    }
}

/// Tells the window that acknowledgements of `direction` govern which of them were lost.
fn note_lost_updates(connection: &mut Connection, hop: usize, direction: Direction, packets: &[u64]) {
    let position = if direction == Direction::ClientToServer { hop } else { hop + 1 };
    let Some(flow) = connection.flows[position].as_mut() else { return };
    let governed = flow.half_index(direction.reversed());
    for &packet in packets {
        flow.halves[governed].window.lose_update(packet);
    }
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
