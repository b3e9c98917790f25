//! Addresses that a device on the path translates.

use super::{Sighting, Symptom, View};
use correlate_proto::Endpoint;
use correlate_proto::report::{Code, Confidence, Details, EvidenceEvent, Location, Severity, TranslatedSide};

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
    let line = |(from, to): (Endpoint, Endpoint)| format!("{from} to {to}");
    let evidence = vec![
        Sighting::of(client.first, EvidenceEvent::Sent, line(at_client)),
        Sighting::of(server.first, EvidenceEvent::Received, line(at_server)),
    ];
    let side = |(client, server): (Endpoint, Endpoint)| TranslatedSide {
        client: client.into(),
        server: server.into(),
    };
    let details = Details::Translated { client_side: side(at_client), server_side: side(at_server) };
    let note = format!("{} at the client is {} at the server", line(at_client), line(at_server));
    let symptom = Symptom::new(
        Code::AddressTranslated,
        Severity::Info,
        Confidence::Proven,
        Location::PathDevice,
        |told| format!("A device translates addresses: {}, in {}.", told.worst.note, told.of),
    );
    symptoms.push(symptom.with_details(details).with_note(note).with_evidence(evidence));
}
