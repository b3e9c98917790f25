//! Writes the report.

mod connection;
mod verdict;

pub(crate) use connection::{Outcome, describe_connection};

use crate::findings::{clock_findings, loss_findings, point_findings};
use crate::session::Session;
use correlate_proto::report::{
    CapturePointReport, ClockReport, ClockStep, ConnectionReport, Finding, Report, ReportTime, SCHEMA, Tool,
};
use correlate_proto::{Offloads, Span, Timestamp};
use std::collections::BTreeMap;

/// Writes the report of `session`, of which every connection has been judged.
pub(crate) fn write(session: &Session) -> Report {
    let mut findings = session.symptoms.findings(session);
    let (losses, paths) = loss_findings(session, &session.paths);
    findings.extend(losses);
    findings.extend(point_findings(session));
    findings.extend(clock_findings(session));
    rank(&mut findings);
    let verdict = verdict::decide(session, &findings);
    Report {
        schema: SCHEMA,
        tool: Tool { name: "correlate".to_owned(), version: session.config.tool_version.clone() },
        verdict,
        capture_points: session.points.iter().map(describe_point).collect(),
        clocks: clocks(session),
        connections: connections(session, &findings),
        paths,
        connection_totals: session.ended.totals.clone(),
        findings,
        session: describe_session(session),
    }
}

/// Worst first: severity, then confidence, then the order of the codes.
fn rank(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (b.severity, b.confidence)
            .cmp(&(a.severity, a.confidence))
            .then((a.code, a.direction).cmp(&(b.code, b.direction)))
    });
    for (place, finding) in findings.iter_mut().enumerate() {
        finding.id = format!("f{}", place + 1);
    }
}

fn describe_session(session: &Session) -> correlate_proto::report::Session {
    let spans = || {
        session.points.iter().enumerate().filter_map(|(index, point)| {
            point
                .span
                .map(|(first, last)| (session.to_reference(index, first), session.to_reference(index, last)))
        })
    };
    correlate_proto::report::Session {
        id: session.config.session_id.clone(),
        started_at: spans().map(|(first, _)| first).min().map(ReportTime),
        ended_at: spans().map(|(_, last)| last).max().map(ReportTime),
        filter: session.config.filter.clone(),
        command: None,
    }
}

fn describe_point(point: &crate::point::Point) -> CapturePointReport {
    let captured = || point.info.interfaces.iter().filter(|interface| interface.captured);
    let offloads = captured().filter_map(|interface| interface.offloads).reduce(|a, b| Offloads {
        tso: a.tso || b.tso,
        gso: a.gso || b.gso,
        gro: a.gro || b.gro,
        lro: a.lro || b.lro,
    });
    let stats = &point.stats;
    CapturePointReport {
        id: point.label.clone(),
        role: point.info.role,
        host: point.info.host.clone(),
        interfaces: captured()
            .map(|interface| interface.name.clone())
            .filter(|name| !name.is_empty())
            .collect(),
        link_type: point.info.link_type.clone(),
        first_packet_at: stats.first_at.map(ReportTime::from),
        last_packet_at: stats.last_at.map(ReportTime::from),
        packets: stats.frames,
        bytes: stats.bytes,
        dropped_by_kernel: stats.dropped_by_kernel,
        dropped_by_agent: stats.dropped_by_agent,
        truncated: stats.truncated,
        skipped: skipped(point),
        offloads,
    }
}

/// Frames that gave no record, and sightings of packets that were already seen on another interface.
fn skipped(point: &crate::point::Point) -> BTreeMap<String, u64> {
    let mut skipped = point.stats.skipped.clone();
    if let Some(repeats) = Some(point.sightings.set_aside).filter(|&count| count > 0) {
        skipped.insert("seen on another interface".to_owned(), repeats);
    }
    skipped
}

fn clocks(session: &Session) -> Vec<ClockReport> {
    let describe = |(&(up, down), clock): (&(usize, usize), &crate::clock::PairClock)| {
        let summary = clock.summary();
        // Both clocks drift apart, so the figures are those of one instant: the last packet at the upstream point.
        let end =
            session.points[up].span.map_or_else(|| summary.at.map_or(0, Timestamp::as_ns), |(_, last)| last);
        let there = clock.offset_at(Timestamp::from_ns(end));
        let bound = there.lo.zip(there.hi).map(|(low, high)| [low.as_ns(), high.as_ns()]);
        let step = |step: &crate::clock::Step| ClockStep { at: step.at.into(), step_ns: step.by.as_ns() };
        ClockReport {
            from: session.points[up].label.clone(),
            to: session.points[down].label.clone(),
            offset_ns: there.estimate.map(Span::as_ns),
            uncertainty_ns: bound.map(|[low, high]| high.saturating_sub(low) / 2),
            bound_ns: bound,
            skew_ppb: summary.skew_ppb,
            samples: summary.samples.0 + summary.samples.1,
            method: summary.method.name().to_owned(),
            steps: summary.steps.iter().map(step).collect(),
        }
    };
    session.clocks.iter().map(describe).collect()
}

fn connections(session: &Session, findings: &[Finding]) -> Vec<ConnectionReport> {
    session
        .ended
        .listed
        .iter()
        .map(|(number, (report, codes))| {
            let name = format!("c{number}");
            let concern = |finding: &&Finding| {
                codes.contains(&(finding.code, finding.direction)) || finding.connections.contains(&name)
            };
            let ids = findings.iter().filter(concern).map(|finding| finding.id.clone()).collect();
            ConnectionReport { findings: ids, ..report.clone() }
        })
        .collect()
}
