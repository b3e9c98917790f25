//! `show`: a saved session, or one of a coordinator, rendered again.

use crate::args::{ColorChoice, ShowArgs};
use crate::error::CliError;
use crate::exit::{ExitStatus, judge};
use crate::output;
use correlate_coordinator::replay;

/// Runs the engine over the recording and writes the report.
pub(crate) fn run(args: &ShowArgs, color: ColorChoice) -> Result<ExitStatus, CliError> {
    output::check(&args.output)?;
    #[cfg(target_os = "linux")]
    if let (Some(address), false) = (&args.coordinator, args.file.exists()) {
        let session = args.file.to_string_lossy();
        return super::remote::show(&session, address, (&args.output, &args.verdict), color);
    }
    let report = replay(&args.file)
        .map_err(|error| CliError::remedied(&error.to_string(), "sessions are what --save writes"))?;
    output::judged(&report, &args.output, &args.verdict, color)?;
    Ok(judge(&report, args.verdict.fail_on, &args.verdict.expect))
}
