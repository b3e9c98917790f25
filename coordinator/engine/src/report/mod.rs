//! Writes the report.

mod clocks;
mod connection;
mod own_time;
mod verdict;

pub(crate) use connection::{Outcome, describe_connection};
pub(crate) use own_time::OwnTime;

use crate::findings::{clock_findings, loss_findings, point_findings};
use crate::session::Session;
use correlate_proto::Offloads;
use correlate_proto::report::{
    CapturePointReport, ConnectionReport, Finding, Report, ReportTime, SCHEMA, Tool,
};
use std::collections::BTreeMap;

/// Writes the report of `session`, of which every connection has been judged.
pub(crate) fn write(session: &Session) -> Report {
    let mut findings = session.symptoms.findings(session);
    let (losses, paths) = loss_findings(session);
    findings.extend(losses);
    findings.extend(point_findings(session));
    findings.extend(clock_findings(session));
    rank(&mut findings);
    let own_time = OwnTime::of(session);
    for finding in &mut findings {
        own_time.finding(finding);
    }
    let verdict = verdict::decide(session, &findings);
    Report {
        schema: SCHEMA,
        tool: Tool { name: "correlate".to_owned(), version: session.config.tool_version.clone() },
        verdict,
        capture_points: session.points.iter().map(describe_point).collect(),
        clocks: clocks::clocks(session),
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
    let shown = |at: i64| OwnTime::of(session).reference(ReportTime(at));
    correlate_proto::report::Session {
        id: session.config.session_id.clone(),
        started_at: spans().map(|(first, _)| first).min().map(shown),
        ended_at: spans().map(|(_, last)| last).max().map(shown),
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

fn connections(session: &Session, findings: &[Finding]) -> Vec<ConnectionReport> {
    let own_time = OwnTime::of(session);
    session
        .ended
        .listed
        .iter()
        .map(|(number, listed)| {
            let name = format!("c{number}");
            let concern = |finding: &&Finding| {
                listed.codes.contains(&(finding.code, finding.direction))
                    || finding.connections.contains(&name)
            };
            let ids = findings.iter().filter(concern).map(|finding| finding.id.clone()).collect();
            let mut report = ConnectionReport { findings: ids, ..listed.report.clone() };
            if let Some(measured) = &listed.measured
                && let Some(clock) = session.clock(measured.points.0, measured.points.1)
            {
                measured.enter(&mut report, clock);
            }
            own_time.connection(&mut report);
            report
        })
        .collect()
}
