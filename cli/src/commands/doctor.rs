//! `doctor`: what on this host would make a verdict weaker.

use crate::args::ColorChoice;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::output;
use crate::render::{Style, printable, wrap};
use correlate_agent::host::{Check, CheckState, doctor};
use correlate_proto::report::Severity;
use std::fmt::Write;

/// Writes what was looked at and how it stands; status 1 if something that capturing needs is missing.
pub(crate) fn run(color: ColorChoice) -> Result<ExitStatus, CliError> {
    let checks = doctor();
    output::data(&render(&checks, Style::of_stdout(color)))?;
    let missing = checks.iter().any(|check| check.state == CheckState::Missing);
    Ok(if missing { ExitStatus::Problem } else { ExitStatus::Clean })
}

fn render(checks: &[Check], style: Style) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for check in checks {
        let state = match check.state {
            CheckState::Ok => "ok     ".to_owned(),
            CheckState::Weak => style.severity(Severity::Warning, "weak   "),
            CheckState::Missing => style.severity(Severity::Error, "missing"),
        };
        let name = printable(&check.name);
        let _ = writeln!(out, "{state}  {name:<width$}  {}", printable(&check.says));
        if let Some(remedy) = &check.remedy {
            // Below the text that it belongs to: state, two gaps, name.
            out.push_str(&wrap(&format!("hint: {remedy}"), 7 + 2 + width + 2, style.width.max(80)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_stands_below_what_it_mends() {
        let check = |name: &str, state, remedy: Option<&str>| Check {
            name: name.into(),
            state,
            says: "so it is".into(),
            remedy: remedy.map(Into::into),
        };
        let checks =
            [check("kernel", CheckState::Ok, None), check("clock", CheckState::Weak, Some("run chronyd"))];
        assert_eq!(
            render(&checks, Style::PLAIN),
            "ok       kernel  so it is\nweak     clock   so it is\n                 hint: run chronyd\n"
        );
    }
}
