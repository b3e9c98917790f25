//! `analyze`: two captures that already exist.

use crate::args::{AnalyzeArgs, ColorChoice, Vouch};
use crate::error::CliError;
use crate::exit::{ExitStatus, judge};
use crate::input::{self, Capture, Reader, Survey};
use crate::output;
use crate::progress::ProgressLine;
use correlate_engine::{Config, Correlator, Feed};
use correlate_proto::report::Report;
use correlate_proto::{CaptureKind, CapturePoint, CapturePointId, Role};
use std::path::PathBuf;

/// Reads the captures, judges, writes the report.
pub(crate) fn run(args: &AnalyzeArgs, color: ColorChoice) -> Result<ExitStatus, CliError> {
    output::check(&args.output)?;
    let files = files(args)?;
    let report = report(args, &files)?;
    output::report(&report, &args.output, color)?;
    Ok(judge(&report, args.verdict.fail_on, &args.verdict.expect))
}

/// A file and the side it was given for.
struct Given<'a> {
    role: Role,
    path: &'a PathBuf,
    filter: String,
    vouched: bool,
}

/// What was given, clients first.
fn files(args: &AnalyzeArgs) -> Result<Vec<Given<'_>>, CliError> {
    let vouched = |side| args.vouch == Some(side) || args.vouch == Some(Vouch::Both);
    let clients = args.client.iter().map(|path| Given {
        role: Role::Client,
        path,
        filter: args.filter.client(),
        vouched: vouched(Vouch::Client),
    });
    let servers = args.server.iter().map(|path| Given {
        role: Role::Server,
        path,
        filter: args.filter.server(),
        vouched: vouched(Vouch::Server),
    });
    let given: Vec<Given<'_>> = clients.chain(servers).collect();
    if given.iter().filter(|given| given.path.as_os_str() == "-").count() > 1 {
        return Err(CliError::new("standard input is given for more than one capture: -")
            .hint("read at most one capture from standard input and the others from files"));
    }
    note_same(args);
    Ok(given)
}

/// One file for both ends is analysed, as of a loopback: it has each packet once, or once each way.
fn note_same(args: &AnalyzeArgs) {
    for client in &args.client {
        for server in args.server.iter().filter(|server| input::same_file(client, server)) {
            output::say(&format!(
                "note: {} and {} are one and the same capture: the verdict can only say what one capture point \
                 can see",
                client.display(),
                server.display()
            ));
        }
    }
}

fn report(args: &AnalyzeArgs, files: &[Given<'_>]) -> Result<Report, CliError> {
    let mut points = Vec::with_capacity(files.len());
    let mut readers = Vec::with_capacity(files.len());
    for (id, file) in (0..).zip(files) {
        let capture = Capture::open(file.path, &file.filter, args.filter.decap)?;
        points.push(CapturePoint {
            id: CapturePointId(id),
            role: file.role,
            host: input::name(file.path),
            kind: CaptureKind::File,
            interfaces: capture.interfaces(),
            link_type: capture.link_type(),
            vouched: file.vouched,
        });
        readers.push(Reader::start(&input::name(file.path), capture)?);
    }
    let survey = input::survey(files.len());
    let config = config(args, &survey);
    let mut feed = Feed::new(Correlator::new(config, points), survey.offsets);
    let mut line = ProgressLine::start();
    input::merge(&mut feed, &mut readers, |progress| line.update(progress))?;
    Ok(feed.into_correlator().finish())
}

fn config(args: &AnalyzeArgs, survey: &Survey) -> Config {
    Config {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        session_id: "analyze".to_owned(),
        filter: args.filter.described(),
        swapped: survey.swapped,
        ..Config::default()
    }
}
