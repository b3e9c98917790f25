//! The two ends of one direction of a hop, and what is when at either.

use super::settle::Horizon;
use crate::clock::PairClock;
use crate::comparison::Comparison;
use crate::connection::{Connection, HandshakeLog};
use crate::flow::{Flow, Half};
use crate::matching::Piece;
use crate::point::{Point, Window};
use crate::session::Session;
use correlate_proto::{Direction, Span, Timestamp};

/// A segment that was not seen at the other end is not judged before so much event time has passed there: a
/// SYN's repetitions and slow queues are within it (ALGORITHMS §4.3 asks for 3 s for handshakes).
pub(super) const WAIT_NS: i64 = 3_000_000_000;

/// Where nothing that was sent later has arrived either, all of it may be held back: by a host that is being moved, a radio
/// link, a full queue of a slow one. It is not judged before so much time has passed.
const STALLED_NS: i64 = 30_000_000_000;

/// A capture must have run for at least this long beyond the moment when a segment would have arrived, before
/// the segment's absence speaks for loss (§4.3: 250 ms, or a few round trips).
const MIN_SLACK_NS: i64 = 250_000_000;

/// Round trips that a segment may take longer than the shortest one and still be on its way.
const SLACK_ROUND_TRIPS: i64 = 3;

/// What a segment may be overtaken by without being lost, at least.
const MIN_SETTLING_NS: i64 = 10_000_000;

/// Without an estimate of the offset one way is unbounded; no path of this earth delays a packet longer.
const MAX_DELAY_NS: i64 = 5_000_000_000;

/// The two ends of one direction of a hop.
pub(super) struct Ends<'a> {
    pub(super) session: &'a Session,
    pub(super) direction: Direction,
    pub(super) sender: &'a Flow,
    pub(super) receiver: &'a Flow,
    /// Handshake packets at the receiver's end.
    pub(super) receiver_log: &'a HandshakeLog,
    /// Shortest round trip, 0 if it is not known.
    pub(super) round_trip: i64,
    pub(super) slack: i64,
    /// What a segment may be overtaken by without being lost.
    pub(super) settling: i64,
    /// Added to an end's offsets to get those of the lane.
    pub(super) sender_shift: i64,
    pub(super) receiver_shift: i64,
    pub(super) comparison: Comparison,
}

impl Session {
    pub(super) fn ends<'a>(
        &'a self,
        connection: &'a Connection,
        hop: usize,
        direction: Direction,
    ) -> Option<Ends<'a>> {
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
            receiver_log: &connection.handshake[if forward { hop + 1 } else { hop }],
            round_trip,
            slack: slack(round_trip),
            settling: round_trip.max(MIN_SETTLING_NS),
            sender_shift: if forward { 0 } else { shift },
            receiver_shift: if forward { shift } else { 0 },
            comparison: Comparison::of(connection, hop, direction),
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

    /// What `at` of `from`'s clock is on `to`'s clock, by the best estimate of the offset. Absent unless packets of both
    /// directions were matched.
    pub(crate) fn translate_by_estimate(&self, at: i64, from: usize, to: usize) -> Option<i64> {
        let downstream = self.points[from].position < self.points[to].position;
        let (up, down) = if downstream { (from, to) } else { (to, from) };
        let at_up = if downstream { at } else { at.saturating_sub(self.points[down].reference_offset) };
        let offset = self.clock(up, down)?.offset_at(Timestamp::from_ns(at_up)).estimate?.as_ns();
        Some(if downstream { at.saturating_add(offset) } else { at.saturating_sub(offset) })
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
    /// Up to which stamps of the sender and of the receiver pieces are judged. `apart` tells whether marks tell
    /// copies apart: else one that waits for long would be taken for a later one.
    pub(super) fn due(&self, horizon: Horizon, apart: bool) -> (i64, i64) {
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
        let shown_by = sending.min(received_by_sender_clock);
        let settled = shown_by.saturating_sub(wait);
        let patient = shown_by.saturating_sub(STALLED_NS);
        let newest = self.newest_arrived().filter(|_| apart);
        let sent = newest.map_or(settled, |newest| settled.min(newest.max(patient)));
        (
            sent.min(arrives_by.saturating_sub(self.slack)),
            receiving.min(sent_by_receiver_clock).saturating_sub(wait).min(departs_by),
        )
    }

    /// When the newest packet of the direction that arrived was sent, whichever connection it belongs to.
    fn newest_arrived(&self) -> Option<i64> {
        let forward = self.direction == Direction::ClientToServer;
        let (up, down) = if forward { (self.sender, self.receiver) } else { (self.receiver, self.sender) };
        self.session.course(up.point, down.point, self.direction)?.silences.newest()
    }

    /// Until when `point`'s capture is known to have run, by the clock of the other end.
    fn known_until(&self, point: &Point, from: usize, to: usize) -> i64 {
        if point.info.vouched {
            return i64::MAX;
        }
        point.covered_to().map_or(i64::MIN, |until| self.session.translate(until, from, to).0)
    }

    /// When `piece`, sent, would arrive if it took no time: earliest and latest by the receiver's clock.
    pub(super) fn arrival(&self, piece: &Piece) -> (i64, i64) {
        self.session.translate(piece.at, self.sender.point, self.receiver.point)
    }

    /// When `piece`, which arrived, can have been sent: not before the connection began, if its sender's capture
    /// shows that.
    pub(super) fn departure(&self, piece: &Piece) -> Window {
        let (earliest, latest) = self.session.translate(piece.at, self.receiver.point, self.sender.point);
        let earliest = earliest.saturating_sub(self.slack);
        let began = self.sender.opener.map_or(earliest, |_| self.sender.first.at.min(latest));
        Window { from: earliest.max(began), to: latest }
    }

    pub(super) fn sending(&self) -> &Point {
        &self.session.points[self.sender.point]
    }

    pub(super) fn receiving(&self) -> &Point {
        &self.session.points[self.receiver.point]
    }

    /// The direction as the sender's capture shows it, and where `piece` lies there.
    pub(super) fn at_sender(&self, piece: &Piece) -> (&Half, i64, i64) {
        let half = self.sender.half(self.direction);
        (half, piece.start - self.sender_shift, piece.end() - self.sender_shift)
    }

    /// The direction as the receiver's capture shows it, and where `piece` lies there.
    pub(super) fn at_receiver(&self, piece: &Piece) -> (&Half, i64, i64) {
        let half = self.receiver.half(self.direction);
        (half, piece.start - self.receiver_shift, piece.end() - self.receiver_shift)
    }
}
