//! Where matches go: the tally of the direction, the clock of the two points, and the trace.

use crate::clock::{PairClock, Witness};
use crate::connection::{Changes, Circumstances, Tally, Told};
use crate::delay::{Delays, Place};
use crate::fate::{Fate, FateRecord};
use crate::flow::{Flow, Half};
use crate::matching::{Kind, Match, Piece};
use correlate_proto::{CapturePointId, Direction, Timestamp};

/// What the two ends remember of octets that travelled more than once.
pub(crate) struct Copies<'a> {
    sender: &'a Half,
    receiver: &'a Half,
    /// Taken from an offset of the lane these give those of the two ends.
    sender_shift: i64,
    receiver_shift: i64,
}

impl<'a> Copies<'a> {
    /// Of the direction whose offsets downstream lie `offset` below those of the lane.
    pub(crate) fn new(up: &'a Flow, down: &'a Flow, direction: Direction, offset: i64) -> Self {
        let (up, down) = (up.half(direction), down.half(direction));
        match direction {
            Direction::ClientToServer => {
                Self { sender: up, receiver: down, sender_shift: 0, receiver_shift: offset }
            }
            Direction::ServerToClient => {
                Self { sender: down, receiver: up, sender_shift: offset, receiver_shift: 0 }
            }
        }
    }

    fn circumstances(&self, found: &Match) -> Circumstances {
        let start = found.sent.start;
        let again = self.receiver.unseen.again(start - self.receiver_shift, found.received.at);
        let sent = self.sender.unseen.again(start - self.sender_shift, found.sent.at);
        Circumstances {
            acknowledged_for: again.and_then(|again| again.acknowledged_for),
            tail: sent.is_some_and(|sent| sent.tail),
        }
    }
}

/// Enters matches in the tally, the clock and what changed on the way.
pub(crate) struct MatchSink<'a> {
    pub(crate) clock: Option<&'a mut PairClock>,
    /// Where delays are measured, and how the packet stands there.
    pub(crate) delays: Option<(&'a mut Delays, Place)>,
    pub(crate) copies: Option<Copies<'a>>,
    pub(crate) direction: Direction,
    /// The upstream and the downstream capture point.
    pub(crate) points: [usize; 2],
    pub(crate) changes: &'a mut Changes,
    /// A packet that findings speak of by itself was matched: its kind and its numbers at sender and receiver.
    pub(crate) special: Option<(Kind, u64, u64)>,
    pub(crate) traced: Option<Trace<'a>>,
}

impl MatchSink<'_> {
    /// Enters `found` in `tally` too.
    pub(crate) fn take(&mut self, found: &Match, tally: &mut Tally) {
        let copies = self.copies.as_ref().filter(|_| found.received.known);
        let circumstances = copies.map_or_else(Circumstances::default, |copies| copies.circumstances(found));
        let told = tally.deliver(&found.sent, &found.received, circumstances, self.traced.is_some());
        self.trace(found, told);
        if matches!(found.sent.kind, Kind::Rst | Kind::Syn | Kind::SynAck) {
            self.special = Some((found.sent.kind, found.sent.packet, found.received.packet));
        }
        if let Some((delays, place)) = &mut self.delays {
            delays.take(found, *place);
        }
        let [up, down] = self.points;
        if self.direction == Direction::ClientToServer {
            self.changes.compare(found, (up, down));
        } else {
            self.changes.compare(found, (down, up));
        }
        let (sent, received) = (Timestamp::from_ns(found.sent.at), Timestamp::from_ns(found.received.at));
        let certain = found.certain && !found.sent.doubtful && !found.received.doubtful;
        let Some(clock) = self.clock.as_mut().filter(|_| certain) else { return };
        let numbers = (found.sent.packet, found.received.packet);
        match self.direction {
            Direction::ClientToServer => {
                clock.forward(sent, received);
                clock.witness(Witness { a: sent, b: received, packets: numbers, forward: true });
            }
            Direction::ServerToClient => {
                clock.reverse(sent, received);
                let packets = (numbers.1, numbers.0);
                clock.witness(Witness { a: received, b: sent, packets, forward: false });
            }
        }
    }

    fn trace(&mut self, found: &Match, told: Told) {
        let Some(trace) = &mut self.traced else { return };
        if told.late.count > 0 {
            let late = Piece { packet: told.late.packet, ..found.received };
            trace.fates.push(FateRecord::of(trace.receiver, &late, self.direction, Fate::Reordered));
        }
        if told.spurious {
            trace.fates.push(FateRecord::of(trace.sender, &found.sent, self.direction, Fate::Spurious));
        }
    }
}

/// Where odd arrivals are written down, if they are asked for.
pub(crate) struct Trace<'a> {
    pub(crate) fates: &'a mut Vec<FateRecord>,
    pub(crate) sender: CapturePointId,
    pub(crate) receiver: CapturePointId,
}

impl<'a> Trace<'a> {
    /// Into `fates`; `ids` are those of the upstream and of the downstream point.
    pub(crate) fn new(
        fates: &'a mut Vec<FateRecord>,
        [up, down]: [CapturePointId; 2],
        direction: Direction,
    ) -> Self {
        match direction {
            Direction::ClientToServer => Self { fates, sender: up, receiver: down },
            Direction::ServerToClient => Self { fates, sender: down, receiver: up },
        }
    }
}
