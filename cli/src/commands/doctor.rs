//! `doctor`: what on a host would make a verdict weaker.

use crate::args::{ColorChoice, Host};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::diagnose;
use crate::output;
use crate::render::{Style, printable, wrap};
use correlate_agent::host::{Check, CheckState, Container, Namespace, doctor, interfaces, run_in};
use correlate_proto::report::Severity;
use std::fmt::Write;
use std::path::Path;

/// Writes what was looked at and how it stands; status 1 if something that capturing needs is missing.
pub(crate) fn run(host: &Host, color: ColorChoice) -> Result<ExitStatus, CliError> {
    let style = Style::of_stdout(color);
    let (checks, said) = match host {
        Host::Local { interface } => (look(None, interface.as_deref())?, Vec::new()),
        Host::Namespace { name, interface } => {
            (look(Some(&Namespace::named(Path::new(name))), interface.as_deref())?, Vec::new())
        }
        Host::Container { name, interface } => {
            let container = Container::find(name).map_err(|error| unfit(&error))?;
            let namespace = container.namespace();
            (look(Some(&Namespace::named(&namespace)), interface.as_deref())?, Vec::new())
        }
        Host::Ssh(host) => {
            let diagnosis = diagnose(host.clone())?;
            (diagnosis.checks, diagnosis.said)
        }
    };
    let mut text = render(&checks, style);
    if !said.is_empty() {
        text.push_str("\nas correlate says there:\n");
    }
    for line in said {
        let _ = writeln!(text, "{}", printable(&line));
    }
    output::data(&text)?;
    let missing = checks.iter().any(|check| check.state == CheckState::Missing);
    Ok(if missing { ExitStatus::Problem } else { ExitStatus::Clean })
}

/// Looks around in a network namespace of this host, or right here, and at one interface by name.
fn look(namespace: Option<&Namespace>, interface: Option<&str>) -> Result<Vec<Check>, CliError> {
    let looked = run_in(namespace, || (doctor(), interfaces().unwrap_or_default()));
    let (mut checks, found) = looked.map_err(|error| unfit(&error))?;
    if let Some(name) = interface
        && !found.iter().any(|interface| interface.name == name)
    {
        let known: Vec<&str> = found.iter().map(|interface| interface.name.as_str()).collect();
        checks.push(Check {
            name: name.to_owned(),
            state: CheckState::Missing,
            says: "no such interface".to_owned(),
            remedy: Some(format!("there are {}", known.join(", "))),
        });
    }
    Ok(checks)
}

/// What cannot be entered, in the terminal's words.
fn unfit(error: &dyn core::fmt::Display) -> CliError {
    CliError::remedied(&error.to_string(), "see which capabilities are held: `correlate doctor`")
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
