//! `show`: a saved session, rendered again.

use crate::args::{ColorChoice, ShowArgs};
use crate::error::CliError;
use crate::exit::{ExitStatus, judge};
use crate::output;
use correlate_coordinator::replay;

/// Runs the engine over the recording and writes the report.
pub(crate) fn run(args: &ShowArgs, color: ColorChoice) -> Result<ExitStatus, CliError> {
    output::check(&args.output)?;
    let report = replay(&args.file)
        .map_err(|error| CliError::remedied(&error.to_string(), "sessions are what --save writes"))?;
    output::judged(&report, &args.output, &args.verdict, color)?;
    Ok(judge(&report, args.verdict.fail_on, &args.verdict.expect))
}
