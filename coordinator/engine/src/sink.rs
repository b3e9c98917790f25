//! Where matches go: the tally of the direction, the clock of the two points, and the trace.

use crate::clock::{PairClock, Witness};
use crate::connection::{Changes, Circumstances, Connection, Example, Hop, Oddity, Tally};
use crate::course::Course;
use crate::delay::{Delays, Place};
use crate::fate::{Fate, FateRecord};
use crate::flow::{Flow, Half};
use crate::matching::{Kind, Lane, Match};
use crate::point::Point;
use crate::session::{Clocks, Courses, clock_of};
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
    clock: Option<&'a mut PairClock>,
    /// Where delays are measured.
    delays: Option<&'a mut Delays>,
    /// How the packet stands there; `None` while nothing is measured.
    place: Option<Place>,
    /// Added to the sender's offsets these give those of the lane.
    sender_shift: i64,
    copies: Option<Copies<'a>>,
    course: Option<&'a mut Course>,
    direction: Direction,
    /// The upstream and the downstream capture point.
    points: [usize; 2],
    changes: &'a mut Changes,
    pub(crate) special: Vec<Special>,
    traced: Option<Trace<'a>>,
}

/// A match of a packet that findings speak of by itself, with its numbers at sender and receiver.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Special {
    pub(crate) kind: Kind,
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl<'a> MatchSink<'a> {
    /// The lane of `direction` on `hop`, its tally, and what takes its matches. Odd arrivals go into `fates`.
    pub(crate) fn of(
        connection: &'a mut Connection,
        hop: usize,
        direction: Direction,
        (clocks, courses): (&'a mut Clocks, &'a mut Courses),
        points: &[Point],
        fates: Option<&'a mut Vec<FateRecord>>,
    ) -> (&'a mut Lane, &'a mut Tally, Self) {
        let Connection { flows, hops, delays, .. } = connection;
        let Hop { lanes, tallies, changes, shifts, .. } = &mut hops[hop];
        let place = direction.index();
        let offset = shifts[place].unwrap_or(0);
        let both = flows[hop].as_ref().zip(flows[hop + 1].as_ref());
        let ends = both.map(|(up, down)| [up.point, down.point]);
        let ids = ends.map(|ends| ends.map(|point| points[point].info.id));
        let sink = Self {
            clock: ends.map(|[up, down]| clock_of(clocks, points, up, down)),
            delays: delays.as_deref_mut(),
            place: None,
            sender_shift: if direction == Direction::ServerToClient { offset } else { 0 },
            copies: both.map(|(up, down)| Copies::new(up, down, direction, offset)),
            course: ends.map(|[up, down]| &mut courses.entry((up, down)).or_default()[place]),
            direction,
            points: ends.unwrap_or_default(),
            changes: &mut changes[place],
            special: Vec::new(),
            traced: fates.zip(ids).map(|(fates, ids)| Trace::new(fates, ids, direction)),
        };
        (&mut lanes[place], &mut tallies[place], sink)
    }

    /// Measures the delays of a packet whose payload ends at `payload_end`, as the lane numbers octets.
    pub(crate) const fn measure_up_to(&mut self, payload_end: i64) {
        let (direction, sender_shift) = (self.direction, self.sender_shift);
        self.place = Some(Place { direction, payload_end, sender_shift });
    }

    /// Enters `found` in `tally` too.
    pub(crate) fn take(&mut self, found: &Match, tally: &mut Tally) {
        let copies = self.copies.as_ref().filter(|_| found.received.stale > 0);
        let circumstances = copies.map_or_else(Circumstances::default, |copies| copies.circumstances(found));
        let (traced, direction) = (&mut self.traced, self.direction);
        tally.deliver(&found.sent, &found.received, circumstances, |odd| {
            if let Some(trace) = traced {
                trace.note(odd, found, direction);
            }
        });
        if let Some(course) = &mut self.course {
            course.deliver(&found.sent, &found.received);
        }
        if matches!(found.sent.kind, Kind::Rst | Kind::Syn | Kind::SynAck) {
            let (sent, received) = (found.sent.packet, found.received.packet);
            self.special.push(Special { kind: found.sent.kind, sent, received });
        }
        if let (Some(delays), Some(place)) = (&mut self.delays, self.place) {
            delays.take(found, place);
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

    /// Writes down an odd arrival that `found` brought to light.
    fn note(&mut self, odd: &Example, found: &Match, direction: Direction) {
        let (point, packet, fate) = match (odd.oddity, odd.sent) {
            (Oddity::Spurious, Some((packet, _))) => (self.sender, packet, Fate::Spurious),
            (Oddity::Reordered | Oddity::Duplicated | Oddity::Spurious, _) => {
                (self.receiver, odd.received.0, Fate::Reordered)
            }
        };
        let own = packet == found.received.packet || packet == found.sent.packet;
        let (wire, ip_id) = if own { (odd.wire, found.sent.ip_id) } else { (1, None) };
        self.fates.push(FateRecord { point, packet, direction, len: odd.len, wire, ip_id, fate });
    }
}
