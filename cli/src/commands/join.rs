//! `join`: the first certificate of this host or user.

use crate::args::{CredentialsArgs, JoinArgs};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::output;
use correlate_agent::trust::{Credentials, TrustError, join};
use std::path::PathBuf;

/// Joins, and keeps the credentials.
pub(crate) fn run(args: &JoinArgs) -> Result<ExitStatus, CliError> {
    let (address, token) =
        args.read().map_err(|error| CliError::remedied(&error, "see `correlate join --help`"))?;
    let directory = directory(&args.credentials)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CliError::new(format!("cannot join: {error}")).hint("raise the limit of open files")
    })?;
    let joined = runtime.block_on(join(&address, &token, args.name.as_deref())).and_then(|credentials| {
        credentials.save(&directory)?;
        credentials.identity()
    });
    let identity = joined.map_err(failed)?;
    output::data(&format!(
        "joined {address} as {}; credentials in {}\n",
        identity.name,
        directory.display()
    ))?;
    Ok(ExitStatus::Clean)
}

/// Where credentials are.
pub(crate) fn directory(args: &CredentialsArgs) -> Result<PathBuf, CliError> {
    args.credentials.clone().or_else(Credentials::usual_directory).ok_or_else(|| {
        CliError::new("this user has no home to keep credentials in")
            .hint("name a directory with --credentials")
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn failed(error: TrustError) -> CliError {
    CliError::remedied(&error.to_string(), "see the coordinator's log")
}
