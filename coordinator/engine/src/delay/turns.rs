//! Requests and answers of a connection, told by the change of direction of its payload (ALGORITHMS §6.2).
//!
//! Fed with matched segments. Whichever capture is fed later, matches come in an order that cause precedes effect in:
//! a request is matched before its answer. Everything else is told by stamps of one clock.

use super::Opening;
use super::exchange::Exchange;
use super::leg::{Fresh, Leg, Mark};
use super::sender::Parts;
use super::totals::Totals;
use crate::flow::Seen;
use correlate_proto::Direction;

/// The turns of a connection.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Direction of the requests.
    pub(crate) asks: Direction,
    /// Octets that were matched, and where the next turn must begin, by direction.
    seen: [Seen; 2],
    expected: [Option<i64>; 2],
    /// The handshake's last ACK, until the end that asks has spoken.
    greeted: Option<(Mark, Mark)>,
    request: Option<Leg>,
    answer: Option<Leg>,
    /// The exchange under way overlaps with itself or the one before.
    overlaps: bool,
    /// End of the last answer, if nothing is missing since.
    before: Option<Mark>,
    totals: Totals,
}

impl Turns {
    /// Turns of a connection that began so.
    pub(crate) fn new(opening: Opening) -> Self {
        Self {
            asks: opening.asks,
            seen: [Seen::default(), Seen::default()],
            expected: opening.first,
            greeted: opening.ack,
            request: None,
            answer: None,
            overlaps: false,
            before: None,
            totals: Totals::default(),
        }
    }

    /// Takes in octets of `direction` that were matched.
    pub(crate) fn take(&mut self, direction: Direction, fresh: &Fresh) {
        let seen = &mut self.seen[direction.index()];
        if let Some(expected) = self.expected[direction.index()].filter(|_| seen.is_empty()) {
            seen.raise(expected);
        }
        if seen.insert(fresh.start, fresh.end) == 0 {
            return;
        }
        if direction == self.asks { self.asked(fresh) } else { self.answered(fresh) }
    }

    fn asked(&mut self, fresh: &Fresh) {
        self.greeted = None;
        match (&mut self.request, &self.answer) {
            (Some(request), None) => request.extend(fresh),
            (_, Some(answer)) => {
                let early = fresh.first_at < answer.done.at;
                self.overlaps |= early;
                self.finish(Some(fresh.start));
                self.overlaps = early;
                self.request = Some(Leg::begin(fresh));
            }
            (None, None) => self.request = Some(Leg::begin(fresh)),
        }
    }

    fn answered(&mut self, fresh: &Fresh) {
        if let Some(answer) = &mut self.answer {
            answer.extend(fresh);
            return;
        }
        // Where the other end speaks first, the handshake's last ACK stands for a request.
        if let (None, Some((sent, received)), Some(start)) =
            (self.request, self.greeted.take(), self.expected[self.asks.index()])
        {
            let gap = Parts::default();
            let ack = Fresh { start, end: start, first_at: sent.at, sent, received, gap };
            self.request = Some(Leg::begin(&ack));
        }
        self.overlaps |= self.request.is_some_and(|request| fresh.first_at < request.done.at);
        self.answer = Some(Leg::begin(fresh));
    }

    /// The exchange under way is over; the next request begins at `next`.
    fn finish(&mut self, next: Option<i64>) {
        let (request, answer) = (self.request.take(), self.answer.take());
        let measured = self.measure(request, answer, next, &mut self.totals.clone());
        if let Some((totals, before)) = measured {
            (self.totals, self.before) = (totals, before);
        }
        for (leg, direction) in [(request, self.asks), (answer, self.asks.reversed())] {
            if let Some(leg) = leg {
                self.expected[direction.index()] = Some(leg.to);
            }
        }
        // What lies between was never matched; it spoiled the exchange before, not the one that begins.
        if let (Some(request), Some(next)) = (request, next) {
            self.expected[self.asks.index()] = Some(next.max(request.to));
        }
        self.overlaps = false;
    }

    /// The totals with the exchange of these two, and the end of its answer if the next one follows it.
    fn measure(
        &self,
        request: Option<Leg>,
        answer: Option<Leg>,
        next: Option<i64>,
        totals: &mut Totals,
    ) -> Option<(Totals, Option<Mark>)> {
        let answer = answer?;
        let Some(request) = request else { return Some((*totals, None)) };
        let goes_on = next.is_none_or(|next| next == request.to);
        if !goes_on || !self.is_whole(&request, self.asks) || !self.is_whole(&answer, self.asks.reversed()) {
            totals.incomplete += 1;
            return Some((*totals, None));
        }
        if self.overlaps {
            totals.overlapping += 1;
            return Some((*totals, None));
        }
        totals.add(Exchange::of(&request, &answer, self.before.map(|mark| mark.at)), self.before);
        Some((*totals, Some(answer.done)))
    }

    /// Whether every octet of `leg` was matched, and it begins where the one before ended.
    fn is_whole(&self, leg: &Leg, direction: Direction) -> bool {
        let expected = self.expected[direction.index()];
        expected.is_none_or(|expected| expected == leg.from)
            && self.seen[direction.index()].contains(leg.from, leg.to)
    }

    /// The totals with the exchange under way, if both ends' captures show that no more octets follow: `ends` are
    /// those behind the last of each direction.
    pub(crate) fn totals(&self, ends: [Option<i64>; 2]) -> Totals {
        let mut totals = self.totals;
        if self.answer.is_none() {
            return totals;
        }
        let reaches = |leg: Option<Leg>, direction: Direction| {
            leg.zip(ends[direction.index()]).is_some_and(|(leg, end)| leg.to == end)
        };
        if !reaches(self.request, self.asks) || !reaches(self.answer, self.asks.reversed()) {
            totals.incomplete += u64::from(self.request.is_some());
            return totals;
        }
        self.measure(self.request, self.answer, None, &mut totals).map_or(totals, |(totals, _)| totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    /// The server's clock is ahead by so much.
    const AHEAD: i64 = 5_000_000 * MS;
    const C2S: Direction = Direction::ClientToServer;
    const S2C: Direction = Direction::ServerToClient;

    /// Octets sent at a true time and under way for so long.
    fn octets(direction: Direction, start: i64, sent: i64, under_way: i64) -> Fresh {
        let (from, to) = if direction == C2S { (0, AHEAD) } else { (AHEAD, 0) };
        let mark = |at| Mark { at, packet: 9 };
        let (sent, received) = (sent + from, sent + under_way + to);
        let gap = Parts::default();
        Fresh { start, end: start + 100, first_at: sent, sent: mark(sent), received: mark(received), gap }
    }

    fn new(ack: Option<(Mark, Mark)>) -> Turns {
        Turns::new(Opening { asks: C2S, first: [Some(0), Some(0)], ack })
    }

    /// Three exchanges of one segment each way: 5 ms there, 7 ms back, 30 ms at the server, 40 ms at the client.
    fn turns(skip: Option<(usize, Direction)>) -> Turns {
        let mut turns = new(None);
        let mut now = 0;
        for number in 0..3 {
            let start = i64::try_from(number).unwrap() * 100;
            for (direction, under_way, then) in [(C2S, 5 * MS, 30 * MS), (S2C, 7 * MS, 40 * MS)] {
                if skip != Some((number, direction)) {
                    turns.take(direction, &octets(direction, start, now, under_way));
                }
                now += under_way + then;
            }
        }
        turns
    }

    const ENDS: [Option<i64>; 2] = [Some(300), Some(300)];

    #[test]
    fn think_times_and_the_networks_share_are_exact_whatever_the_offset() {
        let totals = turns(None).totals(ENDS);
        assert_eq!((totals.count, totals.incomplete, totals.overlapping), (3, 0, 0));
        assert_eq!(totals.think(), [80 * MS, 90 * MS]);
        assert_eq!(totals.network, 36 * MS);
        let slowest = totals.slowest.unwrap();
        assert_eq!((slowest.took(), slowest.served, slowest.network()), (42 * MS, 30 * MS, 12 * MS));
    }

    #[test]
    fn what_a_capture_lacks_spoils_the_exchanges_around_it_and_no_other() {
        for number in 0..3 {
            for direction in Direction::BOTH {
                let totals = turns(Some((number, direction))).totals(ENDS);
                assert!(totals.count >= 1 && totals.count + totals.incomplete <= 3, "{number} {direction:?}");
                assert!(totals.slow_answers.times == 0 && totals.slowest.unwrap().served == 30 * MS);
            }
        }
    }

    #[test]
    fn an_exchange_with_octets_to_come_is_not_complete() {
        let totals = turns(None).totals([Some(300), Some(400)]);
        assert_eq!((totals.count, totals.incomplete), (2, 1));
    }

    #[test]
    fn requests_that_do_not_wait_for_answers_overlap() {
        let mut turns = new(None);
        for number in 0..6 {
            turns.take(C2S, &octets(C2S, number * 100, number * MS, 5 * MS));
            turns.take(S2C, &octets(S2C, number * 100, number * MS + 6 * MS, 7 * MS));
        }
        let totals = turns.totals([Some(600), Some(600)]);
        assert!(totals.is_overlapping(), "{totals:?}");
        assert_eq!(totals.count, 0);
    }

    #[test]
    fn an_answer_before_the_end_of_the_request_overlaps() {
        let mut turns = new(None);
        turns.take(C2S, &octets(C2S, 0, 0, 5 * MS));
        turns.take(C2S, &octets(C2S, 100, MS, 5 * MS));
        turns.take(S2C, &octets(S2C, 0, 5 * MS + 1, 7 * MS));
        let totals = turns.totals([Some(200), Some(100)]);
        assert_eq!((totals.count, totals.overlapping), (0, 1));
    }

    #[test]
    fn the_handshake_is_the_request_to_a_greeting() {
        let ack = octets(C2S, 0, 0, 5 * MS);
        let mut turns = new(Some((ack.sent, ack.received)));
        turns.take(S2C, &octets(S2C, 0, 905 * MS, 7 * MS));
        let totals = turns.totals([Some(0), Some(100)]);
        assert_eq!((totals.count, totals.think()), (1, [0, 900 * MS]));
        assert_eq!(totals.slow_answers.times, 1);
    }
}
