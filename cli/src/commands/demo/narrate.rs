//! What a demonstration says beside its report.

use crate::render::{Style, wrap};
use correlate_lab::{Done, Outcome, Scenario, catalogue};
use std::fmt::Write;

/// All scenarios, one line each.
pub(super) fn list(style: Style) -> String {
    let scenarios = catalogue();
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for scenario in &scenarios {
        let name = style.bold(&format!("{:<width$}", scenario.name));
        let _ = writeln!(out, "{name}  {}", scenario.title);
    }
    out.push_str("\nPlay one: correlate demo SCENARIO\n");
    out
}

/// What is going to happen.
pub(super) fn opening(scenario: &Scenario, seed: u64, style: Style) -> String {
    let title = style.bold(&format!("{}: {}", scenario.name, scenario.title));
    let says = wrap(scenario.says, 2, style.width);
    let hosts =
        if scenario.servers == 1 { "a server".to_owned() } else { format!("{} servers", scenario.servers) };
    format!("{title}\n{says}  A client, {hosts} and a device between them, in namespaces; seed {seed} …")
}

/// What the device did and what the captures hold: each end alone has only its own.
pub(super) fn middle(outcome: &Outcome, style: Style) -> String {
    const WORDS: [(Done, &str); 6] = [
        (Done::Forward, "passed"),
        (Done::Rewrite, "rewritten"),
        (Done::Drop, "dropped"),
        (Done::Duplicate, "duplicated"),
        (Done::Hold, "held back"),
        (Done::Inject, "forged"),
    ];
    let counts: Vec<String> = WORDS
        .iter()
        .map(|(done, word)| (outcome.ledger.iter().filter(|entry| entry.done == *done).count(), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let taps: Vec<String> = outcome
        .taps
        .iter()
        .map(|tap| {
            let file =
                tap.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            format!("{file} has {} frames", tap.recorded)
        })
        .collect();
    let text = format!("The device's own book: {}. {}.", counts.join(", "), taps.join(", "));
    wrap(&text, 2, style.width)
}

/// Whether correlate was right.
pub(super) fn closing(scenario: &Scenario, complaints: &[String], style: Style) -> String {
    if complaints.is_empty() {
        let planted = if scenario.expect.must.is_empty() && scenario.expect.problem {
            "a problem was planted, and what was found is what it allows".to_owned()
        } else if scenario.expect.must.is_empty() {
            "nothing was planted, and nothing was blamed".to_owned()
        } else {
            format!("planted and found: {}", scenario.expect.must.join(", "))
        };
        return format!("\n{} {planted}.", style.bold("correlate was right:"));
    }
    let mut out = format!("\n{}", style.bold("correlate was wrong:"));
    for complaint in complaints {
        let _ = write!(out, "\n  - {complaint}");
    }
    out
}
