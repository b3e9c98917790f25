//! `agents` and `sessions`: what a coordinator has.

use super::remote::block_on;
use crate::args::{ListArgs, ListFormat};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::output;
use crate::remote::Client;
use crate::render::printable;
use correlate_proto::report::ReportTime;
use correlate_proto::wire::{AgentSummary, SessionSummary};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Lists the agents that are connected.
pub(crate) fn agents(args: &ListArgs) -> Result<ExitStatus, CliError> {
    let agents = block_on(async { Client::connect(&args.at.coordinator).await?.agents().await })?;
    match args.format {
        ListFormat::Json => write_json("agents", &agents.iter().map(agent_json).collect::<Vec<_>>()),
        ListFormat::Text => {
            let rows = agents.iter().map(|agent| {
                vec![agent.name.clone(), time(agent.connected_at_ns), agent.version.clone(), labels(agent)]
            });
            write_table(&["AGENT", "CONNECTED", "VERSION", "LABELS"], &rows.collect::<Vec<_>>())
        }
    }
}

/// Lists the sessions that run and those that are kept.
pub(crate) fn sessions(args: &ListArgs) -> Result<ExitStatus, CliError> {
    let sessions = block_on(async { Client::connect(&args.at.coordinator).await?.sessions().await })?;
    match args.format {
        ListFormat::Json => write_json("sessions", &sessions.iter().map(session_json).collect::<Vec<_>>()),
        ListFormat::Text => {
            let rows = sessions.iter().map(|session| {
                vec![
                    session.session.clone(),
                    session.phase().word().to_owned(),
                    time(session.started_at_ns),
                    agents_of(session).join(" "),
                    session.outcome.clone(),
                ]
            });
            write_table(&["SESSION", "PHASE", "STARTED", "AGENTS", "OUTCOME"], &rows.collect::<Vec<_>>())
        }
    }
}

fn agents_of(session: &SessionSummary) -> Vec<String> {
    let points = session.spec.as_ref().map(|spec| spec.points.as_slice()).unwrap_or_default();
    points.iter().map(|point| point.agent.clone()).collect()
}

/// To the second: what is more than a list is in the JSON.
fn time(ns: i64) -> String {
    let text = ReportTime(ns).to_string();
    text.split('.').next().map_or_else(|| text.clone(), |second| format!("{second}Z"))
}

fn labels(agent: &AgentSummary) -> String {
    let one = |(name, value): (&String, &String)| format!("{name}={value}");
    agent.labels.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn agent_json(agent: &AgentSummary) -> Value {
    json!({
        "name": agent.name,
        "labels": agent.labels,
        "version": agent.version,
        "system": agent.system,
        "connected_at": ReportTime(agent.connected_at_ns),
        "clock_offset_ns": agent.clock_offset_ns,
    })
}

fn session_json(session: &SessionSummary) -> Value {
    json!({
        "session": session.session,
        "phase": session.phase().word(),
        "started_at": ReportTime(session.started_at_ns),
        "agents": agents_of(session),
        "filter": session.spec.as_ref().map(|spec| spec.filter.as_str()),
        "recording_bytes": session.recording_bytes,
        "outcome": session.outcome,
    })
}

fn write_json(name: &str, items: &[Value]) -> Result<ExitStatus, CliError> {
    let document = json!({ name: items });
    output::data(&format!("{document:#}\n"))?;
    Ok(ExitStatus::Clean)
}

fn write_table(titles: &[&str], rows: &[Vec<String>]) -> Result<ExitStatus, CliError> {
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    output::data(&table(&titles, rows))?;
    Ok(ExitStatus::Clean)
}

/// Columns as wide as their widest cell; the last has no width.
fn table(titles: &[String], rows: &[Vec<String>]) -> String {
    let lines: Vec<Vec<String>> = core::iter::once(titles)
        .chain(rows.iter().map(Vec::as_slice))
        .map(|row| row.iter().map(|cell| printable(cell)).collect())
        .collect();
    let width = |column: usize| lines.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let mut out = String::new();
    for row in &lines {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let rows = [row(["web", "zone=a"]), row(["a-long-name", ""])];
        assert_eq!(
            table(&row(["AGENT", "LABELS"]), &rows),
            "AGENT        LABELS\nweb          zone=a\na-long-name\n"
        );
    }

    #[test]
    fn a_time_is_shown_to_the_second() {
        assert_eq!(time(1_500_000_000_123_456_789), "2017-07-14T02:40:00Z");
    }
}
