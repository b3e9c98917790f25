//! Connections: the totals, and those with findings.

use super::layout::table;
use super::number;
use correlate_proto::report::{ConnectionReport, EndpointReport, Initiator, Report};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// Connections listed in text; the JSON report has more.
const SHOWN: usize = 10;

/// The totals, then the first connections with findings.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let totals = &report.connection_totals;
    let outcomes: Vec<String> = totals
        .by_outcome
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(outcome, count)| format!("{} {outcome}", number::count(*count)))
        .collect();
    let mut total = format!("  {} in all", number::count(totals.total));
    if !outcomes.is_empty() {
        let _ = write!(total, ": {}", outcomes.join(", "));
    }
    let concerned: Vec<&ConnectionReport> =
        report.connections.iter().filter(|connection| !connection.findings.is_empty()).collect();
    let rows: Vec<Vec<String>> = concerned.iter().take(SHOWN).map(|c| row(c, report)).collect();
    let mut lines = vec![total];
    lines.extend(table(&rows, &[], 2));
    if concerned.len() > SHOWN {
        let more = number::count((concerned.len() - SHOWN) as u64);
        lines.push(format!("  … {more} more with findings, in the JSON report"));
    }
    lines
}

fn row(connection: &ConnectionReport, report: &Report) -> Vec<String> {
    let arrow = match connection.initiator {
        Initiator::Client => "->",
        Initiator::Server => "<-",
    };
    let codes: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| connection.findings.contains(&finding.id))
        .map(|finding| finding.code.name())
        .collect();
    vec![
        connection.id.clone(),
        format!("{} {arrow} {}", endpoint(&connection.client), endpoint(&connection.server)),
        connection.state.clone(),
        codes.join(", "),
    ]
}

/// `10.0.0.1:80`, `[2001:db8::1]:80`.
fn endpoint(endpoint: &EndpointReport) -> String {
    endpoint.address.parse::<IpAddr>().map_or_else(
        |_| format!("{}:{}", endpoint.address, endpoint.port),
        |address| SocketAddr::new(address, endpoint.port).to_string(),
    )
}
