//! A report as text for somebody who reads it under stress: the answer first, then why, then what it rests on.

use super::layout::{printable, wrap_after};
use super::style::Style;
use super::{connections, finding, points, times, words};
use correlate_proto::report::{Report, Verdict};

/// The report as text.
pub(crate) fn report(report: &Report, style: Style) -> String {
    let mut out = verdict(&report.verdict, style);
    for found in &report.findings {
        out.push('\n');
        out.push_str(&finding::block(found, report, style));
    }
    out.push('\n');
    out.push_str(&section("captures", &points::captures(report), style));
    out.push_str(&section("clocks", &points::clocks(report), style));
    out.push_str(&section("paths", &points::paths(report), style));
    out.push_str(&section("connections", &connections::lines(report), style));
    out.push_str(&section("times", &times::lines(report), style));
    out.push_str(&section("command", &command(report), style));
    out
}

fn verdict(verdict: &Verdict, style: Style) -> String {
    let word = words::status(verdict.status);
    let lead = format!("{}  ", style.status(verdict.status, word));
    let mut out = wrap_after(&lead, &verdict.sentence, word.len() + 2, style.width);
    if out.is_empty() {
        out = lead.trim_end().to_owned() + "\n";
    }
    for reason in &verdict.reasons {
        out.push_str(&wrap_after("  - ", reason, 4, style.width));
    }
    out
}

fn section(title: &str, lines: &[String], style: Style) -> String {
    if lines.is_empty() {
        return String::new();
    }
    lines.iter().fold(format!("{}\n", style.bold(title)), |out, line| out + line + "\n")
}

fn command(report: &Report) -> Vec<String> {
    let Some(command) = &report.session.command else { return Vec::new() };
    let ended = command
        .exit_status
        .map_or_else(|| "no exit status".to_owned(), |status| format!("exit status {status}"));
    vec![printable(&format!("  {}  ({ended}; kept apart from the verdict)", command.argv.join(" ")))]
}
