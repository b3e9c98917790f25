//! Connections that are over: judged, counted, and let go.
//!
//! A healthy one folds into totals as soon as it is closed. One with anything to report stays until the session
//! ends, when all is known about the captures.

use crate::clock::PairClock;
use crate::connection::Connection;
use crate::delay::Measured;
use crate::findings::{Symptom, is_one_view, judge, legs, shared_size_limit, size_limit};
use crate::flow::{Flow, Unseen};
use crate::point::Window;
use crate::report::{Outcome, describe_connection};
use crate::session::{Session, orphan_marks};
use correlate_proto::report::{Code, Confidence, ConnectionReport, ConnectionTotals, Finding, Severity};
use correlate_proto::{Direction, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A connection is over when it has been closed and silent for this long: late retransmissions have come.
const LINGER_NS: i64 = 5_000_000_000;

/// How many epochs after its last packet a connection is still looked at for news: a handshake that fails shows
/// within seconds.
const WATCHED_EPOCHS: u8 = 24;

/// A connection attempt is spoken of while it goes on only when it has been repeated, and no repetition has been
/// under way for this long.
const QUIET_NS: i64 = 500_000_000;
const ATTEMPTS: [Code; 5] =
    [Code::SynLost, Code::SynAckLost, Code::SynUnanswered, Code::SynAckIgnored, Code::HandshakeAckLost];

/// Healthy connections that the report lists; all are counted.
const MAX_HEALTHY_LISTED: usize = 100;

/// Connections with findings that the report lists; the findings count all.
const MAX_TROUBLED_LISTED: usize = 1000;

/// What kind of finding: its code and direction.
type Kind = (Code, Option<Direction>);

/// What is left of connections that ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) totals: ConnectionTotals,
    healthy_listed: usize,
    troubled_listed: usize,
    /// By number.
    pub(crate) listed: BTreeMap<u64, Listed>,
}

/// A connection that the report lists.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) report: ConnectionReport,
    pub(crate) codes: Vec<Kind>,
    /// What becomes figures once the clocks are known.
    pub(crate) measured: Option<Box<Measured>>,
}

/// What is announced while the session runs.
#[derive(Debug, Default)]
pub(crate) struct News {
    watched: BTreeMap<u32, u8>,
    announced: BTreeMap<Kind, u64>,
    told: BTreeSet<(u64, Code)>,
}

impl News {
    /// `connection` had a packet.
    pub(crate) fn watch(&mut self, connection: u32) {
        self.watched.insert(connection, WATCHED_EPOCHS);
    }

    /// `connection` is gone.
    pub(crate) fn forget(&mut self, connection: u32) {
        self.watched.remove(&connection);
    }
}

/// How many proofs that packets are missing the two ends of a direction have in common.
fn shared_gaps(near: &Unseen, far: &Unseen, shift: i64) -> u64 {
    let counted = near.ranges().iter().filter(|gap| gap.counted);
    let shared = counted.filter(|gap| far.lacks(gap.start - shift, gap.end - shift));
    u64::try_from(shared.count()).unwrap_or(u64::MAX)
}

impl Session {
    /// Fits the clocks up to the upstream points' watermarks.
    pub(crate) fn fit_clocks(&mut self) {
        for (&(upstream, _), clock) in &mut self.clocks {
            if let Some(watermark) = self.points[upstream].watermark {
                clock.advance(Timestamp::from_ns(watermark));
            }
        }
        self.note_reference_offsets();
    }

    /// Fits the clocks with all there is.
    pub(crate) fn finish_clocks(&mut self) {
        self.clocks.values_mut().for_each(PairClock::finish);
        self.note_reference_offsets();
    }

    /// Keeps each point's offset from the reference clock, for times that are only shown or looked up.
    fn note_reference_offsets(&mut self) {
        let reference = self.points.iter().position(|point| point.position == 0).unwrap_or(0);
        let rough = self.points.get(reference).map_or(0, |point| point.rough_offset);
        for (index, point) in self.points.iter_mut().enumerate().filter(|(_, point)| point.position > 0) {
            let clock = self.clocks.get(&(reference, index));
            let offset = clock.and_then(|clock| clock.summary().offset).map(correlate_proto::Span::as_ns);
            point.reference_offset = offset.unwrap_or_else(|| rough.saturating_sub(point.rough_offset));
        }
    }

    /// Lets go of connections that are over and have nothing to report.
    pub(crate) fn fold_healthy(&mut self) {
        let candidates: Vec<u32> = self.closed.iter().copied().collect();
        for index in candidates {
            let Some(connection) = self.connections[index as usize].as_deref() else {
                self.closed.remove(&index);
                continue;
            };
            // What a connection that one end alone saw is worth, the counters tell, and they come last.
            if connection.has_waiting()
                || !connection.is_paired()
                || !self.is_silent_for(connection, LINGER_NS)
            {
                continue;
            }
            self.closed.remove(&index);
            let mut taken = self.connections[index as usize].take();
            if let Some(connection) = &mut taken {
                self.excuse_shared_gaps(connection);
            }
            self.connections[index as usize] = taken;
            let Some(connection) = self.connections[index as usize].as_deref() else { continue };
            let symptoms = judge(self, connection);
            if symptoms.iter().any(|symptom| symptom.severity > Severity::Info) {
                continue;
            }
            if let Some(mut connection) = self.remove_connection(index) {
                self.bury(&mut connection, symptoms);
            }
        }
    }

    /// Whether every end has shown nothing of `connection` for `span` nanoseconds of event time.
    fn is_silent_for(&self, connection: &Connection, span: i64) -> bool {
        connection.seen_flows().all(|flow| {
            let watermark = self.points[flow.point].watermark;
            watermark.is_some_and(|watermark| watermark.saturating_sub(flow.last.at) > span)
        })
    }

    /// Learns from `connection` which sizes the path does not carry.
    fn learn_size_limits(&mut self, connection: &Connection) {
        for direction in Direction::BOTH {
            if let Some(limit) = size_limit(connection, direction) {
                self.size_limits[direction.index()].get_or_insert(limit);
            }
        }
    }

    /// Learns which sizes the path does not carry from what connections show together.
    fn learn_shared_size_limits(&mut self) {
        for direction in Direction::BOTH {
            if self.size_limits[direction.index()].is_none() {
                self.size_limits[direction.index()] = shared_size_limit(self, direction);
            }
        }
    }

    /// Notes a SYN that only one end's capture shows.
    fn note_orphan(&mut self, connection: &Connection) {
        if connection.is_paired() {
            return;
        }
        for flow in connection.seen_flows() {
            let position = self.points[flow.point].position;
            self.orphans.extend(orphan_marks(flow).map(|mark| (position, mark)));
        }
    }

    /// Judges and counts every connection that is left.
    pub(crate) fn bury_all(&mut self) {
        for index in 0..self.connections.len() {
            let mut taken = self.connections[index].take();
            if let Some(connection) = &mut taken {
                self.excuse_shared_gaps(connection);
                self.learn_size_limits(connection);
                self.note_orphan(connection);
            }
            self.connections[index] = taken;
        }
        self.learn_shared_size_limits();
        self.proxied = legs(self);
        let mut left: Vec<u32> = (0u32..).take(self.connections.len()).collect();
        left.retain(|&index| self.connections[index as usize].is_some());
        left.sort_by_key(|&index| {
            self.connections[index as usize].as_ref().map(|connection| connection.number)
        });
        for index in left {
            let symptoms = match self.connections[index as usize].as_deref() {
                Some(connection) => judge(self, connection),
                None => continue,
            };
            if let Some(mut connection) = self.remove_connection(index) {
                self.bury(&mut connection, symptoms);
            }
        }
    }

    /// Octets that both ends' captures lack tell nothing against either: an excerpt, or a filter.
    fn excuse_shared_gaps(&mut self, connection: &mut Connection) {
        if core::mem::replace(&mut connection.excused, true) {
            return;
        }
        let (Some(client), Some(server)) = (
            connection.flows.first().and_then(Option::as_ref),
            connection.flows.last().and_then(Option::as_ref),
        ) else {
            return;
        };
        for direction in Direction::BOTH {
            let shift = connection.hops.first().and_then(|hop| hop.shifts[direction.index()]).unwrap_or(0);
            let (near, far) = (client.half(direction), server.half(direction));
            let shared = shared_gaps(&near.unseen, &far.unseen, shift);
            for flow in [client, server] {
                let point = &mut self.points[flow.point];
                point.missed = point.missed.saturating_sub(shared);
                point.missed_by_all += shared;
            }
        }
    }

    fn bury(&mut self, connection: &mut Connection, symptoms: Vec<Symptom>) {
        let worst =
            symptoms.iter().filter(|s| s.confidence > Confidence::Unconfirmed).map(|s| s.severity).max();
        let outcome = match worst {
            Some(Severity::Warning | Severity::Error) => Outcome::Problem,
            _ if symptoms.iter().any(|symptom| symptom.code == Code::Proxied) => Outcome::Proxied,
            _ if !connection.is_paired() => Outcome::Unpaired,
            _ => Outcome::Healthy,
        };
        self.add_to_paths(connection, &symptoms);
        self.trace_unanswered(connection, &symptoms);
        let mut report = describe_connection(self, connection);
        report.findings.clear();
        let ended = &mut self.ended;
        ended.totals.total += 1;
        *ended.totals.by_state.entry(report.state.clone()).or_default() += 1;
        *ended.totals.by_outcome.entry(outcome.name().to_owned()).or_default() += 1;
        let room = if symptoms.is_empty() {
            ended.healthy_listed += 1;
            ended.healthy_listed <= MAX_HEALTHY_LISTED
        } else {
            ended.troubled_listed += 1;
            ended.troubled_listed <= MAX_TROUBLED_LISTED
        };
        let (first, last) = (report.started_at.0, report.ended_at.0);
        if room {
            let codes = symptoms.iter().map(|symptom| (symptom.code, symptom.direction)).collect();
            let measured = Measured::take(connection);
            ended.listed.insert(connection.number, Listed { report, codes, measured });
        }
        for symptom in symptoms {
            self.symptoms.add(connection.number, symptom, Some(first), Some(last));
        }
    }

    fn add_to_paths(&mut self, connection: &Connection, symptoms: &[Symptom]) {
        let one_view = is_one_view(connection);
        for (position, hop) in connection.hops.iter().enumerate() {
            let (Some(up), Some(down)) = (&connection.flows[position], &connection.flows[position + 1])
            else {
                continue;
            };
            for direction in Direction::BOTH {
                let mut explained = crate::findings::Explained::default();
                for symptom in symptoms {
                    explained.lost += symptom.explains[direction.index()].lost;
                }
                let round_trip = self.clock(up.point, down.point).and_then(PairClock::min_rtt);
                let round_trip = round_trip.map_or(0, correlate_proto::Span::as_ns);
                let receiver = if direction == Direction::ClientToServer { down } else { up };
                let totals = self.paths.entry((up.point, down.point, direction)).or_default();
                let tally = &hop.tallies[direction.index()];
                totals.add(connection, tally, explained, round_trip);
                if !one_view {
                    let point = &self.points[receiver.point];
                    totals.inside.note_arrived(connection.number, point, (receiver, direction));
                }
                if let Some(course) = self.courses.get_mut(&(up.point, down.point)) {
                    course[direction.index()].note_end(connection.number, tally.last_delivered_at);
                }
            }
        }
    }

    /// Findings that became provable since the last call.
    pub(crate) fn news(&mut self) -> Vec<Finding> {
        if !self.config.announce {
            return Vec::new();
        }
        let mut news = core::mem::take(&mut self.news);
        self.orphans.clear();
        let mut fresh = crate::findings::Symptoms::default();
        for &index in news.watched.keys() {
            let taken = self.connections[index as usize].take();
            if let Some(connection) = &taken {
                self.learn_size_limits(connection);
                self.note_orphan(connection);
            }
            self.connections[index as usize] = taken;
        }
        for &index in news.watched.keys() {
            let Some(connection) = self.connections[index as usize].as_deref() else { continue };
            let quiet = self.is_silent_for(connection, QUIET_NS);
            for symptom in judge(self, connection) {
                let least = if ATTEMPTS.contains(&symptom.code) && !quiet {
                    // The next repetition is on its way and may succeed.
                    continue;
                } else if ATTEMPTS.contains(&symptom.code) {
                    Confidence::Proven
                } else {
                    Confidence::Strong
                };
                let worth = symptom.severity > Severity::Info && symptom.confidence >= least;
                if worth && news.told.insert((connection.number, symptom.code)) {
                    let flow: Option<&Flow> = connection.seen_flows().next();
                    let at = flow.map(|flow| self.to_reference(flow.point, flow.first.at));
                    fresh.add(connection.number, symptom, at, at);
                }
            }
        }
        news.watched.retain(|_, left| {
            *left = left.saturating_sub(1);
            *left > 0
        });
        let mut findings = fresh.findings(self);
        findings.retain(|finding| {
            let known = news.announced.entry((finding.code, finding.direction)).or_default();
            let before = *known;
            *known += finding.connection_count;
            before == 0 || *known >= before.saturating_mul(10)
        });
        self.news = news;
        findings
    }

    /// `at` of `point`'s clock on the reference clock, that of the first client, as far as is known.
    pub(crate) fn to_reference(&self, point: usize, at: i64) -> i64 {
        at.saturating_sub(self.points[point].reference_offset)
    }

    /// Whether a packet that left `near` at `at` of its clock would have arrived while `far`'s capture ran.
    pub(crate) fn covers_arrival(&self, at: i64, near: usize, far: usize) -> bool {
        let (from, to) = self.translate(at, near, far);
        self.points[far].covers(Window { from, to: to.saturating_add(self.slack(near, far)) })
    }

    /// Whether a host other than those captured at `position` may serve `address`: it is not theirs, or
    /// connections to it were seen to arrive under another address. With several captured alternatives the user
    /// has named them all.
    pub(crate) fn another_host_may_answer(&self, position: usize, address: IpAddr) -> bool {
        let mut hosts = self.points.iter().filter(|point| point.position == position);
        if hosts.clone().count() > 1 {
            return false;
        }
        self.translated.contains(&address) || hosts.any(|point| point.owns(address) == Some(false))
    }

    /// Whether the clocks of two points are known to within what an arrival in cover can bear.
    pub(crate) fn clocks_are_close(&self, a: usize, b: usize) -> bool {
        let (up, down) = if self.points[a].position < self.points[b].position { (a, b) } else { (b, a) };
        let aligned = self.clock(up, down).is_some_and(|clock| clock.summary().bound().is_some());
        let live = [a, b]
            .iter()
            .all(|&point| matches!(self.points[point].info.kind, correlate_proto::CaptureKind::Live { .. }));
        let vouched = [a, b].iter().all(|&point| self.points[point].info.vouched);
        aligned || live || vouched
    }

    /// Whether the offset of two points' clocks is bounded on both sides by packets that both saw.
    pub(crate) fn clock_is_bounded(&self, a: usize, b: usize) -> bool {
        let (up, down) = if self.points[a].position < self.points[b].position { (a, b) } else { (b, a) };
        self.clock(up, down).is_some_and(|clock| clock.summary().bound().is_some())
    }

    /// Whether some finding rests on the silence of the captures at `position`.
    pub(crate) fn silence_is_evidence(&self, position: usize) -> bool {
        self.symptoms.has(match position {
            0 => &[Code::SynAckLost],
            _ => &[Code::SynLost, Code::RefusedInPath],
        })
    }
}
