//! `validate`: whether configuration files are sound.

use crate::args::ValidateArgs;
use crate::config;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::output;
use correlate_agent::policy::PolicyError;

/// Reads every file; the first that is not sound is an error.
pub(crate) fn run(args: &ValidateArgs) -> Result<ExitStatus, CliError> {
    for path in &args.files {
        let kind = config::check(path, args.kind)?;
        output::data(&format!("{}: a sound {}\n", path.display(), kind.name()))?;
    }
    Ok(ExitStatus::Clean)
}

/// The error in the terminal's words.
pub(crate) fn unsound(error: &PolicyError) -> CliError {
    CliError::remedied(&error.to_string(), "see `correlate validate --help`")
}
