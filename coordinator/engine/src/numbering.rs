//! Numbering: by how much the two ends of a hop number the octets of a direction differently.
//!
//! Both count from the sequence number itself, so they differ by whole turns of the number space, or by what a
//! device adds to sequence numbers: a constant for each direction. A number is taken for the other end's only on
//! evidence; until there is some, nothing is matched and nobody is blamed.

use crate::connection::{Connection, Hop, Offer, PacketRef};
use crate::flow::Half;
use crate::matching::{End, Fit, Kind, Side, fit, likely_shift};
use crate::pairing::{Nats, likeness};
use correlate_proto::{Direction, Segment, SeqNum};

/// Where no SYN was seen, numbers this far apart have nothing to do with each other: no window is larger (RFC 7323
/// §2.3).
const MAX_DISTANCE: i64 = 1 << 30;

/// Two SYN-ACKs with different numbers are one packet, shifted, only above these odds in favour (nats).
const SAME_ANSWER: Nats = 8;

/// So many acknowledgements must fit where a direction has no data.
const LEAST_ACKS: u32 = 3;

/// How well it is known how the ends of a hop number a direction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Footing {
    /// Both ends saw the SYN, or a packet was matched.
    pub(crate) proven: bool,
    /// The answer to the SYN that one end got is not the one that the other sent.
    pub(crate) remade: bool,
    /// Waiting pieces at which the evidence is looked at again: each time twice as many.
    retry_at: usize,
}

/// The end of `direction` that is captured at the downstream point of a hop.
pub(crate) const fn downstream_end(direction: Direction) -> End {
    match direction {
        Direction::ClientToServer => End::Receiver,
        Direction::ServerToClient => End::Sender,
    }
}

/// Finds out how the ends of `hop` number `direction`, once both have seen it. Gives whether pieces that wait must be
/// offered again.
pub(crate) fn align(connection: &mut Connection, hop: usize, direction: Direction) -> bool {
    let place = direction.index();
    let state = &connection.hops[hop];
    if state.footing[place].proven {
        return false;
    }
    if state.shifts[place].is_some() && state.tallies[place].delivered > 0 {
        connection.hops[hop].footing[place].proven = true;
        return false;
    }
    let Some(ends) = Ends::of(connection, hop, direction) else { return false };
    let found = match ends.isns {
        (Some(a), Some(b)) if a == b || connection.opened() == Some(direction) => {
            ends.shifted_by(connection, difference(a, b))
        }
        (Some(a), Some(b)) => of_answer(connection, &ends, difference(a, b)),
        _ if connection.hops[hop].shifts[place].is_none() && ends.is_near(connection) => {
            ends.shifted_by(connection, 0).map(|found| Finding { proven: false, ..found })
        }
        _ => of_runs(connection, hop, direction),
    };
    let Some(found) = found else { return false };
    settle(connection, hop, direction, found)
}

/// One direction at both ends of a hop, each of which saw something of it.
struct Ends {
    hop: usize,
    direction: Direction,
    /// Initial sequence numbers, upstream and downstream, where the SYNs were seen.
    isns: (Option<SeqNum>, Option<SeqNum>),
    /// The newest offset downstream.
    newest: i64,
}

impl Ends {
    fn of(connection: &Connection, hop: usize, direction: Direction) -> Option<Self> {
        let (up, down) = (connection.flows[hop].as_ref()?, connection.flows[hop + 1].as_ref()?);
        let (up, down) = (up.half(direction), down.half(direction));
        up.origin()?;
        Some(Self { hop, direction, isns: (up.isn, down.isn), newest: newest(down)? })
    }

    fn upstream<'a>(&self, connection: &'a Connection) -> Option<&'a Half> {
        connection.flows[self.hop].as_ref().map(|flow| flow.half(self.direction))
    }

    /// The upstream offset of the newest octet downstream if sequence numbers are `delta` greater upstream.
    fn counterpart(&self, connection: &Connection, delta: u32) -> Option<i64> {
        self.upstream(connection)?.peek(SeqNum(turn(self.newest)).add(delta))
    }

    fn shifted_by(&self, connection: &Connection, delta: u32) -> Option<Finding> {
        let there = self.counterpart(connection, delta)?;
        Some(Finding { shift: there - self.newest, proven: true, remade: false })
    }

    /// Whether the same numbers are used at both ends at the same time, as far as one can see.
    fn is_near(&self, connection: &Connection) -> bool {
        let there = self.counterpart(connection, 0);
        let newest = self.upstream(connection).and_then(newest);
        there.zip(newest).is_some_and(|(a, b)| (a - b).abs() < MAX_DISTANCE)
    }
}

/// The newest offset of a direction at one end, as far as is known.
fn newest(half: &Half) -> Option<i64> {
    half.highest_end.or(half.acked).or_else(|| half.origin().map(|(base, _)| base))
}

/// How a direction turned out to be numbered.
#[derive(Debug, Clone, Copy)]
struct Finding {
    shift: i64,
    proven: bool,
    /// The waiting SYN-ACKs of the two ends are different packets.
    remade: bool,
}

const fn difference(up: SeqNum, down: SeqNum) -> u32 {
    up.0.wrapping_sub(down.0)
}

/// The ends saw SYN-ACKs with different numbers. A device shifts them; or one answered in the server's name and
/// shifts what the server sends later; or the server answered twice and each end saw one. What follows the SYN-ACKs
/// tells.
fn of_answer(connection: &mut Connection, ends: &Ends, delta: u32) -> Option<Finding> {
    let place = ends.direction.index();
    let shifted = ends.shifted_by(connection, delta)?;
    if likeness_of_answers(connection, ends.hop).is_some_and(|odds| odds > SAME_ANSWER) {
        return Some(shifted);
    }
    let state = &mut connection.hops[ends.hop];
    let waiting = state.lanes[place].sent.len().min(state.lanes[place].received.len());
    if waiting < 2 || waiting < state.footing[place].retry_at {
        return None;
    }
    state.footing[place].retry_at = waiting * 2;
    let unshifted = ends.shifted_by(connection, 0)?;
    let (moved, fixed) = connection.hops[ends.hop].waiting(ends.direction);
    let (as_shifted, as_is) = (fit(moved, fixed, shifted.shift), fit(moved, fixed, unshifted.shift));
    let enough = |fit: Fit| fit.data > 0 || fit.acks >= LEAST_ACKS;
    if as_shifted > as_is && enough(as_shifted) {
        Some(Finding { remade: true, ..shifted })
    } else if as_is > as_shifted && enough(as_is) {
        Some(unshifted)
    } else {
        None
    }
}

/// How like the SYN-ACKs of the two ends are in all that a device leaves alone, the two that are most so; `None` if an end
/// has none.
pub(crate) fn likeness_of_answers(connection: &Connection, hop: usize) -> Option<Nats> {
    let answers = |position: usize| connection.handshake[position].offers.of_kind(true);
    let best = |ours: &Offer| answers(hop + 1).map(|theirs| likeness(ours, theirs)).max();
    answers(hop).filter_map(best).max()
}

/// What the pieces that wait at both ends have in common, looked at now and then.
fn of_runs(connection: &mut Connection, hop: usize, direction: Direction) -> Option<Finding> {
    let state = &mut connection.hops[hop];
    let (lane, footing) = (&state.lanes[direction.index()], &mut state.footing[direction.index()]);
    let waiting = lane.sent.len().min(lane.received.len());
    if waiting < 8 || waiting < footing.retry_at {
        return None;
    }
    footing.retry_at = waiting * 2;
    let by = likely_shift(&lane.sent, &lane.received)?;
    let by = if downstream_end(direction) == End::Receiver { by } else { -by };
    Some(Finding { shift: state.shifts[direction.index()].unwrap_or(0) + by, proven: true, remade: false })
}

/// Renumbers what waits at the downstream end, the acknowledgements of the other direction among it.
fn settle(connection: &mut Connection, hop: usize, direction: Direction, found: Finding) -> bool {
    let place = direction.index();
    let state = &mut connection.hops[hop];
    let footing = &mut state.footing[place];
    (footing.proven, footing.remade) = (found.proven, found.remade);
    if found.remade {
        state.tallies[place].ambiguous += state.lanes[place].drop_openings();
    }
    let by = found.shift - state.shifts[place].unwrap_or(0);
    state.shifts[place] = Some(found.shift);
    state.lanes[place].side(downstream_end(direction)).change(by, |_| {});
    let numbers = turn(by);
    if numbers != 0 {
        let back = direction.reversed();
        state.lanes[back.index()].side(downstream_end(back)).change(0, |piece| {
            if piece.kind == Kind::Ack {
                piece.ack = piece.ack.wrapping_add(numbers);
            }
        });
    }
    state.lanes.iter().any(|lane| !lane.sent.is_empty() && !lane.received.is_empty())
}

/// What a shift of offsets is as a shift of sequence numbers.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole turns do not count")]
pub(crate) const fn turn(shift: i64) -> u32 {
    shift as u32
}

/// Looks whether the SACK blocks of `segment`, which arrived at the end of `direction` on `hop`, were shifted like the
/// numbers that they speak of. Only where these are shifted at all.
pub(crate) fn check_sack(
    connection: &mut Connection,
    hop: usize,
    direction: Direction,
    packet: PacketRef,
    segment: &Segment,
) {
    let about = direction.reversed();
    let Some(&(left, right)) = segment.options.sack.as_slice().first() else { return };
    let Some(added) = connection.rewritten_by(hop, about).filter(|&added| added != 0) else { return };
    let (position, to_own) = match direction {
        Direction::ClientToServer => (hop + 1, added),
        Direction::ServerToClient => (hop, added.wrapping_neg()),
    };
    let Some(flow) = connection.flows[position].as_ref() else { return };
    let half = flow.half(about);
    let was_sent = |seq: SeqNum| {
        half.peek(seq).zip(half.highest_end).is_some_and(|(at, end)| at <= end && end - at < MAX_DISTANCE)
    };
    let forgotten = !was_sent(right) && was_sent(left.add(to_own)) && was_sent(right.add(to_own));
    if was_sent(segment.ack) && (forgotten || (was_sent(left) && was_sent(right))) {
        connection.hops[hop].changes[direction.index()].note_sack(packet, left, forgotten);
    }
}

impl Hop {
    /// The pieces of `direction` that wait downstream, and those that wait upstream.
    fn waiting(&self, direction: Direction) -> (&Side, &Side) {
        let lane = &self.lanes[direction.index()];
        match downstream_end(direction) {
            End::Sender => (&lane.sent, &lane.received),
            End::Receiver => (&lane.received, &lane.sent),
        }
    }
}

impl Connection {
    /// Numbers `direction` of `hop` by a shift that the run of its segments shows.
    pub(crate) fn renumber(&mut self, hop: usize, direction: Direction, shift: i64) {
        settle(self, hop, direction, Finding { shift, proven: true, remade: false });
    }

    /// What a device adds to the sequence numbers of `direction` on `hop`, as what the downstream end's have more
    /// than the upstream end's; `None` if that is not proven.
    pub(crate) fn rewritten_by(&self, hop: usize, direction: Direction) -> Option<u32> {
        let state = self.hops.get(hop)?;
        let known = state.footing[direction.index()].proven || state.tallies[direction.index()].delivered > 0;
        state.shifts[direction.index()].filter(|_| known).map(|shift| turn(shift).wrapping_neg())
    }

    /// Whether it is known how the ends of `hop` number `direction`, so that what one end alone shows says
    /// something.
    pub(crate) fn is_comparable(&self, hop: usize, direction: Direction) -> bool {
        let (Some(up), Some(down)) = (&self.flows[hop], &self.flows[hop + 1]) else { return false };
        let both_saw = |way: Direction| up.half(way).last.is_some() && down.half(way).last.is_some();
        let matched = Direction::BOTH.iter().any(|way| self.hops[hop].tallies[way.index()].delivered > 0);
        if !matched && Direction::BOTH.into_iter().any(both_saw) {
            // Not one packet that both show: the two are not understood, whatever speaks for their being one.
            return false;
        }
        if both_saw(direction) { self.rewritten_by(hop, direction).is_some() } else { self.is_one(hop) }
    }

    /// Whether the two ends of `hop` are proven to show one connection.
    pub(crate) fn is_one(&self, hop: usize) -> bool {
        Direction::BOTH.iter().any(|&way| self.rewritten_by(hop, way).is_some())
    }

    /// Whether the answer to the SYN that the opener got is one that the other end sent, as far as both saw one.
    pub(crate) fn is_answered_by_the_peer(&self, hop: usize) -> bool {
        let Some(back) = self.opened().map(Direction::reversed) else { return true };
        let got =
            |position: usize| self.flows[position].as_ref().is_some_and(|flow| flow.half(back).isn.is_some());
        self.hops[hop].opened[back.index()] || !(got(hop) && got(hop + 1))
    }
}
