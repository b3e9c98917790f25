//! Feeds two captures to the engine as a session would, and looks at what it says.

use super::rng::Rng;
use super::sim::{SEC, Sim};
use correlate_engine::fate::FateRecord;
use correlate_engine::rough::RoughAligner;
use correlate_engine::{Config, Correlator, Feed};
use correlate_proto::convert::Sidecar;
use correlate_proto::report::{Code, Finding, Report, Severity};
use correlate_proto::{
    CaptureKind, CapturePoint, CapturePointId, Coverage, HostCounters, Interface, PointStats, Record, Role,
    Span, Timestamp,
};
use std::net::IpAddr;

/// Where virtual time 0 stands on the client's clock: 2026-11-20.
pub(super) const BASE: i64 = 1_795_132_800 * SEC;

/// How the captures are handed over, and what is told of them beside the packets.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    /// Added to all stamps of each capture.
    pub(super) shift: [i64; 2],
    /// When each capture is proven to have run, in virtual time.
    pub(super) coverage: [Option<(i64, i64)>; 2],
    /// A stretch within it in which the capture did not run.
    pub(super) holes: [Option<(i64, i64)>; 2],
    pub(super) vouched: [bool; 2],
    pub(super) dropped_by_kernel: [u64; 2],
    /// What the counters of each host moved by, and when they were read, in virtual time.
    pub(super) counters: [Vec<(i64, &'static str, u64)>; 2],
    /// Addresses that the captures saw beside those of the records.
    pub(super) seen: Vec<IpAddr>,
    /// The interfaces of each capture.
    pub(super) interfaces: [Vec<Interface>; 2],
    /// Align by handshakes first, as the callers of the engine do.
    pub(super) align: bool,
    /// Batches of at most so many records.
    pub(super) batch: u64,
    /// Seed of what decides the sizes and the order of batches.
    pub(super) order: u64,
    /// How often, per thousand times, the next batch is the server's: near 0 and 1000 one capture comes late.
    pub(super) server_next: u64,
    pub(super) watermarks: bool,
    pub(super) announce: bool,
}

impl Default for Judge {
    fn default() -> Self {
        Self {
            shift: [0; 2],
            coverage: [None; 2],
            holes: [None; 2],
            vouched: [false; 2],
            dropped_by_kernel: [0; 2],
            counters: [Vec::new(), Vec::new()],
            seen: Vec::new(),
            interfaces: [Vec::new(), Vec::new()],
            align: true,
            batch: 64,
            order: 1,
            server_next: 500,
            watermarks: true,
            announce: false,
        }
    }
}

/// The engine's answer.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) report: Report,
    pub(super) fates: Vec<FateRecord>,
}

impl Judge {
    /// Both captures ran from a second before virtual time 0 to `end`.
    pub(super) fn until(end: i64) -> Self {
        Self { coverage: [Some((-SEC, end)); 2], ..Self::default() }
    }

    /// Judges what `sim` captured.
    pub(super) fn of(&self, sim: Sim) -> Judgement {
        self.of_captures(sim.captures())
    }

    /// Judges two captures whose stamps are virtual time.
    pub(super) fn of_captures(&self, mut captures: [Vec<Record>; 2]) -> Judgement {
        for (records, shift) in captures.iter_mut().zip(self.shift) {
            for record in records {
                let at = match record {
                    Record::Segment(segment) => &mut segment.at,
                    Record::IcmpError(error) => &mut error.at,
                };
                *at = at.plus(Span(BASE + shift));
            }
        }
        self.feed(&captures)
    }

    fn feed(&self, captures: &[Vec<Record>; 2]) -> Judgement {
        let config = Config { trace_fates: true, announce: self.announce, ..Config::default() };
        let points = vec![self.point(0), self.point(1)];
        let mut feed = Feed::new(Correlator::new(config, points), self.rough(captures));
        let mut rng = Rng::new(self.order);
        self.push_counters(&mut feed);
        let (mut done, mut ended) = ([0usize; 2], [false; 2]);
        let mut fates = Vec::new();
        while ended != [true; 2] {
            let end = usize::from(rng.chance(self.server_next));
            let records = &captures[end];
            let from = done[end];
            if from < records.len() {
                let count = usize::try_from(1 + rng.below(self.batch)).unwrap().min(records.len() - from);
                done[end] += count;
                feed.push_batch(id(end), &mut records[from..from + count].to_vec());
                if self.watermarks && rng.chance(700) {
                    feed.advance(id(end), records[from + count - 1].at());
                }
            } else if !ended[end] {
                ended[end] = true;
                feed.correlator().push_stats(id(end), self.stats(end, records));
                feed.end(id(end));
            }
            while let Some(event) = feed.correlator().poll() {
                if let correlate_engine::Event::Fate(fate) = event {
                    fates.push(fate);
                }
            }
        }
        let (report, last) = feed.into_correlator().finish_traced();
        fates.extend(last);
        Judgement { report, fates }
    }

    fn push_counters(&self, feed: &mut Feed) {
        for (end, readings) in self.counters.iter().enumerate() {
            for &(at, name, by) in readings {
                let at_ns = at + BASE + self.shift[end];
                let deltas = [(name.to_owned(), by)].into();
                let host_counters = vec![HostCounters { at_ns, deltas }];
                feed.push_sidecar(id(end), Sidecar { host_counters, ..Sidecar::default() });
            }
        }
    }

    fn rough(&self, captures: &[Vec<Record>; 2]) -> Vec<Span> {
        if !self.align {
            return vec![Span(0); 2];
        }
        let mut aligner = RoughAligner::default();
        for (end, records) in captures.iter().enumerate() {
            for record in records {
                aligner.take(end, record);
            }
        }
        vec![Span(0), aligner.finish().offset.map_or(Span(0), |offset| Span(-offset.as_ns()))]
    }

    pub(super) fn point(&self, end: usize) -> CapturePoint {
        CapturePoint {
            id: id(end),
            role: if end == 0 { Role::Client } else { Role::Server },
            host: format!("{end}.pcap"),
            kind: CaptureKind::File,
            interfaces: self.interfaces[end].clone(),
            link_type: "EN10MB".to_owned(),
            vouched: self.vouched[end],
        }
    }

    fn stats(&self, end: usize, records: &[Record]) -> PointStats {
        let local = |at: i64| Timestamp::from_ns(at + BASE + self.shift[end]);
        let own = records.first().zip(records.last()).map(|(first, last)| (first.at(), last.at()));
        let span = self.coverage[end].map(|(from, to)| (local(from), local(to))).or(own);
        let mut seen = self.seen.clone();
        for record in records {
            if let Record::Segment(segment) = record {
                seen.extend([segment.tuple.src.addr, segment.tuple.dst.addr]);
            }
        }
        seen.sort_unstable();
        seen.dedup();
        PointStats {
            frames: u64::try_from(records.len()).unwrap(),
            dropped_by_kernel: self.dropped_by_kernel[end],
            first_at: span.map(|(from, _)| from),
            last_at: span.map(|(_, to)| to),
            coverage: match (span, self.holes[end]) {
                (Some((from, to)), Some((until, again))) => {
                    vec![Coverage { from, to: local(until) }, Coverage { from: local(again), to }]
                }
                (span, _) => span.map(|(from, to)| Coverage { from, to }).into_iter().collect(),
            },
            addresses_seen: seen,
            ..PointStats::default()
        }
    }
}

pub(super) fn id(end: usize) -> CapturePointId {
    CapturePointId(u16::try_from(end).unwrap())
}

impl Judgement {
    /// The finding with this code, if there is one.
    pub(super) fn find(&self, code: Code) -> Option<&Finding> {
        self.report.findings.iter().find(|finding| finding.code == code)
    }

    /// The finding with this code.
    #[track_caller]
    pub(super) fn the(&self, code: Code) -> &Finding {
        self.find(code).unwrap_or_else(|| panic!("{code} is missing: {:#?}", self.codes()))
    }

    /// All codes with their severity.
    pub(super) fn codes(&self) -> Vec<(Code, Severity)> {
        self.report.findings.iter().map(|finding| (finding.code, finding.severity)).collect()
    }

    /// Nothing above info.
    #[track_caller]
    pub(super) fn accuses_nobody(&self) {
        let above: Vec<_> =
            self.report.findings.iter().filter(|finding| finding.severity > Severity::Info).collect();
        assert!(above.is_empty(), "{above:#?}");
    }

    /// Exactly these codes above info.
    #[track_caller]
    pub(super) fn accuses_of(&self, codes: &[Code]) {
        let mut above: Vec<Code> = self
            .report
            .findings
            .iter()
            .filter(|finding| finding.severity > Severity::Info)
            .map(|finding| finding.code)
            .collect();
        above.sort_unstable();
        let mut expected = codes.to_vec();
        expected.sort_unstable();
        assert_eq!(above, expected, "{:#?}", self.report.findings);
    }

    /// Wire segments lost by the report's paths, by direction.
    pub(super) fn lost(&self) -> [u64; 2] {
        let mut lost = [0; 2];
        for path in &self.report.paths {
            lost[path.direction.index()] += path.segments_lost;
        }
        lost
    }
}
