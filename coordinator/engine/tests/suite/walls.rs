//! Live captures of hosts whose clocks are slewed and set while they run.
//!
//! Each host has an oscillator and a wall clock. Its packets are stamped by the wall clock; its agent reads both clocks
//! around every batch. What the engine finds must not depend on what the wall clocks did.

use super::invariance::trouble;
use super::judge::{BASE, id};
use super::rng::Rng;
use super::sim::{MS, SEC, Sim, US};
use super::talk::Talk;
use correlate_engine::fate::FateRecord;
use correlate_engine::{Config, Correlator, Feed};
use correlate_proto::convert::{Loss, LossSource, Sidecar};
use correlate_proto::report::{Code, Confidence, Details, Finding, Report, Severity};
use correlate_proto::{
    CaptureKind, CapturePoint, ClockSample, Coverage, HostCounters, PointStats, Record, Role, Span, Timestamp,
};

/// A host's clocks. Instants are virtual time, which nobody sees.
#[derive(Debug, Clone, Default)]
struct Host {
    /// The oscillator when virtual time is 0, and its rate in parts per 10⁹.
    boot: i64,
    skew_ppb: i64,
    /// The wall clock's rate against the oscillator, from instants on.
    slews: Vec<(i64, i64)>,
    /// Jumps of the wall clock.
    steps: Vec<(i64, i64)>,
}

fn part(t: i64, ppb: i64) -> i64 {
    i64::try_from(i128::from(t) * i128::from(ppb) / 1_000_000_000).unwrap()
}

impl Host {
    fn raw(&self, t: i64) -> i64 {
        self.boot + t + part(t, self.skew_ppb)
    }

    fn wall(&self, t: i64) -> i64 {
        let mut slewed = 0;
        for (place, &(from, ppb)) in self.slews.iter().enumerate() {
            let to = self.slews.get(place + 1).map_or(i64::MAX, |next| next.0).min(t);
            slewed += part((to - from).max(0), ppb);
        }
        let jumped: i64 = self.steps.iter().filter(|step| step.0 <= t).map(|step| step.1).sum();
        BASE + t + part(t, self.skew_ppb) + slewed + jumped
    }

    fn sample(&self, t: i64, before: i64) -> ClockSample {
        let stepped = self.steps.iter().any(|step| (before + 1..=t).contains(&step.0));
        let realtime = Timestamp::from_ns(self.wall(t));
        ClockSample { raw_ns: self.raw(t), realtime, width_ns: 100, stepped }
    }
}

/// When every capture begins.
const BEGAN: i64 = -SEC;
/// A batch is sealed as often; the clocks are read twice as often.
const BATCH: i64 = 100 * MS;
/// A packet is read at the latest so long after it was captured.
const HELD: i64 = 60 * MS;

/// A session of two such hosts.
struct Live {
    hosts: [Host; 2],
    until: i64,
    /// Heartbeats reach the feed between batches, at random, as they do live and not in a replay.
    heartbeats: Option<u64>,
    /// Drops that the kernel of the server counted, in virtual time.
    dropped: Option<(i64, i64)>,
}

impl Live {
    fn new(hosts: [Host; 2], until: i64) -> Self {
        Self { hosts, until, heartbeats: None, dropped: None }
    }

    /// The batches of one host: sidecar, records, and up to when everything is delivered then.
    fn batches(&self, end: usize, records: &[Record]) -> Vec<(Sidecar, Vec<Record>, i64)> {
        let host = &self.hosts[end];
        let mut left = records;
        let mut before = BEGAN;
        let mut batches = Vec::new();
        let mut seal = BEGAN;
        while seal < self.until + SEC {
            seal += BATCH;
            let samples =
                [seal - BATCH / 2, seal].map(|t| host.sample(t, core::mem::replace(&mut before, t)));
            let count = left.partition_point(|record| record.at().as_ns() < seal - HELD);
            let (own, rest) = left.split_at(count);
            left = rest;
            let stamped =
                own.iter().map(|record| record.stamped(Timestamp::from_ns(host.wall(record.at().as_ns()))));
            let first = (seal == BEGAN + BATCH).then(|| host.sample(BEGAN, BEGAN));
            let until = host.raw(seal - 2 * BATCH);
            let second = seal.rem_euclid(SEC) == 0;
            let sidecar = Sidecar {
                watermark: Some(Timestamp::from_ns(host.wall(seal - 2 * BATCH))),
                watermark_raw_ns: Some(until),
                losses: self.loss(end, host, seal).into_iter().collect(),
                clock_samples: first.into_iter().chain(samples).collect(),
                host_counters: second
                    .then(|| HostCounters {
                        at_ns: host.wall(seal),
                        deltas: [("TcpOutRsts".to_owned(), 0)].into(),
                    })
                    .into_iter()
                    .collect(),
            };
            batches.push((sidecar, stamped.collect(), until));
        }
        batches
    }

    fn loss(&self, end: usize, host: &Host, seal: i64) -> Option<Loss> {
        let (from, to) = self.dropped.filter(|_| end == 1)?;
        (seal - BATCH..seal).contains(&to).then(|| Loss {
            source: LossSource::Kernel,
            count: 5,
            first_at: Timestamp::from_ns(host.wall(from)),
            last_at: Timestamp::from_ns(host.wall(to)),
        })
    }

    fn judge(&self, captures: &[Vec<Record>; 2]) -> (Report, Vec<FateRecord>) {
        let config = Config { trace_fates: true, announce: true, ..Config::default() };
        let mut correlator = Correlator::new(config, vec![live_point(0), live_point(1)]);
        for end in 0..2 {
            correlator.covers_from(id(end), Timestamp::from_ns(self.hosts[end].wall(BEGAN)));
        }
        let mut feed = Feed::new(correlator, vec![Span(0); 2]);
        let mut batches = [0, 1].map(|end| self.batches(end, &captures[end]).into_iter());
        let mut delivered = [None; 2];
        let mut rng = Rng::new(self.heartbeats.unwrap_or(0));
        let mut fates = Vec::new();
        while let Some(point) = feed.waiting_for() {
            let end = usize::from(point.0);
            if let Some((sidecar, mut records, until)) = batches[end].next() {
                feed.push_sidecar(point, sidecar);
                feed.push_batch(point, &mut records);
                feed.advance_raw(point, until);
                delivered[end] = Some(until);
            } else {
                // By the wall clock, and so of no worth where it was set.
                let (from, to) = (self.hosts[end].wall(BEGAN), self.hosts[end].wall(self.until + SEC));
                let coverage =
                    Coverage { from: Timestamp::from_ns(from.min(to)), to: Timestamp::from_ns(from.max(to)) };
                let stats = PointStats { coverage: vec![coverage], ..PointStats::default() };
                feed.correlator().push_stats(point, stats);
                feed.end(point);
            }
            if let (Some(_), Some(until)) = (self.heartbeats, delivered[end])
                && rng.chance(300)
            {
                // A batch seals every 100 ms, and a heartbeat may tell of what is in the next one only if nothing is.
                let next = batches[end].as_slice().first();
                if next.is_some_and(|(_, records, _)| records.is_empty()) {
                    feed.advance_raw(point, until + 80 * MS);
                }
            }
            while let Some(event) = feed.correlator().poll() {
                if let correlate_engine::Event::Fate(fate) = event {
                    fates.push(fate);
                }
            }
        }
        let (report, last) = feed.into_correlator().finish_traced();
        fates.extend(last);
        fates.sort_by_key(|fate| (fate.point, fate.packet, fate.fate, fate.len));
        (report, fates)
    }
}

fn live_point(end: usize) -> CapturePoint {
    CapturePoint {
        id: id(end),
        role: if end == 0 { Role::Client } else { Role::Server },
        host: format!("host{end}"),
        kind: CaptureKind::Live { all_interfaces: true },
        interfaces: Vec::new(),
        link_type: "EN10MB".to_owned(),
        vouched: false,
    }
}

/// What of a finding must not depend on clocks.
type Gist = (Code, Severity, Confidence, u64, u64, Vec<Option<u64>>);

fn gist(finding: &Finding) -> Gist {
    let packets = finding.evidence.iter().map(|evidence| evidence.packet).collect();
    (finding.code, finding.severity, finding.confidence, finding.count, finding.connection_count, packets)
}

fn gists(report: &Report) -> Vec<Gist> {
    report.findings.iter().filter(|finding| finding.code != Code::ClockStep).map(gist).collect()
}

fn steps(report: &Report) -> Vec<(i64, i64)> {
    let steps = report.findings.iter().filter_map(|finding| {
        if let Details::ClockStep { at, step_ns } = finding.details { Some((at.0, step_ns)) } else { None }
    });
    steps.collect()
}

fn oscillators() -> [Host; 2] {
    [
        Host { boot: 5_000 * SEC, skew_ppb: 21_000, slews: vec![(BEGAN, -20_000)], ..Host::default() },
        Host { boot: 900_000 * SEC, skew_ppb: -35_000, slews: vec![(BEGAN, 36_000)], ..Host::default() },
    ]
}

fn troubled() -> ([Vec<Record>; 2], i64) {
    let (sim, until) = trouble(7, [10, 10]);
    (sim.captures(), until)
}

#[test]
fn no_slew_and_no_step_of_a_wall_clock_changes_what_is_found() {
    let (captures, until) = troubled();
    let (even, even_fates) = Live::new(oscillators(), until).judge(&captures);
    assert!(
        even.findings.iter().any(|finding| finding.severity == Severity::Error),
        "there is something to find"
    );
    assert_eq!(steps(&even), []);
    let far = 3_600 * SEC;
    for by in [2 * SEC, -2 * SEC, 40 * MS, -40 * MS, MS, -MS, far, -far] {
        for at in [300 * MS, 2 * SEC + 1, 3_456_789 * US, 5 * SEC] {
            for end in 0..2 {
                let mut hosts = oscillators();
                hosts[end].steps = vec![(at, by)];
                hosts[1 - end].slews.extend([(SEC, 500_000), (3 * SEC, -300_000), (6 * SEC, 10_000)]);
                let shown_before = hosts[end].wall(at - 1);
                let (report, fates) = Live::new(hosts, until).judge(&captures);
                assert_eq!(gists(&report), gists(&even), "{by} at {at} of {end}");
                assert_eq!(fates, even_fates, "{by} at {at} of {end}");
                let [(told_at, told_by)] = steps(&report)[..] else {
                    panic!("{by} at {at}: {:?}", steps(&report))
                };
                assert!((told_by - by).abs() < 100 * US, "{by}: {told_by}");
                assert!((shown_before - told_at) < BATCH, "{by}: {told_at}");
            }
        }
    }
}

#[test]
fn times_are_shown_as_the_hosts_showed_them() {
    let (captures, until) = troubled();
    let mut hosts = oscillators();
    hosts[0].steps = vec![(2_500 * MS, -7 * SEC)];
    hosts[1].slews.push((SEC, 480_000));
    let (report, _) = Live::new(hosts.clone(), until).judge(&captures);
    let mut looked_up = 0;
    for evidence in report.findings.iter().flat_map(|finding| &finding.evidence) {
        let (Some(number), Some(at)) = (evidence.packet, evidence.at) else { continue };
        let end = usize::from(evidence.capture_point != "client");
        let record =
            captures[end].iter().find(|record| record.packet() == number).expect("the packet is there");
        let stamp = hosts[end].wall(record.at().as_ns());
        assert!(
            (at.0 - stamp).abs() <= 1,
            "packet {number} at {}: {} off",
            evidence.capture_point,
            at.0 - stamp
        );
        looked_up += 1;
    }
    assert!(looked_up > 20, "{looked_up}");
    let first = captures.iter().zip(&hosts).map(|(records, _)| records[0].at().as_ns()).min().unwrap();
    let started = report.session.started_at.expect("a beginning").0;
    assert!((started - hosts[0].wall(first)).abs() < 20 * MS, "by the client's clock");
    // The offset of the two clocks as they were at the end, not as they began.
    let clock = &report.clocks[0];
    let last = captures[0].last().expect("packets").at().as_ns();
    let truth = hosts[1].wall(last) - hosts[0].wall(last);
    let [low, high] = clock.bound_ns.expect("both directions");
    assert!((low..=high).contains(&truth), "{truth} is not within {low} and {high}");
    assert!((clock.offset_ns.expect("an estimate") - truth).abs() < 200 * US);
    assert_eq!(
        clock.steps.iter().map(|step| (step.step_ns + 3_500 * MS) / (7 * SEC)).collect::<Vec<_>>(),
        [1]
    );
}

#[test]
fn heartbeats_change_nothing_wherever_they_come() {
    let (captures, until) = troubled();
    let mut hosts = oscillators();
    hosts[1].steps = vec![(1_700 * MS, -900 * MS), (4_100 * MS, 3 * SEC)];
    let replayed = Live { dropped: Some((800 * MS, 900 * MS)), ..Live::new(hosts.clone(), until) };
    let replay = format!("{:?}", replayed.judge(&captures).0);
    for seed in 1..20 {
        let live =
            Live { heartbeats: Some(seed), dropped: replayed.dropped, ..Live::new(hosts.clone(), until) };
        assert_eq!(format!("{:?}", live.judge(&captures).0), replay, "seed {seed}");
    }
}

#[test]
fn the_bound_holds_the_truth_of_hosts_that_ntp_disciplines_hard() {
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let mut hosts = oscillators();
        for host in &mut hosts {
            let mut at = BEGAN;
            while at < 60 * SEC {
                at += i64::try_from(1 + rng.below(8)).unwrap() * SEC;
                host.slews.push((at, i64::try_from(rng.below(1_000_000)).unwrap() - 500_000));
            }
        }
        let mut sim = Sim::new(seed);
        sim.delay = [3 * MS, 9 * MS];
        for number in 0..30 {
            Talk::new(&mut sim, 40_000 + number, i64::from(number) * 2 * SEC).whole(&mut sim, 10, 20);
        }
        let captures = sim.captures();
        // Cut off at every second: the report tells the bound at its end.
        for until in [5, 13, 31, 47, 60].map(|second| second * SEC) {
            let cut = captures.clone().map(|mut records| {
                records.retain(|record| record.at().as_ns() < until);
                records
            });
            let (report, _) = Live::new(hosts.clone(), until).judge(&cut);
            let clock = &report.clocks[0];
            let last = cut[0].last().expect("packets").at().as_ns();
            let truth = hosts[1].wall(last) - hosts[0].wall(last);
            let [low, high] = clock.bound_ns.expect("both directions");
            assert!(
                (low..=high).contains(&truth),
                "seed {seed}, {until}: {truth} is not within {low} and {high}"
            );
            assert!(high - low < 13 * MS, "the bound is no wider than the round trip: {}", high - low);
            let error = (clock.offset_ns.expect("an estimate") - truth + 3 * MS).abs();
            assert!(
                until < 30 * SEC || error < 50 * US,
                "seed {seed}, {until}: off by {error} ns beside the asymmetry"
            );
            assert_eq!((steps(&report), report.findings.len()), (vec![], 0), "{:?}", report.findings);
        }
    }
}

#[test]
fn drops_that_are_told_beside_the_packets_count_though_the_capture_never_told_the_whole() {
    let mut sim = Sim::new(3);
    Talk::new(&mut sim, 40_000, 0).whole(&mut sim, 60, 60);
    let live = Live { dropped: Some((120 * MS, 220 * MS)), ..Live::new(oscillators(), 10 * SEC) };
    let (report, _) = live.judge(&sim.captures());
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!(finding.details, Details::CaptureLoss { counted: 5, evidenced: 0 });
}
