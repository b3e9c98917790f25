//! What a coordinator tells of a session, on the screen.

use crate::live::Status;
use crate::render::counted;
use correlate_coordinator::{PointProgress, SessionProgress};
use correlate_proto::{Span, wire};
use wire::session_update::Update;

/// Shows one update; the end of the session is not shown here.
pub(super) fn tell(status: &mut Status, update: &Update) {
    let place = |point: u32| u16::try_from(point).unwrap_or(u16::MAX);
    match update {
        Update::Started(started) => status.started(&started.agents),
        Update::Finding(finding) => status.found(&finding.code, &finding.location, &headline(finding)),
        Update::AgentLost(point) => status.at(place(*point), "the agent is gone; waiting for it"),
        Update::AgentBack(point) => status.at(place(*point), "the agent is back"),
        Update::PointFailed(failed) => {
            status.at(place(failed.point), &format!("the capture failed: {}", failed.reason));
        }
        Update::PointResumed(resumed) => status.resumed(place(resumed.point), Span(resumed.gap_ns)),
        Update::RecordingFull(limit) => {
            status.line(&format!("warning: the recording is full at {limit} octets: the session ends"));
        }
        Update::Stopping(_) => status.line("stopping: captures end, what is left is taken in"),
        Update::Counts(counts) => status.tick(&progress(counts)),
        Update::Ended(_) => {}
    }
}

fn headline(finding: &wire::FoundSoFar) -> String {
    let connections = match finding.connection_count {
        0 => String::new(),
        count => format!("  {}", counted(count, "connection")),
    };
    let wire::FoundSoFar { code, severity, confidence, location, sentence, .. } = finding;
    format!("{severity}  {code}  {confidence}  {location}{connections}\n    {sentence}")
}

fn progress(counts: &wire::SessionCounts) -> SessionProgress {
    let point = |point: &wire::PointCounts| PointProgress {
        packets: point.packets,
        dropped: point.dropped,
        connected: point.connected,
    };
    SessionProgress {
        points: counts.points.iter().map(point).collect(),
        connections: counts.connections,
        records: counts.records,
    }
}
