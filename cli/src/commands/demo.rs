//! `demo`: a broken path of real packets on this machine, and whether the verdict is right.

mod expectation;
mod narrate;
mod play;
mod workdir;

use crate::args::{ColorChoice, DemoArgs, similar};
use crate::error::CliError;
use crate::exit::{ExitStatus, FailOn, judge};
use crate::output;
use crate::render::Style;
use correlate_lab::{LabError, Outcome, Scenario};
use correlate_proto::report::Report;
use play::Played;
use std::fs::File;
use std::path::Path;
use workdir::Workdir;

/// The session's file in the directory of `--keep`.
const SESSION: &str = "session.correlate";

/// Lists the scenarios or plays one.
pub(crate) fn run(args: &DemoArgs, color: ColorChoice) -> Result<ExitStatus, CliError> {
    let Some(name) = args.scenario.as_deref().filter(|_| !args.list) else {
        output::data(&narrate::list(Style::of_stdout(color)))?;
        return Ok(ExitStatus::Clean);
    };
    let scenario = correlate_lab::find(name).ok_or_else(|| unknown(name))?;
    output::check(&args.output)?;
    // Before anything starts a thread: the kernel lets only a process with one thread in.
    correlate_lab::enter_user_namespace().map_err(|error| failed(&error))?;
    show(&scenario, args, color)
}

fn show(scenario: &Scenario, args: &DemoArgs, color: ColorChoice) -> Result<ExitStatus, CliError> {
    let style = Style::of_stderr(color);
    let workdir = Workdir::new(args.keep.as_deref())?;
    let save = args.keep.is_some().then(|| workdir.path().join(SESSION));
    if let Some(before) = &save {
        // Like the captures, it is that of the newest demonstration.
        let _ = std::fs::remove_file(before);
    }
    output::say(&narrate::opening(scenario, args.seed, style));
    let (outcome, report) = match play::play((scenario, args.seed), workdir.path(), save, color)? {
        Played::Judged(outcome, report) => (outcome, report),
        Played::Aborted => {
            output::say("aborted: no verdict");
            return Ok(ExitStatus::Aborted);
        }
    };
    output::say(&narrate::middle(&outcome, style));
    output::report(&report, &args.output, color)?;
    if args.keep.is_some() {
        keep(&report, &outcome, workdir.path())?;
    }
    let status = judge(&report, FailOn::Error, &[]);
    let complaints = expectation::complaints(&report, status, &scenario.expect);
    output::say(&narrate::closing(scenario, &complaints, style));
    Ok(if complaints.is_empty() { ExitStatus::Clean } else { ExitStatus::Problem })
}

/// Leaves the report and the device's book beside the captures.
fn keep(report: &Report, outcome: &Outcome, folder: &Path) -> Result<(), CliError> {
    let json = crate::render::json::report(report)
        .map_err(|error| CliError::new(format!("cannot write the report as JSON: {error}")))?;
    let file = |name: &str| folder.join(name);
    let cannot = |path: &Path, error: &std::io::Error| CliError::output(&path.display().to_string(), error);
    std::fs::write(file("report.json"), json).map_err(|error| cannot(&file("report.json"), &error))?;
    File::create(file("ledger.csv"))
        .and_then(|mut ledger| correlate_lab::write_csv(&outcome.ledger, &mut ledger))
        .map_err(|error| cannot(&file("ledger.csv"), &error))?;
    output::say(&format!("kept: captures, {SESSION}, report.json and ledger.csv in {}", folder.display()));
    Ok(())
}

fn unknown(name: &str) -> CliError {
    let scenarios = correlate_lab::catalogue();
    let close = similar(name, scenarios.iter().map(|scenario| scenario.name));
    let hint = match close.as_slice() {
        [] => "`correlate demo --list` shows them all".to_owned(),
        close => format!("did you mean {}? `correlate demo --list` shows them all", close.join(" or ")),
    };
    CliError::new(format!("no scenario has that name: {name}")).hint(hint)
}

fn failed(error: &LabError) -> CliError {
    let text = error.to_string();
    match text.split_once("; ") {
        Some((what, remedy)) => CliError::new(what).hint(remedy),
        None => CliError::new(text).hint("`correlate doctor` shows what this host allows"),
    }
}
