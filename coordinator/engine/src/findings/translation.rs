//! Addresses that a device on the path translates.

use super::{Facts, Sighting, Symptom, View};
use correlate_proto::report::{Code, Confidence, EvidenceEvent, Location, Severity};

/// Compares the four-tuples at the two ends.
pub(super) fn check(view: &View<'_>, symptoms: &mut Vec<Symptom>) {
    let (Some(client), Some(server)) = (
        view.connection.flows.first().and_then(Option::as_ref),
        view.connection.flows.last().and_then(Option::as_ref),
    ) else {
        return;
    };
    let (at_client, at_server) = ((client.client(), client.server()), (server.client(), server.server()));
    if at_client == at_server {
        return;
    }
    let line = |(from, to)| format!("{from} to {to}");
    let evidence = vec![
        Sighting::of(client.first, EvidenceEvent::Sent, line(at_client)),
        Sighting::of(server.first, EvidenceEvent::Received, line(at_server)),
    ];
    let facts = Facts::Translated { at_client, at_server };
    let symptom = Symptom::new(
        Code::AddressTranslated,
        Severity::Info,
        Confidence::Proven,
        Location::PathDevice,
        facts,
    );
    symptoms.push(symptom.with_evidence(evidence));
}
