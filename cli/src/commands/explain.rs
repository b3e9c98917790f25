//! `explain`: what a finding means.

use crate::args::{ColorChoice, ExplainArgs};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::explain;
use crate::output;
use crate::render::Style;
use std::fmt::Write;

/// Writes the page of one code, or the list of all.
pub(crate) fn run(args: &ExplainArgs, color: ColorChoice) -> Result<ExitStatus, CliError> {
    let style = Style::of_stdout(color);
    let text = match args.code {
        Some(code) => page(explain::page(code), style),
        None => list(style),
    };
    output::data(&text)?;
    Ok(ExitStatus::Clean)
}

fn page(text: &str, style: Style) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        match line.strip_prefix("# ").or_else(|| line.strip_prefix("## ")) {
            Some(heading) => out.push_str(&style.bold(heading)),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

fn list(style: Style) -> String {
    let mut out = String::new();
    for (code, summary) in explain::summaries() {
        let _ = writeln!(out, "{}  {summary}", style.bold(&format!("{:<20}", code.name())));
    }
    out.push_str("\nOne in full: correlate explain CODE\n");
    out
}
