//! What a verdict rests on: captures, clocks, paths.

use super::layout::table;
use super::{number, words};
use correlate_proto::report::{CapturePointReport, ClockReport, PathReport, Report, ReportTime};
use std::fmt::Write;

/// One line a capture point, and one below for what it lacks.
pub(super) fn captures(report: &Report) -> Vec<String> {
    let rows: Vec<Vec<String>> = report.capture_points.iter().map(capture).collect();
    let mut lines = Vec::new();
    for (line, point) in
        table(&rows, &[false, false, false, true, true], 2).into_iter().zip(&report.capture_points)
    {
        lines.push(line);
        lines.extend(shortfall(point));
    }
    lines
}

fn capture(point: &CapturePointReport) -> Vec<String> {
    let named = if point.id == words::role(point.role) {
        point.id.clone()
    } else {
        format!("{} ({})", point.id, words::role(point.role))
    };
    let mut host = point.host.clone();
    if !point.interfaces.is_empty() {
        host = format!("{host} [{}]", point.interfaces.join(", "));
    }
    vec![
        named,
        host,
        point.link_type.clone(),
        number::counted(point.packets, "packet"),
        number::bytes(point.bytes),
        period(point.first_packet_at, point.last_packet_at),
    ]
}

fn period(first: Option<ReportTime>, last: Option<ReportTime>) -> String {
    match (first, last) {
        (Some(first), Some(last)) => {
            format!("{} for {}", number::instant(first), number::span(last.0 - first.0))
        }
        _ => "nothing".to_owned(),
    }
}

fn shortfall(point: &CapturePointReport) -> Option<String> {
    let counted = [
        (point.dropped_by_kernel, "dropped by the kernel"),
        (point.dropped_by_agent, "dropped by the agent"),
    ];
    let mut parts: Vec<String> = counted
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", number::count(*count)))
        .collect();
    parts.extend(
        point.skipped.iter().filter(|(_, count)| **count > 0).map(|(reason, count)| {
            format!("{} skipped ({})", number::count(*count), super::printable(reason))
        }),
    );
    (!parts.is_empty()).then(|| format!("    {}", parts.join(", ")))
}

/// One line a pair of clocks, and one for each jump.
pub(super) fn clocks(report: &Report) -> Vec<String> {
    report.clocks.iter().flat_map(clock).collect()
}

fn clock(clock: &ClockReport) -> Vec<String> {
    let mut line = format!("  {} = {} ", clock.to, clock.from);
    match (clock.offset_ns, clock.uncertainty_ns) {
        (Some(offset), Some(uncertainty)) => {
            let _ = write!(line, "{} ± {}", number::signed_span(offset), number::span(uncertainty));
        }
        (Some(offset), None) => {
            let _ = write!(line, "{} (no bound)", number::signed_span(offset));
        }
        (None, _) => line += "+ unknown",
    }
    let mut how = vec![clock.method.clone(), number::counted(clock.samples, "matched packet")];
    how.extend(clock.skew_ppb.map(|ppb| format!("drift {}", number::ppm(ppb))));
    let _ = write!(line, "  ({})", how.join(", "));
    let steps = clock.steps.iter().map(|step| {
        format!("    jumped by {} at {}", number::signed_span(step.step_ns), number::instant(step.at))
    });
    std::iter::once(super::printable(&line)).chain(steps).collect()
}

/// One line a direction.
pub(super) fn paths(report: &Report) -> Vec<String> {
    let rows: Vec<Vec<String>> = report.paths.iter().map(path).collect();
    table(&rows, &[false, true, true], 2)
}

fn path(path: &PathReport) -> Vec<String> {
    let mut loss = path.loss_ratio.map_or_else(String::new, number::percent);
    if let Some([low, high]) = path.loss_ci95 {
        let _ = write!(loss, " (95 %: {} to {})", number::percent(low), number::percent(high));
    }
    vec![
        format!("{} -> {}", path.from, path.to),
        number::counted(path.segments_sent, "segment"),
        format!("{} lost", number::count(path.segments_lost)),
        loss,
        path.min_rtt_ns.map_or_else(String::new, |rtt| format!("min RTT {}", number::span(rtt))),
    ]
}
