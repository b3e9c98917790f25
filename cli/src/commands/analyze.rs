//! `analyze`: two captures that already exist.

use crate::args::{AnalyzeArgs, ColorChoice, Vouch};
use crate::error::CliError;
use crate::exit::{ExitStatus, judge};
use crate::input::{Analysis, Given, same_file};
use crate::output;
use correlate_proto::Role;

/// Reads the captures, judges, writes the report.
pub(crate) fn run(args: &AnalyzeArgs, color: ColorChoice) -> Result<ExitStatus, CliError> {
    output::check(&args.output)?;
    args.save.as_deref().map_or(Ok(()), output::unused)?;
    let analysis = Analysis {
        given: given(args)?,
        decap: args.filter.decap,
        filter: args.filter.described(),
        session_id: "analyze".to_owned(),
        save: args.save.clone(),
    };
    note_same(args);
    let report = analysis.report()?;
    output::judged(&report, &args.output, &args.verdict, color)?;
    Ok(judge(&report, args.verdict.fail_on, &args.verdict.expect))
}

/// What was given, clients first.
fn given(args: &AnalyzeArgs) -> Result<Vec<Given>, CliError> {
    let vouched = |side| args.vouch == Some(side) || args.vouch == Some(Vouch::Both);
    let clients = args.client.iter().map(|path| Given {
        role: Role::Client,
        path: path.clone(),
        filter: args.filter.client(),
        vouched: vouched(Vouch::Client),
    });
    let servers = args.server.iter().map(|path| Given {
        role: Role::Server,
        path: path.clone(),
        filter: args.filter.server(),
        vouched: vouched(Vouch::Server),
    });
    let given: Vec<Given> = clients.chain(servers).collect();
    if given.iter().filter(|given| given.path.as_os_str() == "-").count() > 1 {
        return Err(CliError::new("standard input is given for more than one capture: -")
            .hint("read at most one capture from standard input and the others from files"));
    }
    Ok(given)
}

/// One file for both ends is analysed, as that of a loopback would be.
fn note_same(args: &AnalyzeArgs) {
    for client in &args.client {
        for server in args.server.iter().filter(|server| same_file(client, server)) {
            output::say(&format!(
                "note: {} and {} are one and the same capture; the verdict says what one capture point can see",
                client.display(),
                server.display()
            ));
        }
    }
}
