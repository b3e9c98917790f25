//! What a session tells, in the words of the wire.

use crate::session::{EndCause, PointProgress, SessionEvent, SessionProgress};
use correlate_proto::report::Finding;
use correlate_proto::wire;
use wire::session_update::Update;

/// The event as an update; `None` if it is not worth one.
pub(super) fn update(event: SessionEvent) -> Option<Update> {
    Some(match event {
        SessionEvent::Started(points) => Update::Started(wire::CapturesStarted {
            agents: points.into_iter().map(|point| point.host).collect(),
        }),
        SessionEvent::Finding(finding) => Update::Finding(found(&finding)),
        SessionEvent::AgentLost(point) => Update::AgentLost(point.0.into()),
        SessionEvent::AgentBack(point) => Update::AgentBack(point.0.into()),
        SessionEvent::PointResumed(point, gap) => {
            Update::PointResumed(wire::PointResumed { point: point.0.into(), gap_ns: gap.as_ns() })
        }
        SessionEvent::PointEnded(point, EndCause::Failed(reason)) => {
            Update::PointFailed(wire::PointFailed { point: point.0.into(), reason })
        }
        SessionEvent::PointEnded(
            _,
            EndCause::Stopped | EndCause::Count | EndCause::Duration | EndCause::SourceEnded,
        ) => return None,
        SessionEvent::RecordingFull { limit_bytes } => Update::RecordingFull(limit_bytes),
        SessionEvent::Stopping => Update::Stopping(wire::Stopping {}),
    })
}

/// The counts as an update.
pub(crate) fn counts(progress: &SessionProgress) -> wire::SessionCounts {
    let point = |point: &PointProgress| wire::PointCounts {
        packets: point.packets,
        dropped: point.dropped,
        connected: point.connected,
    };
    wire::SessionCounts {
        points: progress.points.iter().map(point).collect(),
        connections: progress.connections,
        records: progress.records,
    }
}

fn found(finding: &Finding) -> wire::FoundSoFar {
    // Findings are made of what JSON can say; should one not be, its sentence still is told.
    let value = serde_json::to_value(finding).unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(|text| text.as_str()).unwrap_or_default().to_owned();
    wire::FoundSoFar {
        code: finding.code.name().to_owned(),
        severity: text("severity"),
        confidence: text("confidence"),
        location: text("location"),
        sentence: finding.sentence.clone(),
        connection_count: finding.connection_count,
        json: value.to_string().into_bytes(),
    }
}
