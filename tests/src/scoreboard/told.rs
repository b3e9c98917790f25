//! What a report tells of which connections.

use correlate_proto::report::{Code, Confidence, EndpointReport, Finding, Report, Severity};
use correlate_proto::{Direction, Endpoint, FourTuple};
use std::collections::{BTreeMap, BTreeSet};

/// What is told under one code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Connections of which it is told for good.
    pub connections: BTreeSet<FourTuple>,
    /// Connections of which it is suspected only: an unconfirmed finding decides nothing.
    pub suspected: BTreeSet<FourTuple>,
    /// Connections of which it is told for good, by the direction that it names.
    pub by_direction: BTreeMap<Direction, BTreeSet<FourTuple>>,
    /// Whether it is told for good at all.
    pub is_confirmed: bool,
    /// As bad as it is told to be.
    pub severity: Severity,
    /// The sentences of its findings.
    pub sentences: String,
}

impl Told {
    /// What `report` tells under `code` with at least so much confidence; `None` if it has no such finding. Connections
    /// are as `by_id` names them.
    pub fn of(
        report: &Report,
        (code, least): (Code, Confidence),
        by_id: &BTreeMap<String, FourTuple>,
    ) -> Option<Self> {
        let is_meant = |finding: &&Finding| finding.code == code && finding.confidence >= least;
        let findings: Vec<&Finding> = report.findings.iter().filter(is_meant).collect();
        let of = |confirmed: bool| -> BTreeSet<FourTuple> {
            let findings = findings.iter().filter(|finding| is_confirmed(finding) == confirmed);
            findings
                .flat_map(|finding| &finding.connections)
                .filter_map(|id| by_id.get(id).copied())
                .collect()
        };
        let connections = of(true);
        let mut by_direction: BTreeMap<Direction, BTreeSet<FourTuple>> = BTreeMap::new();
        for finding in findings.iter().filter(|finding| is_confirmed(finding)) {
            let Some(direction) = finding.direction else { continue };
            let named = finding.connections.iter().filter_map(|id| by_id.get(id).copied());
            by_direction.entry(direction).or_default().extend(named);
        }
        Some(Self {
            by_direction,
            suspected: of(false).difference(&connections).copied().collect(),
            connections,
            is_confirmed: findings.iter().any(|finding| is_confirmed(finding)),
            severity: findings.iter().map(|finding| finding.severity).max()?,
            sentences: findings.iter().map(|finding| sentence(finding)).collect::<Vec<_>>().join(" + "),
        })
    }
}

/// The connections of a report, by their ids there, with their addresses as the report has them.
pub fn names(report: &Report) -> impl Iterator<Item = (&str, FourTuple)> {
    report.connections.iter().filter_map(|connection| {
        let tuple = FourTuple { src: end(&connection.client)?, dst: end(&connection.server)? };
        Some((connection.id.as_str(), tuple))
    })
}

fn is_confirmed(finding: &Finding) -> bool {
    finding.confidence > Confidence::Unconfirmed
}

fn end(end: &EndpointReport) -> Option<Endpoint> {
    Some(Endpoint { addr: end.address.parse().ok()?, port: end.port })
}

fn sentence(finding: &Finding) -> String {
    let confidence = match finding.confidence {
        Confidence::Unconfirmed => "unconfirmed",
        Confidence::Likely => "likely",
        Confidence::Strong => "strong",
        Confidence::Proven => "proven",
    };
    let direction = finding.direction.map_or(String::new(), |direction| format!(", {direction:?}"));
    format!("{confidence}{direction}: {}", finding.sentence)
}
