//! Capture files through the engine, as the commands do it, with what only tests ask for: the fate of every segment
//! that did not simply arrive, and what was known of the clocks from second to second.

use correlate_agent::capture::{CaptureError, CaptureFile, Fill, Reader};
use correlate_engine::clock::Alignment;
use correlate_engine::fate::FateRecord;
use correlate_engine::rough::RoughAligner;
use correlate_engine::{Config, Correlator, Event, Feed};
use correlate_proto::report::Report;
use correlate_proto::{
    CaptureKind, CapturePoint, CapturePointId, Interface, Local, PointStats, Record, Role, Span, Timestamp,
};
use std::path::Path;

/// How records are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feeding {
    /// As the engine asks for them, so many at a time.
    AsAsked(usize),
    /// All of the capture at this place before any of the others, so many at a time.
    First(usize, usize),
}

impl Default for Feeding {
    /// As many as a tenth of a second brings or so: clocks are asked often.
    fn default() -> Self {
        Self::AsAsked(512)
    }
}

const SECOND_NS: i64 = 1_000_000_000;

/// A capture file that has been read.
#[derive(Debug, Clone)]
pub struct Capture {
    /// Whose it is.
    pub role: Role,
    /// Its path.
    pub name: String,
    /// It is vouched for.
    pub vouched: bool,
    /// All its records.
    pub records: Vec<Record>,
    /// Its counters at its end.
    pub stats: PointStats,
    interfaces: Vec<Interface>,
    link_type: String,
}

impl Capture {
    /// Reads a whole file.
    pub fn read(role: Role, path: &Path, vouched: bool) -> Result<Self, CaptureError> {
        let mut reader = Reader::new(CaptureFile::open(path)?);
        let mut records: Vec<Record> = Vec::new();
        while reader.fill(&mut records, usize::MAX)? != Fill::End {}
        Ok(Self {
            role,
            name: path.display().to_string(),
            vouched,
            records,
            stats: reader.stats(),
            interfaces: reader.interfaces().to_vec(),
            link_type: reader.link_type_name(),
        })
    }

    /// Since when it is known to have run: a file without a frame never did.
    fn began(&self) -> Timestamp<Local> {
        self.stats.coverage.first().map_or(Timestamp::from_ns(i64::MAX), |covered| covered.from)
    }

    fn point(&self, id: u16) -> CapturePoint {
        CapturePoint {
            id: CapturePointId(id),
            role: self.role,
            host: self.name.clone(),
            kind: CaptureKind::File,
            interfaces: self.interfaces.clone(),
            link_type: self.link_type.clone(),
            vouched: self.vouched,
        }
    }
}

/// What was known of a clock at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSecond {
    /// Which capture's clock, by its place, against that of the first.
    pub downstream: usize,
    /// The instant, by the first capture's clock.
    pub at: Timestamp<Local>,
    /// What was known.
    pub known: Alignment,
    /// It was asked when the instant had just passed, not at the end.
    pub live: bool,
}

/// What the engine makes of captures.
#[derive(Debug)]
pub struct Analysis {
    /// The report.
    pub report: Report,
    /// The segments that did not simply arrive. Points are the captures' places.
    pub fates: Vec<FateRecord>,
    /// The clocks, second by second.
    pub clocks: Vec<ClockSecond>,
}

/// Analyses captures, the client's first.
pub fn judge(mut captures: Vec<Capture>, feeding: Feeding) -> Analysis {
    let offsets = align(&mut captures);
    let config = Config { trace_fates: true, ..Config::default() };
    let points = (0..).zip(&captures).map(|(id, capture)| capture.point(id)).collect();
    let mut correlator = Correlator::new(config, points);
    for (id, capture) in (0..).zip(&captures) {
        correlator.covers_from(CapturePointId(id), capture.began());
    }
    let mut feed = Feed::new(correlator, offsets);
    let (mut fates, mut clocks) = (Vec::new(), Clocks::new(&captures));
    let mut next = vec![0; captures.len()];
    while let Some((id, batch)) = next_batch(feeding, &feed, &next, &captures) {
        let place = usize::from(id.0);
        let left = &captures[place].records[next[place]..];
        let mut records = left[..left.len().min(batch)].to_vec();
        next[place] += records.len();
        clocks.pass(&records, place, &mut feed);
        feed.push_batch(id, &mut records);
        if next[place] == captures[place].records.len() {
            feed.correlator().push_stats(id, captures[place].stats.clone());
            feed.end(id);
        }
        fates.extend(drain(&mut feed));
    }
    let correlator = feed.into_correlator();
    clocks.look_back(&correlator);
    let (report, last) = correlator.finish_traced();
    fates.extend(last);
    clocks.conclude(&report, &captures);
    Analysis { report, fates, clocks: clocks.seen }
}

/// Whose records come next, and how many at the most; `None` when all have come.
fn next_batch(
    feeding: Feeding,
    feed: &Feed,
    next: &[usize],
    captures: &[Capture],
) -> Option<(CapturePointId, usize)> {
    match feeding {
        Feeding::AsAsked(batch) => feed.waiting_for().map(|id| (id, batch)),
        Feeding::First(first, batch) if next[first] < captures[first].records.len() => {
            u16::try_from(first).ok().map(|id| (CapturePointId(id), batch))
        }
        Feeding::First(_, batch) => feed.waiting_for().map(|id| (id, batch)),
    }
}

/// Analyses a client's and a server's capture file. Both are vouched for if `vouched`.
pub fn analyze(
    client: &Path,
    server: &Path,
    vouched: bool,
) -> Result<(Report, Vec<FateRecord>), CaptureError> {
    let client = Capture::read(Role::Client, client, vouched)?;
    let server = Capture::read(Role::Server, server, vouched)?;
    let analysis = judge(vec![client, server], Feeding::default());
    Ok((analysis.report, analysis.fates))
}

/// The rough offsets of the captures' clocks. Two that were given the other way round are exchanged.
fn align(captures: &mut [Capture]) -> Vec<Span> {
    let mut offsets = vec![Span(0)];
    let mut opened_from = [0, 0];
    for second in 1..captures.len() {
        let mut aligner = RoughAligner::default();
        for (end, capture) in [&captures[0], &captures[second]].into_iter().enumerate() {
            capture.records.iter().for_each(|record| aligner.take(end, record));
        }
        let found = aligner.finish();
        offsets.push(found.offset.map_or(Span(0), |offset| Span(offset.as_ns().saturating_neg())));
        opened_from[usize::from(found.opened_from_second)] += i32::from(found.offset.is_some());
    }
    if captures.len() == 2 && opened_from[1] > opened_from[0] {
        for capture in captures {
            capture.role = if capture.role == Role::Client { Role::Server } else { Role::Client };
        }
    }
    offsets
}

fn drain(feed: &mut Feed) -> Vec<FateRecord> {
    let events = std::iter::from_fn(|| feed.correlator().poll());
    let fate = |event| match event {
        Event::Fate(fate) => Some(fate),
        Event::Finding(_) => None,
    };
    events.filter_map(fate).collect()
}

/// Asks for the clocks as time passes.
#[derive(Debug)]
struct Clocks {
    others: usize,
    first: Option<i64>,
    /// The last instant of the first capture that was asked for.
    asked: i64,
    seen: Vec<ClockSecond>,
}

impl Clocks {
    fn new(captures: &[Capture]) -> Self {
        let first = captures[0].records.first().map(|record| record.at().as_ns());
        Self { others: captures.len() - 1, first, asked: first.unwrap_or(0), seen: Vec::new() }
    }

    /// Before the records are handed over: asks for the instant of the last that was, once a second.
    fn pass(&mut self, records: &[Record], place: usize, feed: &mut Feed) {
        let Some(at) = records.first().map(|record| record.at().as_ns()).filter(|_| place == 0) else {
            return;
        };
        if at >= self.asked.saturating_add(SECOND_NS) {
            self.asked = at;
            self.ask(feed.correlator(), at, true);
        }
    }

    /// At the end: asks for every second again.
    fn look_back(&mut self, correlator: &Correlator) {
        let Some(first) = self.first else { return };
        let mut at = first;
        while at <= self.asked {
            self.ask(correlator, at, false);
            at = at.saturating_add(SECOND_NS);
        }
    }

    /// What the report says in the end.
    fn conclude(&mut self, report: &Report, captures: &[Capture]) {
        let Some(at) = captures[0].records.iter().map(Record::at).max() else { return };
        for (downstream, clock) in (1..=self.others).zip(&report.clocks) {
            let known = Alignment {
                estimate: clock.offset_ns.map(Span),
                lo: clock.bound_ns.map(|[lo, _]| Span(lo)),
                hi: clock.bound_ns.map(|[_, hi]| Span(hi)),
            };
            self.seen.push(ClockSecond { downstream, at, known, live: false });
        }
    }

    fn ask(&mut self, correlator: &Correlator, at: i64, live: bool) {
        let at = Timestamp::from_ns(at);
        for (id, downstream) in (1..).zip(1..=self.others) {
            if let Some(known) = correlator.offset_at(CapturePointId(0), CapturePointId(id), at) {
                self.seen.push(ClockSecond { downstream, at, known, live });
            }
        }
    }
}
