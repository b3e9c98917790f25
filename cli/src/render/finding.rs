//! One finding as text.

use super::layout::{table, wrap, wrap_after};
use super::style::Style;
use super::{ladder, number, words};
use correlate_proto::report::{Evidence, Finding, Report, Severity};

/// Packets shown of a finding; the JSON report has all that the engine kept.
const EVIDENCE_SHOWN: usize = 12;

const INDENT: usize = 4;

/// A finding in one line and its sentence: what appears while a session still runs.
pub(crate) fn headline(finding: &Finding, style: Style) -> String {
    let mut parts = vec![
        style.severity(finding.severity, words::severity(finding.severity)),
        style.bold(finding.code.name()),
        words::confidence(finding.confidence).to_owned(),
        words::location(finding.location).to_owned(),
    ];
    parts.extend(words::bearing(finding));
    if finding.connection_count > 0 {
        parts.push(number::counted(finding.connection_count, "connection"));
    }
    format!("{}\n{}", parts.join("  "), wrap(&finding.sentence, INDENT, style.width))
}

/// A finding in full. What is only worth knowing is shown without its packets.
pub(super) fn block(finding: &Finding, report: &Report, style: Style) -> String {
    let mut out = headline(finding, style);
    if finding.severity > Severity::Info {
        for line in ladder::lines(finding, report) {
            out.push_str(&line);
            out.push('\n');
        }
        out.push_str(&evidence(&finding.evidence, style));
    }
    if !finding.alternatives.is_empty() {
        let text = finding.alternatives.join("; ");
        out.push_str(&labelled("could also be", &text, style));
    }
    if !finding.next_step.is_empty() {
        out.push_str(&labelled("next", &finding.next_step, style));
    }
    out
}

fn labelled(label: &str, text: &str, style: Style) -> String {
    let lead = format!("{}{}: ", " ".repeat(INDENT), style.bold(label));
    // The label is counted with its indent, colon and blank.
    wrap_after(&lead, text, INDENT + label.len() + 2, style.width)
}

/// One row a packet. The day stands in the head if it is the same for all.
fn evidence(evidence: &[Evidence], style: Style) -> String {
    if evidence.is_empty() {
        return String::new();
    }
    let shown = &evidence[..evidence.len().min(EVIDENCE_SHOWN)];
    let mut days: Vec<String> = shown.iter().filter_map(|row| row.at).map(number::day).collect();
    days.dedup();
    let one_day = days.len() == 1;
    let head = if one_day { format!("{} UTC, own clock", days[0]) } else { "UTC, own clock".to_owned() };
    let mut rows = vec![vec!["at".to_owned(), "packet".into(), head, "event".into(), "what".into()]];
    rows.extend(shown.iter().map(|row| {
        vec![
            row.capture_point.clone(),
            row.packet.map_or_else(|| "-".to_owned(), |packet| packet.to_string()),
            row.at.map_or_else(
                || "-".to_owned(),
                |at| {
                    let time = number::time_of_day(at);
                    if one_day { time } else { format!("{} {time}", number::day(at)) }
                },
            ),
            words::event(row.event).to_owned(),
            row.summary.clone(),
        ]
    }));
    let mut out = String::new();
    for (at, line) in table(&rows, &[false, true], INDENT).into_iter().enumerate() {
        out.push_str(&if at == 0 { style.dim(&line) } else { line });
        out.push('\n');
    }
    if evidence.len() > EVIDENCE_SHOWN {
        let more = number::counted((evidence.len() - EVIDENCE_SHOWN) as u64, "more packet");
        out.push_str(&wrap(&format!("… {more} in the JSON report"), INDENT, style.width));
    }
    out
}
