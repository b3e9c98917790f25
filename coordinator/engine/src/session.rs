//! All that the engine holds of a session, and the order in which its parts work on it.

use crate::Config;
use crate::clock::{ClockInput, PairClock};
use crate::connection::Connection;
use crate::course::Course;
use crate::fate::{FateRecord, Pending};
use crate::findings::{PathTotals, SizeLimit, Symptom, Symptoms};
use crate::flow::{Flow, FlowMap, FlowPair};
use crate::fold::{Ended, News};
use crate::pairing::{Rivals, SynIndex};
use crate::point::{Point, labels, positions};
use correlate_proto::CapturePoint;
use correlate_proto::Direction;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How many connections are held at once. Beyond it packets of new ones are counted and left out, and the report
/// says so. 100,000 with both ends' state are about 250 MB; healthy closed ones make room within seconds.
pub(crate) const MAX_CONNECTIONS: usize = 100_000;

/// The course of both directions, by upstream and downstream capture point.
pub(crate) type Courses = BTreeMap<(usize, usize), [Course; 2]>;

/// Clocks by upstream and downstream capture point.
pub(crate) type Clocks = BTreeMap<(usize, usize), PairClock>;

/// What may still tell a SYN whose sequence number a device rewrites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Orphan {
    Tuple(FlowPair),
    Stamp(u32),
}

/// The state of a session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) points: Vec<Point>,
    /// Capture points on the path, alternatives counted once.
    pub(crate) path_len: usize,
    pub(crate) connections: Vec<Option<Box<Connection>>>,
    free: Vec<u32>,
    /// By capture point: which connection a four-tuple belongs to now.
    pub(crate) maps: Vec<FlowMap>,
    pub(crate) syns: SynIndex,
    pub(crate) rivals: Rivals,
    /// By upstream and downstream capture point.
    pub(crate) clocks: Clocks,
    /// Connections with segments that wait for their fate.
    pub(crate) unsettled: BTreeSet<u32>,
    /// Connections that were closed and wait for being let go.
    pub(crate) closed: BTreeSet<u32>,
    /// What is left of connections that ended.
    pub(crate) ended: Ended,
    pub(crate) symptoms: Symptoms,
    /// By upstream and downstream capture point and direction.
    pub(crate) paths: BTreeMap<(usize, usize, Direction), PathTotals>,
    pub(crate) courses: Courses,
    pub(crate) news: News,
    /// SYNs that only one end's capture shows, by position, four-tuple and timestamp: one that a device changed
    /// beyond recognition may be the one that the other end misses.
    pub(crate) orphans: BTreeSet<(usize, Orphan)>,
    /// By direction: the smallest size that is proven to vanish on the path, and the largest that passes.
    pub(crate) size_limits: [Option<SizeLimit>; 2],
    /// Connections that a proxy joins, by number, known at the end.
    pub(crate) proxied: BTreeMap<u64, Symptom>,
    /// Addresses of servers that a device translates.
    pub(crate) translated: BTreeSet<IpAddr>,
    /// Connections seen so far.
    pub(crate) opened: u64,
    /// The number given last: two that turned out to be one bear one number less.
    numbered: u64,
    pub(crate) records: u64,
    /// Packets of connections that there was no room for.
    pub(crate) no_room: u64,
    /// Fates to be handed out, if they are asked for.
    pub(crate) fates: Vec<FateRecord>,
    /// Those that depend on what is still to be learnt about the captures.
    pub(crate) pending_fates: Vec<Pending>,
}

impl Session {
    /// A session that has taken in nothing yet.
    pub(crate) fn new(config: Config, points: Vec<CapturePoint>) -> Self {
        let (places, path_len) = positions(&points);
        let names = labels(&points);
        let points: Vec<Point> = points
            .into_iter()
            .zip(places)
            .zip(names)
            .map(|((info, position), label)| Point::new(info, position, label))
            .collect();
        Self {
            config,
            maps: points.iter().map(|_| FlowMap::default()).collect(),
            points,
            path_len,
            connections: Vec::new(),
            free: Vec::new(),
            syns: SynIndex::default(),
            rivals: Rivals::default(),
            clocks: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            closed: BTreeSet::new(),
            ended: Ended::default(),
            symptoms: Symptoms::default(),
            paths: BTreeMap::new(),
            courses: BTreeMap::new(),
            news: News::default(),
            orphans: BTreeSet::new(),
            size_limits: [None; 2],
            proxied: BTreeMap::new(),
            translated: BTreeSet::new(),
            opened: 0,
            numbered: 0,
            records: 0,
            no_room: 0,
            fates: Vec::new(),
            pending_fates: Vec::new(),
        }
    }

    /// Makes room for a new connection; `None` if too many are held.
    pub(crate) fn add_connection(&mut self) -> Option<u32> {
        if self.connections.len() - self.free.len() >= MAX_CONNECTIONS {
            return None;
        }
        self.opened += 1;
        self.numbered += 1;
        let connection = Some(Box::new(Connection::new(self.numbered, self.path_len)));
        if let Some(index) = self.free.pop() {
            self.connections[index as usize] = connection;
            return Some(index);
        }
        self.connections.push(connection);
        u32::try_from(self.connections.len() - 1).ok()
    }

    /// Takes a connection out; its place may be given to another.
    pub(crate) fn remove_connection(&mut self, index: u32) -> Option<Box<Connection>> {
        let connection = self.connections.get_mut(index as usize)?.take()?;
        for flow in connection.seen_flows() {
            self.maps[flow.point].remove(&flow.pair, index);
        }
        self.syns.remove(index, &connection);
        self.unsettled.remove(&index);
        self.closed.remove(&index);
        self.news.forget(index);
        self.free.push(index);
        Some(connection)
    }

    /// The clock between an upstream and a downstream capture point.
    pub(crate) fn clock(&self, upstream: usize, downstream: usize) -> Option<&PairClock> {
        self.clocks.get(&(upstream, downstream))
    }
}

/// The clock of a pair of points, made when first needed. Where both are on steady time it is that of two free
/// oscillators.
pub(crate) fn clock_of<'a>(
    clocks: &'a mut Clocks,
    points: &[Point],
    upstream: usize,
    downstream: usize,
) -> &'a mut PairClock {
    clocks.entry((upstream, downstream)).or_insert_with(|| {
        let steady = [upstream, downstream].iter().all(|&point| points[point].steady.is_some());
        PairClock::new(if steady { ClockInput::Raw } else { ClockInput::Realtime })
    })
}

/// What may tell the SYN of `flow` at another end.
pub(crate) fn orphan_marks(flow: &Flow) -> impl Iterator<Item = Orphan> {
    let stamp = flow.opener.and_then(|half| flow.halves[half].syn_tsval).map(Orphan::Stamp);
    core::iter::once(Orphan::Tuple(flow.pair)).chain(stamp)
}
