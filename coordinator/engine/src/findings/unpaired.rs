//! Connections that only one end's captures show, and why that is no evidence against the path.

use super::{Sighting, Symptom, View};
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, EvidenceEvent, Location, Severity};

/// Says why a connection that one end alone saw is not judged. One that another check explains needs no excuse.
pub(super) fn check(view: &View<'_>, symptoms: &mut Vec<Symptom>) {
    let connection = view.connection;
    if connection.is_paired() || symptoms.iter().any(|symptom| symptom.severity == Severity::Error) {
        return;
    }
    let Some(flow) = connection.seen_flows().next() else { return };
    let session = view.session;
    let far_position = if session.points[flow.point].position == 0 { session.path_len - 1 } else { 0 };
    let far: Vec<_> = session.points.iter().filter(|point| point.position == far_position).collect();
    if far.iter().all(|point| point.records == 0) {
        // That point saw nothing at all, which is a finding of its own.
        return;
    }
    let (own, called) = match session.points[flow.point].position {
        0 => (flow.client().addr, flow.server().addr),
        _ => (flow.server().addr, flow.client().addr),
    };
    let missing = far.first().map_or("the other end", |point| point.label.as_str());
    let covered = session.points.iter().enumerate().any(|(index, point)| {
        point.position == far_position && session.covers_arrival(flow.first.at, flow.point, index)
    });
    let why = if session.another_host_may_answer(far_position, called) {
        format!("{called} may be served by another host than the one captured as {missing}")
    } else if !covered {
        format!("nothing proves that the capture at {missing} ran at that time")
    } else if !far.iter().all(|point| point.would_have_seen(own, called)) {
        format!(
            "nothing proves that the capture at {missing} could have seen traffic between {own} and {called}"
        )
    } else {
        format!("it never appeared at {missing}, or under a translation that could not be recognized")
    };
    let evidence = vec![Sighting::of(
        flow.first,
        if connection.opened() == Some(Direction::ClientToServer) && far_position != 0 {
            EvidenceEvent::Sent
        } else {
            EvidenceEvent::Received
        },
        format!("{} to {}", flow.client(), flow.server()),
    )];
    // Of a connection of which a capture lacks much the other half may be there and not recognized.
    let lossy = session.points.iter().any(crate::point::Point::is_suspect);
    let symptom = Symptom::new(
        Code::UnpairedConnection,
        Severity::Info,
        if lossy { Confidence::Likely } else { Confidence::Proven },
        Location::Capture,
        |told| format!("Seen at one end only, in {}: {}.", told.of, told.worst.note),
    );
    symptoms.push(symptom.with_note(why).with_evidence(evidence));
}
