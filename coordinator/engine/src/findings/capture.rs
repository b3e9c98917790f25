//! Findings about the captures themselves: what they lack, what they could not see.

use super::wording;
use crate::point::Point;
use crate::session::Session;
use core::fmt::Write as _;
use correlate_proto::report::{Code, Confidence, Details, Finding, Location, ReportTime, Severity};
use correlate_proto::{CaptureKind, Local, Timestamp};

/// Findings about single capture points.
pub(crate) fn point_findings(session: &Session) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, point) in session.points.iter().enumerate() {
        findings.extend(capture_loss(session, index, point));
        findings.extend(not_captured(session, point));
    }
    findings
}

fn capture_loss(session: &Session, index: usize, point: &Point) -> Option<Finding> {
    let (counted, evidenced) = (point.counted_drops(), point.missed);
    let by_all = point.missed_by_all;
    if !point.gaps.is_empty() {
        return Some(interrupted(session, index, point));
    }
    if counted + evidenced == 0 && by_all == 0 {
        return None;
    }
    let (severity, sentence) = if counted + evidenced > 0 {
        let sentence = format!(
            "The capture at {} lacks packets: {counted} were counted as dropped, {evidenced} are proven to have passed all the same.",
            point.label
        );
        (Severity::Warning, sentence)
    } else {
        let sentence = format!(
            "Octets that were acknowledged are in neither end's capture ({} as seen at {}): nothing is claimed about them.",
            wording::count(by_all, "stretch", "stretches"),
            point.label
        );
        (Severity::Info, sentence)
    };
    let details = Details::CaptureLoss { counted, evidenced: evidenced + by_all };
    let mut found = finding(
        Code::CaptureLoss,
        severity,
        Confidence::Proven,
        counted + evidenced + by_all,
        sentence,
        details,
    );
    let reference = |at: Timestamp<Local>| ReportTime(session.to_reference(index, at.as_ns()));
    found.first_at = point.stats.drop_windows.first().map(|window| reference(window.from));
    found.last_at = point.stats.drop_windows.last().map(|window| reference(window.to));
    Some(found)
}

/// A capture that its agent lost and began anew. What it lacks otherwise is told in the same breath: which of it fell
/// into a gap cannot be said.
fn interrupted(session: &Session, index: usize, point: &Point) -> Finding {
    let (counted, evidenced) = (point.counted_drops(), point.missed);
    let total_ns: i64 = point.gaps.iter().map(|gap| gap.to - gap.from).sum();
    let mut sentence = format!(
        "Nothing was captured at {} for {} in {}, as its agent was started anew: nothing is claimed about that time.",
        point.label,
        wording::span(total_ns),
        wording::count(point.gaps.len() as u64, "gap", "gaps"),
    );
    if counted + evidenced > 0 {
        let _ = write!(
            sentence,
            " {counted} packets were counted as dropped, {evidenced} are proven to have passed all the same."
        );
    }
    let details = Details::CaptureLoss { counted, evidenced: evidenced + point.missed_by_all };
    let count = point.gaps.len() as u64 + counted + evidenced;
    let mut found =
        finding(Code::CaptureLoss, Severity::Warning, Confidence::Proven, count, sentence, details);
    let reference = |at: i64| Some(ReportTime(session.to_reference(index, at)));
    found.first_at = point.gaps.first().and_then(|gap| reference(gap.from));
    found.last_at = point.gaps.last().and_then(|gap| reference(gap.to));
    "see why the agent ended: its service's log, or the kernel's if memory ran out; what counts of that time has to be captured again"
        .clone_into(&mut found.next_step);
    found
}

/// A point that saw nothing while others did, and that may not have been able to.
fn not_captured(session: &Session, point: &Point) -> Option<Finding> {
    if point.records > 0 || point.info.vouched {
        return None;
    }
    if session.silence_is_evidence(point.position) {
        return None;
    }
    let why = match point.info.kind {
        CaptureKind::Live { .. } => match point.stats.interface_frames {
            Some(0) | None => "its interfaces carried no frame at all",
            Some(_) => "the interfaces captured there need not be those that the traffic uses",
        },
        CaptureKind::File if point.stats.frames == 0 => "the file holds no frame",
        CaptureKind::File => "the file does not show that it covers this time and these hosts",
    };
    let sentence = format!(
        "Nothing that matches was captured at {} ({}), and nothing proves that it could have been: {why}.",
        point.label, point.info.host
    );
    let mut found =
        finding(Code::NotCaptured, Severity::Info, Confidence::Proven, 0, sentence, Details::Plain {});
    found.alternatives = vec!["the traffic did not take place, or was lost before this point".to_owned()];
    Some(found)
}

/// A finding about a capture, with nothing yet that few of them have.
pub(super) fn finding(
    code: Code,
    severity: Severity,
    confidence: Confidence,
    count: u64,
    sentence: String,
    details: Details,
) -> Finding {
    Finding {
        id: String::new(),
        code,
        severity,
        confidence,
        location: Location::Capture,
        direction: None,
        toward: None,
        connections: Vec::new(),
        connection_count: 0,
        count,
        first_at: None,
        last_at: None,
        sentence,
        details,
        evidence: Vec::new(),
        alternatives: Vec::new(),
        next_step: wording::next_step(code).to_owned(),
    }
}
