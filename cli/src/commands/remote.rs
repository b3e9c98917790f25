//! What happens at a coordinator: `run` there, `watch`, `stop`, and `show` of a session there.

use crate::args::{ColorChoice, OutputArgs, RunArgs, StopArgs, VerdictArgs, WatchArgs};
use crate::error::CliError;
use crate::exit::{ExitStatus, judge};
use crate::live::{Command, Status, Work};
use crate::output;
use crate::remote::{Address, Client, Followed, OnInterrupt, fetch, follow};
use crate::render::Style;
use correlate_coordinator::{Recording, replay};
use correlate_proto::report::{CommandReport, Report};
use correlate_proto::wire;
use std::path::Path;

/// Runs the session at the coordinator, follows it, and writes the report.
pub(crate) fn run(
    args: &RunArgs,
    address: &Address,
    spec: wire::SessionSpec,
    color: ColorChoice,
) -> Result<ExitStatus, CliError> {
    let mut work = Command::new(&args.command).map(|command| Work::Command(Box::new(command)));
    block_on(async {
        let mut client = Client::connect(address).await?;
        let session = client.start(spec).await?;
        output::say(&format!("session {session} at {address}"));
        let status = Status::new(Style::of_stderr(color), Vec::new());
        let followed = follow(&mut client, &session, work.as_mut(), status, OnInterrupt::Stop).await?;
        if !matches!(followed, Followed::InOrder) {
            output::say("aborted: no verdict");
            return Ok(ExitStatus::Aborted);
        }
        let command = match &work {
            Some(Work::Command(command)) => Some(command.report()),
            Some(Work::Task(_)) | None => None,
        };
        let report = bring(&mut client, &session, args.save.as_deref(), command).await?;
        if let Some(saved) = &args.save {
            output::say(&format!("saved: {}", saved.display()));
        }
        write(&report, (&args.output, &args.verdict), color)
    })
}

/// Follows a session that somebody started, and writes its report.
pub(crate) fn watch(args: &WatchArgs, color: ColorChoice) -> Result<ExitStatus, CliError> {
    output::check(&args.output)?;
    block_on(async {
        let mut client = Client::connect(&args.at.coordinator).await?;
        let status = Status::new(Style::of_stderr(color), Vec::new());
        match follow(&mut client, &args.session, None, status, OnInterrupt::Leave).await? {
            Followed::InOrder => {
                let report = bring(&mut client, &args.session, None, None).await?;
                write(&report, (&args.output, &args.verdict), color)
            }
            Followed::Left | Followed::Aborted => {
                output::say(&format!("session {0} goes on; `correlate stop {0}` ends it", args.session));
                Ok(ExitStatus::Aborted)
            }
        }
    })
}

/// Writes the report of a session that is over.
pub(crate) fn show(
    session: &str,
    address: &Address,
    outputs: (&OutputArgs, &VerdictArgs),
    color: ColorChoice,
) -> Result<ExitStatus, CliError> {
    block_on(async {
        let mut client = Client::connect(address).await?;
        let report = bring(&mut client, session, None, None).await?;
        write(&report, outputs, color)
    })
}

/// Asks a session to end.
pub(crate) fn stop(args: &StopArgs) -> Result<ExitStatus, CliError> {
    block_on(async {
        let mut client = Client::connect(&args.at.coordinator).await?;
        client.stop(&args.session, args.discard).await
    })?;
    Ok(ExitStatus::Clean)
}

/// Runs what asks a coordinator on a runtime of its own.
pub(super) fn block_on<T>(asking: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CliError::new(format!("cannot ask the coordinator: {error}")).hint("raise the limit of open files")
    })?;
    let result = runtime.block_on(asking);
    runtime.shutdown_background();
    result
}

/// Brings the recording here, into `keep` or for the moment only, and judges it as the coordinator did.
async fn bring(
    client: &mut Client,
    session: &str,
    keep: Option<&Path>,
    command: Option<CommandReport>,
) -> Result<Report, CliError> {
    let directory = tempfile::Builder::new().prefix("correlate-").tempdir().map_err(|error| {
        CliError::new(format!("cannot make a temporary directory: {error}"))
            .hint("set TMPDIR to one with space")
    })?;
    let passing = directory.path().join("session");
    let path = keep.unwrap_or(&passing);
    fetch(client, session, path).await?;
    let broken = |text: String| CliError::remedied(&text, "the recording came damaged; ask for it again");
    let mut report = replay(path).map_err(|error| broken(error.to_string()))?;
    if command.is_some() {
        report.session.command = command;
        if keep.is_some() {
            let written = Recording::open(path).and_then(|mut recording| {
                recording.write_report(&report)?;
                recording.close()
            });
            written.map_err(|error| broken(error.to_string()))?;
        }
    }
    Ok(report)
}

fn write(
    report: &Report,
    (to, verdict): (&OutputArgs, &VerdictArgs),
    color: ColorChoice,
) -> Result<ExitStatus, CliError> {
    output::judged(report, to, verdict, color)?;
    Ok(judge(report, verdict.fail_on, &verdict.expect))
}
