//! What passed and what was lost in one direction between two capture points, over all connections.

use super::inside::Inside;
use crate::connection::{Connection, Example, LostPiece, Oddity, Tally, Vain};
use crate::findings::Explained;
use crate::session::Session;
use crate::stats;
use correlate_proto::Direction;
use correlate_proto::report::EvidenceEvent;

/// How many connections a finding names, and how many packets it shows.
const MAX_NAMED: usize = 100;
const SHOWN: usize = 6;

/// A round trip is longer than the shortest one by a quarter where queues stand: an ACK that left before that had time
/// to arrive.
const QUEUED: i64 = 4;

/// Segments sent, and of them lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) lost: u64,
}

impl Counts {
    pub(super) const fn and(self, other: Self) -> Self {
        Self { sent: self.sent + other.sent, lost: self.lost + other.lost }
    }

    pub(super) fn ratio(self) -> f64 {
        stats::ratio(self.lost, self.sent)
    }

    const fn without(self, explained: u64) -> Self {
        let explained = if explained < self.lost { explained } else { self.lost };
        Self { sent: self.sent - explained, lost: self.lost - explained }
    }
}

/// A packet that shows something, at one end or at both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// Number and time where it was sent.
    pub(super) sent: Option<(u64, i64)>,
    /// Number and time where it arrived.
    pub(super) received: Option<(u64, i64)>,
    pub(super) len: u32,
    pub(super) ip_len: u32,
}

/// The connections to which something happened, and packets that show it.
#[derive(Debug, Clone, Default)]
pub(super) struct Cases {
    pub(super) connections: Vec<u64>,
    pub(super) count: u64,
    /// With the numbers of their connections.
    shown: Vec<(u64, Shown)>,
    /// Times of the packets, by the sender's clock; by the receiver's if nobody sent them.
    pub(super) first_at: Option<i64>,
    pub(super) last_at: Option<i64>,
}

impl Cases {
    /// Adds a connection. The first ones by number are kept, whenever they end.
    pub(super) fn add(&mut self, connection: u64, packets: impl Iterator<Item = Shown>) {
        self.count += 1;
        let place = self.connections.partition_point(|&number| number < connection);
        self.connections.insert(place, connection);
        self.connections.truncate(MAX_NAMED);
        for packet in packets {
            let at = packet.sent.or(packet.received).map(|(_, at)| at);
            self.first_at = self.first_at.into_iter().chain(at).min();
            self.last_at = self.last_at.max(at);
            let place = self.shown.partition_point(|&(number, _)| number <= connection);
            self.shown.insert(place, (connection, packet));
            self.shown.truncate(SHOWN);
        }
    }

    /// These connections and packets, between these times.
    pub(super) fn of(
        connections: &[u64],
        packets: impl Iterator<Item = Shown>,
        (first, last): (i64, i64),
    ) -> Self {
        Self {
            connections: connections.to_vec(),
            count: u64::try_from(connections.len()).unwrap_or(u64::MAX),
            shown: packets.map(|packet| (0, packet)).collect(),
            first_at: Some(first),
            last_at: Some(last),
        }
    }

    /// Packets that show it.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Shown> {
        self.shown.iter().map(|(_, shown)| shown)
    }
}

/// Why segments were sent again in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Causes {
    pub(super) reordering: u64,
    pub(super) ack_loss: u64,
    pub(super) tail_probe: u64,
    pub(super) delay: u64,
}

impl Causes {
    fn add(&mut self, vain: &Vain, round_trip: i64) {
        let waited = vain.acknowledged_for.is_some_and(|span| span > round_trip + round_trip / QUEUED);
        let cause = match (vain.late, waited && round_trip > 0, vain.tail) {
            (true, _, _) => &mut self.reordering,
            (false, true, _) => &mut self.ack_loss,
            (false, false, true) => &mut self.tail_probe,
            (false, false, false) => &mut self.delay,
        };
        *cause += 1;
    }

    pub(super) const fn sum(self) -> u64 {
        self.reordering + self.ack_loss + self.tail_probe + self.delay
    }
}

/// What passed and what was lost in one direction between two capture points, over all connections.
#[derive(Debug, Default, Clone)]
pub(crate) struct PathTotals {
    delivered: [u64; 2],
    lost: [u64; 2],
    /// Of the lost that are no ACKs, those that nothing but the receiver's silence speaks for.
    unconfirmed: u64,
    /// Of the lost, those that other findings explain.
    explained: [u64; 2],
    missing_acks: u64,
    missing: [[u64; 2]; 2],
    pub(super) bursts: u64,
    pub(crate) ambiguous: u64,
    pub(super) connections: u64,
    pub(super) losing: Cases,
    pub(super) losing_others: Cases,
    pub(super) losing_acks: Cases,
    pub(super) reordered: u64,
    pub(super) largest_extent: u64,
    pub(super) reordering: Cases,
    pub(super) duplicated: u64,
    pub(super) duplicated_or_missed: u64,
    pub(super) duplicating: Cases,
    pub(super) spurious: u64,
    pub(super) causes: Causes,
    pub(super) repeating: Cases,
    /// What was lost inside the hosts.
    pub(crate) inside: Inside,
}

/// Index of segments that are no pure ACKs, and of pure ACKs.
const OTHERS: usize = 0;
const ACKS: usize = 1;

impl PathTotals {
    /// Adds one connection's direction, with what other findings explain of it. `round_trip` is the shortest, 0 if
    /// it is not known.
    pub(crate) fn add(
        &mut self,
        connection: &Connection,
        tally: &Tally,
        explained: Explained,
        round_trip: i64,
    ) {
        if tally.is_empty() {
            return;
        }
        let number = connection.number;
        let lost = [tally.lost - tally.lost_acks, tally.lost_acks];
        let others = explained.lost.min(lost[OTHERS]);
        let acks = (explained.lost - others).min(lost[ACKS]);
        let delivered = [tally.delivered.saturating_sub(tally.delivered_acks), tally.delivered_acks];
        for kind in [OTHERS, ACKS] {
            self.delivered[kind] += delivered[kind];
            self.lost[kind] += lost[kind];
            self.explained[kind] += [others, acks][kind];
        }
        self.unconfirmed += tally.lost_unconfirmed.saturating_sub(tally.lost_acks);
        self.missing_acks += tally.missing_acks;
        for (sum, missing) in self.missing.iter_mut().zip(&tally.missing) {
            sum[0] += missing.count;
            sum[1] += missing.runs;
        }
        self.bursts += tally.bursts;
        self.ambiguous += tally.ambiguous;
        self.connections += 1;
        let kept = |acks: bool| tally.lost_kept.iter().filter(move |lost| (lost.len == 0) == acks);
        let shown = |lost: &LostPiece| Shown {
            sent: Some((lost.packet, lost.at)),
            received: None,
            len: lost.len,
            ip_len: lost.ip_len,
        };
        if tally.lost > explained.lost {
            self.losing.add(number, tally.lost_kept.iter().map(shown));
        }
        if lost[OTHERS] > others {
            self.losing_others.add(number, kept(false).map(shown));
        }
        if lost[ACKS] > acks {
            self.losing_acks.add(number, kept(true).map(shown));
        }
        self.add_odd(number, tally, round_trip);
    }

    fn add_odd(&mut self, number: u64, tally: &Tally, round_trip: i64) {
        let of = |oddity: Oddity| {
            let examples = tally.examples.iter().filter(move |example| example.oddity == oddity);
            examples.map(|&Example { sent, received, len, ip_len, .. }| Shown {
                sent,
                received: Some(received),
                len,
                ip_len,
            })
        };
        self.reordered += tally.reordered;
        self.largest_extent = self.largest_extent.max(tally.largest_extent());
        if tally.reordered > 0 {
            self.reordering.add(number, of(Oddity::Reordered));
        }
        self.duplicated += tally.duplicated;
        self.duplicated_or_missed += tally.duplicated_or_missed;
        if tally.duplicated + tally.duplicated_or_missed > 0 {
            self.duplicating.add(number, of(Oddity::Duplicated));
        }
        self.spurious += tally.spurious;
        for vain in &tally.vain {
            self.causes.add(vain, round_trip);
        }
        if tally.spurious > 0 {
            self.repeating.add(number, of(Oddity::Spurious));
        }
    }

    /// Takes out what a finding about the path explains: segments that are no pure ACKs, and pure ACKs.
    pub(super) fn explain(&mut self, lost: [u64; 2]) {
        for (explained, lost) in self.explained.iter_mut().zip(lost) {
            *explained += lost;
        }
    }

    /// Segments that are no pure ACKs. Where the receiver's capture itself lacks packets, one that no other copy
    /// replaced may have arrived all the same: it does not count.
    pub(super) const fn others(&self, receiver_is_suspect: bool) -> Counts {
        let unproven = if receiver_is_suspect { self.unconfirmed } else { 0 };
        let lost = self.lost[OTHERS].saturating_sub(unproven);
        Counts { sent: self.delivered[OTHERS] + lost, lost }
    }

    /// Pure ACKs; none where the receiver's capture itself lacks packets.
    pub(super) const fn acks(&self, receiver_is_suspect: bool) -> Counts {
        if receiver_is_suspect {
            return Counts { sent: 0, lost: 0 };
        }
        Counts { sent: self.delivered[ACKS] + self.lost[ACKS], lost: self.lost[ACKS] }
    }

    /// [`Self::others`] without what other findings explain.
    pub(super) const fn countable_others(&self, receiver_is_suspect: bool) -> Counts {
        self.others(receiver_is_suspect).without(self.explained[OTHERS])
    }

    /// [`Self::acks`] without what other findings explain.
    pub(super) const fn countable_acks(&self, receiver_is_suspect: bool) -> Counts {
        self.acks(receiver_is_suspect).without(self.explained[ACKS])
    }

    /// Pure ACKs that left and are not in the receiver's capture, whether they arrived or not.
    pub(super) const fn unseen_acks(&self) -> Counts {
        let lost = self.lost[ACKS] + self.missing_acks;
        Counts { sent: self.delivered[ACKS] + lost, lost }.without(self.explained[ACKS])
    }

    /// Segments that are no pure ACKs and arrived.
    pub(super) const fn arrived(&self) -> u64 {
        self.delivered[OTHERS]
    }

    /// Whether nothing but the receiver's silence speaks for any of the losses.
    pub(super) const fn all_unconfirmed(&self) -> bool {
        self.unconfirmed >= self.lost[OTHERS]
    }

    /// All segments that arrived, and all that were lost.
    pub(super) const fn delivered_and_lost(&self) -> (u64, u64) {
        (self.delivered[OTHERS] + self.delivered[ACKS], self.lost[OTHERS] + self.lost[ACKS])
    }
}

/// How complete each capture is, by what is proven of data that passed it.
#[derive(Debug)]
pub(super) struct Completeness(Vec<Share>);

/// What a capture lacks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Share {
    /// Data segments that passed it, those that it lacks, and runs of these.
    passed: u64,
    missing: u64,
    runs: u64,
}

impl Completeness {
    /// Of every capture point of `session`.
    pub(super) fn of(session: &Session) -> Self {
        let mut shares = vec![Share::default(); session.points.len()];
        for (&(up, down, direction), totals) in &session.paths {
            let ends = match direction {
                Direction::ClientToServer => [up, down],
                Direction::ServerToClient => [down, up],
            };
            for (end, point) in ends.into_iter().enumerate() {
                let [missing, runs] = totals.missing[end];
                let share = &mut shares[point];
                share.passed += totals.delivered[OTHERS] + missing;
                share.missing += missing;
                share.runs += runs;
            }
        }
        Self(shares)
    }

    /// What the capture of `point` lacks.
    pub(super) fn at(&self, point: usize) -> Share {
        self.0[point]
    }
}

impl Share {
    /// How many of `unseen` packets were lost beyond what the capture lacks, and the standard error of that number.
    /// The capture's losses come together more often than chance has it, which their runs tell.
    pub(super) fn beyond(self, unseen: Counts) -> (f64, f64) {
        let share = stats::ratio(self.missing, self.passed);
        let expected = share * stats::real(unseen.sent);
        let clumping = (2.0 * stats::ratio(self.missing, self.runs) - 1.0).max(1.0);
        let of_share = share * (1.0 - share) / stats::real(self.passed.max(1));
        let variance = expected * (1.0 - share) + stats::real(unseen.sent).powi(2) * of_share;
        ((stats::real(unseen.lost) - expected).max(0.0), (clumping * variance).sqrt())
    }
}

/// What an example of a case is called at either end.
pub(super) const EVENTS: [EvidenceEvent; 2] = [EvidenceEvent::Sent, EvidenceEvent::Received];
