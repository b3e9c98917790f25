//! `validate`: whether configuration files are sound.

use crate::args::ValidateArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::output;
use correlate_agent::policy::{Policy, PolicyError};

/// Reads every file; the first that is not sound is an error.
pub(crate) fn run(args: &ValidateArgs) -> Result<ExitStatus, CliError> {
    for path in &args.files {
        Policy::load(path).map_err(|error| unsound(&error))?;
        output::data(&format!("{}: a sound policy\n", path.display()))?;
    }
    Ok(ExitStatus::Clean)
}

/// The error in the terminal's words.
pub(crate) fn unsound(error: &PolicyError) -> CliError {
    CliError::remedied(&error.to_string(), "see `correlate validate --help`")
}
