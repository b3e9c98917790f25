//! `man`: the manual page, all commands on one page.

use crate::args::Cli;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::output;
use clap::CommandFactory;

/// Writes the manual page to standard output: the program's page, then one section for each command.
pub(crate) fn run() -> Result<ExitStatus, CliError> {
    let page = pages().map_err(|error| CliError::new(format!("cannot write the manual page: {error}")))?;
    output::data(&String::from_utf8_lossy(&page))?;
    Ok(ExitStatus::Clean)
}

fn pages() -> std::io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let section = clap_mangen::Man::new(sub.clone());
        page.extend_from_slice(format!(".SH \"COMMAND {}\"\n", sub.get_name().to_uppercase()).as_bytes());
        section.render_description_section(&mut page)?;
        section.render_options_section(&mut page)?;
        section.render_extra_section(&mut page)?;
    }
    Ok(page)
}
