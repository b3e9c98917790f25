//! One exchange: a request and its answer.

use super::figures::queueing_of;
use super::leg::{Leg, Mark, Way};
use crate::clock::PairClock;
use correlate_proto::Direction;
use correlate_proto::report::{HostTime, NetworkTime, TimeSplit, WayTime};

/// A measured exchange. Every span is the difference of two stamps of one clock, but for the two packets that complete
/// request and answer: in their sum the offset falls out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// First octet of the request at its sender.
    pub(crate) asked: Mark,
    /// From the end of the answer before to that; 0 if there is none that it follows.
    pub(crate) thought: i64,
    pub(crate) request: Way,
    /// Last packet of the request, at its receiver.
    pub(crate) heard: Mark,
    /// First packet of the answer there.
    pub(crate) answered: Mark,
    /// From the one to the other.
    pub(crate) served: i64,
    pub(crate) answer: Way,
}

impl Exchange {
    /// The exchange of these two, after an answer that ended at `before`.
    pub(crate) fn of(request: &Leg, answer: &Leg, before: Option<i64>) -> Self {
        let (mut asking, mut answering) = (request.way(), answer.way());
        // A host that may not send does not think.
        let split = |waited: i64, window: i64| {
            (waited - window.clamp(0, waited.max(0)), window.clamp(0, waited.max(0)))
        };
        let waited = before.map_or(0, |before| request.began.at.saturating_sub(before));
        let (thought, blocked) = split(waited, request.window_before);
        asking.parts.window += blocked;
        let (served, blocked) = split(answer.began.at - request.done.at, answer.window_before);
        answering.parts.window += blocked;
        Self {
            asked: request.began,
            thought,
            request: asking,
            heard: request.done,
            answered: answer.began,
            served,
            answer: answering,
        }
    }

    /// From the end of the answer before, or from its first octet, to its last.
    pub(crate) const fn whole(&self) -> i64 {
        self.thought + self.served + self.request.parts.total() + self.answer.parts.total() + self.transit()
    }

    /// From the first octet of the request to the last of the answer.
    pub(crate) const fn took(&self) -> i64 {
        self.whole() - self.thought
    }

    /// What neither host took for itself.
    pub(crate) const fn network(&self) -> i64 {
        self.took() - self.served - self.request.parts.pause - self.answer.parts.pause
    }

    /// How long the two packets that completed it were under way together.
    const fn transit(&self) -> i64 {
        (self.request.received - self.request.sent) + (self.answer.received - self.answer.sent)
    }

    /// Its time, where `asks` is the direction of the request. Absent unless the clocks are known.
    pub(crate) fn split(&self, clock: &PairClock, asks: Direction) -> Option<TimeSplit> {
        let ways = [(self.request, asks), (self.answer, asks.reversed())];
        let mut queueing = [0; 2];
        for (way, direction) in ways {
            queueing[direction.index()] = queueing_of(clock, direction, (way.sent, way.received))?;
        }
        let sums = Sums {
            think: [self.thought, self.served],
            ways: [self.request, self.answer].map(|way| way.parts),
        };
        Some(sums.split(asks, self.transit(), queueing))
    }

    /// What it adds to the sums over all exchanges.
    pub(crate) const fn sums(&self) -> Sums {
        Sums { think: [self.thought, self.served], ways: [self.request.parts, self.answer.parts] }
    }
}

/// Time of hosts and ways: first of the end that asks and of requests, then of the end that answers and of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    pub(crate) think: [i64; 2],
    pub(crate) ways: [super::sender::Parts; 2],
}

impl Sums {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            think: [self.think[0] + other.think[0], self.think[1] + other.think[1]],
            ways: [self.ways[0].plus(other.ways[0]), self.ways[1].plus(other.ways[1])],
        }
    }

    /// With what packets were under way for, there and back, and of that the queueing by direction. What remains is
    /// the path's own delay.
    pub(crate) fn split(&self, asks: Direction, transit: i64, queueing: [i64; 2]) -> TimeSplit {
        let host = |place: usize| HostTime { think_ns: self.think[place], pause_ns: self.ways[place].pause };
        let way = |place: usize, direction: Direction| WayTime {
            queueing_ns: queueing[direction.index()],
            recovery_ns: self.ways[place].recovery,
            window_ns: self.ways[place].window,
            sending_ns: self.ways[place].sending,
        };
        let (asking, answering) = (host(0), host(1));
        let (there, back) = (way(0, asks), way(1, asks.reversed()));
        let forward = asks == Direction::ClientToServer;
        let (client, server) = if forward { (asking, answering) } else { (answering, asking) };
        let (client_to_server, server_to_client) = if forward { (there, back) } else { (back, there) };
        let propagation_ns = transit - queueing[0] - queueing[1];
        let total_ns = propagation_ns + there.total_ns() + back.total_ns();
        let network = NetworkTime { total_ns, propagation_ns, client_to_server, server_to_client };
        TimeSplit { whole_ns: total_ns + client.total_ns() + server.total_ns(), client, server, network }
    }
}
