//! Real captures, told otherwise: their clocks moved, their hosts renumbered, their records delivered in another order.
//! What is found stays the same.

use crate::support::recording::{Recording, recording};
use crate::support::scratch::say;
use correlate_lab::{Scenario, catalogue};
use correlate_proto::report::{Code, Finding, Report};
use correlate_proto::{Endpoint, Record, Role, Span};
use correlate_tests::files::{Capture, Feeding, judge};
use correlate_tests::permits::{Permit, side_by_side};
use correlate_tests::scoreboard::recording::runs_throughout;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SECOND_NS: i64 = 1_000_000_000;

/// How the captures of each scenario are told otherwise.
const SHIFTS: [[i64; 2]; 4] = [
    [123_456_789, 0],
    [0, -987_654_321],
    [40 * 86_400 * SECOND_NS + 7, 0],
    [-1, 365 * 86_400 * SECOND_NS + 1],
];
const FEEDINGS: [Feeding; 4] =
    [Feeding::AsAsked(1), Feeding::AsAsked(100_000), Feeding::First(0, 1000), Feeding::First(1, 77)];

#[test]
fn clocks_addresses_and_the_order_of_delivery_change_no_finding_of_any_scenario() {
    let scenarios: Vec<Scenario> = catalogue();
    let wrong = side_by_side(&scenarios, |scenario| {
        let Some(recording) = recording(scenario, 1) else { return Vec::new() };
        let _permit = Permit::take();
        let wrong = complaints(&recording);
        wrong.into_iter().map(|line| format!("{}: {line}", scenario.name)).collect()
    });
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn complaints(recording: &Recording) -> Vec<String> {
    let captures = captures(recording);
    let (usual, feeding) = (judge(captures.clone(), Feeding::default()).report, Feeding::default());
    let lines = said(&usual);
    let mut wrong = Vec::new();
    for shift in SHIFTS {
        let report = judge(shifted(&captures, shift), feeding).report;
        wrong.extend(difference(&format!("shifted by {shift:?}"), &lines, &said(&report)));
    }
    let mut numbers = BTreeMap::new();
    let report = judge(renumbered(&captures, &mut numbers), feeding).report;
    let new_lines: Vec<String> = lines.iter().map(|line| with_addresses(line, &numbers)).collect();
    wrong.extend(difference("renumbered", &new_lines, &said(&report)));
    let all = |report: &Report| format!("{report:#?}").lines().map(str::to_owned).collect::<Vec<_>>();
    for feeding in FEEDINGS {
        let report = judge(captures.clone(), feeding).report;
        wrong.extend(difference(&format!("{feeding:?}"), &all(&usual), &all(&report)));
    }
    say(&format!("invariance: {}: {} findings", recording.scenario.name, usual.findings.len()));
    wrong
}

/// The captures of a run, vouched for where they ran all the time.
fn captures(recording: &Recording) -> Vec<Capture> {
    let plans = std::iter::once(&recording.scenario.client_tap).chain(&recording.scenario.server_taps);
    let files = std::iter::once(recording.client()).chain(recording.servers());
    let read = |(place, (path, plan))| {
        let role = if place == 0 { Role::Client } else { Role::Server };
        Capture::read(role, path, runs_throughout(plan)).expect("the lab's captures are sound")
    };
    files.zip(plans).enumerate().map(read).collect()
}

/// With the client's stamps moved by the first, and the servers' by the second.
fn shifted(captures: &[Capture], shift: [i64; 2]) -> Vec<Capture> {
    let mut captures = captures.to_vec();
    for (place, capture) in captures.iter_mut().enumerate() {
        let by = Span(shift[place.min(1)]);
        for record in &mut capture.records {
            match record {
                Record::Segment(segment) => segment.at = segment.at.plus(by),
                Record::IcmpError(error) => error.at = error.at.plus(by),
            }
        }
        let stats = &mut capture.stats;
        stats.first_at = stats.first_at.map(|at| at.plus(by));
        stats.last_at = stats.last_at.map(|at| at.plus(by));
        for covered in &mut stats.coverage {
            (covered.from, covered.to) = (covered.from.plus(by), covered.to.plus(by));
        }
    }
    captures
}

/// With other addresses, which sort the other way round. `numbers` learns which became which.
fn renumbered(captures: &[Capture], numbers: &mut BTreeMap<IpAddr, IpAddr>) -> Vec<Capture> {
    let mut captures = captures.to_vec();
    for capture in &mut captures {
        for record in &mut capture.records {
            match record {
                Record::Segment(segment) => {
                    renumber(&mut segment.tuple.src, numbers);
                    renumber(&mut segment.tuple.dst, numbers);
                }
                Record::IcmpError(error) => {
                    error.from = other(error.from, numbers);
                    error.to = other(error.to, numbers);
                    renumber(&mut error.quoted.src, numbers);
                    renumber(&mut error.quoted.dst, numbers);
                }
            }
        }
        for addr in &mut capture.stats.addresses_seen {
            *addr = other(*addr, numbers);
        }
        capture.stats.addresses_seen.sort_unstable();
    }
    captures
}

fn renumber(end: &mut Endpoint, numbers: &mut BTreeMap<IpAddr, IpAddr>) {
    end.addr = other(end.addr, numbers);
}

fn other(addr: IpAddr, numbers: &mut BTreeMap<IpAddr, IpAddr>) -> IpAddr {
    let new = match addr {
        IpAddr::V4(old) => Ipv4Addr::new(198, 51, 100, 255 - old.octets()[3]).into(),
        IpAddr::V6(old) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xffff - old.segments()[7]).into(),
    };
    *numbers.entry(addr).or_insert(new)
}

fn with_addresses(line: &str, numbers: &BTreeMap<IpAddr, IpAddr>) -> String {
    // Longest first: 10.77.0.100 is not 10.77.0.1 and two zeros.
    let mut pairs: Vec<(String, String)> =
        numbers.iter().map(|(old, new)| (old.to_string(), new.to_string())).collect();
    pairs.sort_by_key(|(old, _)| std::cmp::Reverse(old.len()));
    pairs.iter().fold(line.to_owned(), |line, (old, new)| line.replace(old, new))
}

/// What a report says, line by line, without the instants.
fn said(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report.findings.iter().map(finding).collect();
    // Which connection came first is known only as far as the clocks are.
    let aligned = report.findings.iter().all(|found| found.code != Code::ClockUnaligned);
    let mut connections: Vec<_> = report.connections.iter().collect();
    if !aligned {
        connections.sort_unstable_by_key(|one| (one.client.port, one.server.port));
    }
    let connections = connections.into_iter().map(|one| {
        let id = if aligned { one.id.as_str() } else { "" };
        format!(
            "{id} {:?} {:?} {:?} {} {:?}",
            one.initiator, one.client, one.server, one.state, one.closed_by
        )
    });
    lines.extend(connections);
    lines.extend(report.paths.iter().map(|path| {
        format!("{} {:?} {} {}", path.from, path.direction, path.segments_sent, path.segments_lost)
    }));
    lines.push(format!("{:?}", report.verdict));
    lines
}

fn finding(found: &Finding) -> String {
    // The packets that show a step are chosen by whole seconds of the clock, and their times under way are the clocks'.
    let shown = if found.code == Code::ClockStep { &[] } else { found.evidence.as_slice() };
    let evidence: Vec<String> = shown
        .iter()
        .map(|one| format!("{} {:?} {:?} {}", one.capture_point, one.packet, one.event, one.summary))
        .collect();
    format!(
        "{} {:?} {:?} {:?} {:?} {:?} {} {} {} {evidence:?} {:?}",
        found.code,
        found.severity,
        found.confidence,
        found.location,
        found.direction,
        found.connections,
        found.connection_count,
        found.count,
        found.sentence,
        found.alternatives,
    )
}

/// The first line in which two reports differ.
fn difference(how: &str, one: &[String], other: &[String]) -> Option<String> {
    let line = |lines: &[String], at: usize| lines.get(at).cloned().unwrap_or_default();
    let lines = (0..one.len().max(other.len())).map(|at| (line(one, at), line(other, at)));
    let (one, other) = lines.into_iter().find(|(one, other)| one != other)?;
    Some(format!("{how}: {one}\n    became {other}"))
}
