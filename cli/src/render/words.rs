//! The vocabulary of the report in the words of its JSON form, so that text and JSON can be searched alike.

use correlate_proto::report::{Confidence, EvidenceEvent, Finding, Location, Severity, Status, Toward};
use correlate_proto::{Direction, Role};

pub(super) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

pub(super) const fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Unconfirmed => "unconfirmed",
        Confidence::Likely => "likely",
        Confidence::Strong => "strong",
        Confidence::Proven => "proven",
    }
}

pub(super) const fn location(location: Location) -> &'static str {
    match location {
        Location::ClientHost => "client-host",
        Location::ClientToServerPath => "client-to-server-path",
        Location::ServerToClientPath => "server-to-client-path",
        Location::ServerHost => "server-host",
        Location::PathDevice => "path-device",
        Location::Capture => "capture",
        Location::Unknown => "location unknown",
    }
}

pub(super) const fn event(event: EvidenceEvent) -> &'static str {
    match event {
        EvidenceEvent::Sent => "sent",
        EvidenceEvent::Received => "received",
        EvidenceEvent::NeverSent => "never-sent",
        EvidenceEvent::NeverReceived => "never-received",
    }
}

pub(super) const fn status(status: Status) -> &'static str {
    match status {
        Status::Clean => "CLEAN",
        Status::Problem => "PROBLEM",
        Status::Inconclusive => "INCONCLUSIVE",
    }
}

pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Client => "client",
        Role::Via => "via",
        Role::Server => "server",
    }
}

pub(super) const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::ClientToServer => "client-to-server",
        Direction::ServerToClient => "server-to-client",
    }
}

/// The direction that a finding adds to its location, and who received what was forged.
pub(super) fn bearing(finding: &Finding) -> Option<String> {
    let toward = finding.toward.map(|toward| match toward {
        Toward::Client => "toward the client",
        Toward::Server => "toward the server",
        Toward::Both => "toward both ends",
    });
    let along = match (finding.location, finding.direction) {
        // The location says it already.
        (Location::ClientToServerPath | Location::ServerToClientPath, _) | (_, None) => None,
        (
            Location::ClientHost
            | Location::ServerHost
            | Location::PathDevice
            | Location::Capture
            | Location::Unknown,
            Some(along),
        ) => Some(direction(along)),
    };
    toward.or(along).map(str::to_owned)
}
