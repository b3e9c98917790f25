//! Where text goes: data to standard output or a file, everything else to standard error.

use crate::args::{ColorChoice, Format, OutputArgs, VerdictArgs};
use crate::error::CliError;
use crate::render::{Style, json, junit, text};
use correlate_proto::report::Report;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Writes data to standard output. A reader that has gone away is no error: it has what it wanted.
pub(crate) fn data(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::output("standard output", &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a line to standard error; that it cannot be written cannot be said anywhere.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes the report as `args` ask for it, where nothing but errors fails a run.
pub(crate) fn report(report: &Report, args: &OutputArgs, color: ColorChoice) -> Result<(), CliError> {
    judged(report, args, &VerdictArgs::default(), color)
}

/// Writes the report as `args` ask for it; `rule` says what fails the run.
pub(crate) fn judged(
    report: &Report,
    args: &OutputArgs,
    rule: &VerdictArgs,
    color: ColorChoice,
) -> Result<(), CliError> {
    // Colour belongs on a terminal; in a file only who asks for it gets it.
    let style = match (&args.output, color) {
        (Some(_), ColorChoice::Auto | ColorChoice::Never) => Style::PLAIN,
        (None, _) | (_, ColorChoice::Always) => Style::of_stdout(color),
    };
    let rendered = match args.format {
        Format::Text => text::report(report, style),
        Format::Json => json::report(report)
            .map_err(|error| CliError::new(format!("cannot write the report as JSON: {error}")))?,
        Format::Junit => junit::report(report, rule),
    };
    write(&rendered, args)
}

/// Where there is no report, a pipeline's is written all the same and says why.
pub(crate) fn failed(args: &OutputArgs, error: &CliError) {
    match args.format {
        Format::Text | Format::Json => {}
        Format::Junit => {
            if let Err(error) = write(&junit::failed(error.what(), error.remedy()), args) {
                say(&error.to_string());
            }
        }
    }
}

fn write(rendered: &str, args: &OutputArgs) -> Result<(), CliError> {
    match &args.output {
        None => data(rendered),
        Some(path) => std::fs::write(path, rendered)
            .map_err(|error| CliError::output(&path.display().to_string(), &error)),
    }
}

/// Finds out before the work, not after it, that the report has no place to go.
pub(crate) fn check(args: &OutputArgs) -> Result<(), CliError> {
    args.output.as_deref().map_or(Ok(()), writable)
}

/// Whether `path` can be made a file: its directory exists and it is none itself.
pub(crate) fn writable(path: &Path) -> Result<(), CliError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let problem = if path.is_dir() {
        Some("it is a directory")
    } else if !parent.is_dir() {
        Some("its directory does not exist")
    } else {
        None
    };
    match problem {
        Some(problem) => Err(CliError::new(format!("cannot write {}: {problem}", path.display()))
            .hint("name a file in a directory that exists")),
        None => Ok(()),
    }
}

/// Whether `path` can be made a new file: a session never replaces what is there.
pub(crate) fn unused(path: &Path) -> Result<(), CliError> {
    writable(path)?;
    if path.exists() {
        return Err(CliError::new(format!("cannot save the session: {} exists", path.display()))
            .hint("name another file with --save, or remove that one first"));
    }
    Ok(())
}
