//! The command line with what the environment and a configuration file add to it.

use super::check::load;
use super::daemon::Daemon;
use crate::args::Cli;
use crate::error::CliError;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use std::ffi::OsString;
use std::path::Path;

/// What this program was started with. Ends the program where clap does: at bad usage and after help.
pub(crate) fn command_line() -> Result<Cli, CliError> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let given = Cli::command().get_matches_from(&words);
    let daemon = given.subcommand().and_then(|(name, given)| Some((Daemon::of_word(name)?, given)));
    let matches = match daemon {
        Some((daemon, own)) if !serves_otherwise(own) => {
            let added = added(daemon, own, |name| std::env::var(name).ok())?;
            Cli::command().get_matches_from(with(words, daemon, added))
        }
        Some(_) | None => given,
    };
    Cli::from_arg_matches(&matches).map_err(|error| error.exit())
}

/// Whether it is no daemon that is started: certificates, or an agent on a pipe.
fn serves_otherwise(given: &ArgMatches) -> bool {
    given.subcommand().is_some() || given.try_get_one("stdio").ok().flatten() == Some(&true)
}

/// Words that stand for what the command line does not say: lists of the environment, and then the file. Single
/// values of the environment are there already.
fn added(
    daemon: Daemon,
    given: &ArgMatches,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, CliError> {
    let mut words = Vec::new();
    let mut open = daemon.settings();
    open.retain(|setting| {
        let source = given.value_source(&setting.id);
        !matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    });
    let mut settled = Vec::new();
    for setting in open.iter().filter(|setting| setting.repeats) {
        let variable = variable(&setting.key);
        let Some(list) = environment(&variable) else { continue };
        for value in list.split(',').map(str::trim) {
            if let Some(why) = daemon.refuses(&setting.key, value) {
                let what = format!("{variable} cannot have {value:?}: {why}");
                return Err(CliError::new(what).hint("give values parted by commas, or unset it"));
            }
            words.push(format!("--{}={value}", setting.key));
        }
        settled.push(setting.key.clone());
    }
    if let Some(path) = given.get_one::<std::path::PathBuf>("config") {
        for (key, values) in load(daemon, Path::new(path))? {
            if open.iter().any(|setting| setting.key == key) && !settled.contains(&key) {
                words.extend(values.iter().map(|value| format!("--{key}={value}")));
            }
        }
    }
    Ok(words)
}

/// The environment's name for a key.
fn variable(key: &str) -> String {
    format!("CORRELATE_{}", key.replace('-', "_").to_uppercase())
}

/// The command line with more words behind the command's name.
fn with(mut words: Vec<OsString>, daemon: Daemon, added: Vec<String>) -> Vec<OsString> {
    let at = words.iter().position(|word| word == daemon.word()).map_or(words.len(), |at| at + 1);
    words.splice(at..at, added.into_iter().map(OsString::from));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Command;

    /// What an agent's name, labels and interfaces come to.
    fn agent(words: &[&str], file: &str, environment: &[(&str, &str)]) -> Result<String, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("agent.toml");
        std::fs::write(&path, file).expect("a file");
        let mut all = vec![OsString::from("correlate"), "--color=never".into(), "agent".into()];
        all.extend(words.iter().map(OsString::from));
        all.extend(["--config".into(), path.into()]);
        let given = Cli::command().get_matches_from(&all);
        let own = given.subcommand_matches("agent").expect("the command");
        let lookup = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let added = added(Daemon::Agent, own, lookup).map_err(|error| error.to_string())?;
        let matches = Cli::command().get_matches_from(with(all, Daemon::Agent, added));
        let cli = Cli::from_arg_matches(&matches).expect("a command line");
        let Command::Agent(args) = cli.command else { panic!("another command") };
        let labels: Vec<String> = args.label.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let name = args.name.unwrap_or_default();
        Ok(format!("{name} [{}] [{}]", labels.join(","), args.interface.join(",")))
    }

    #[test]
    fn flags_stand_over_the_environment_and_that_over_the_file() {
        let file = "name = \"file\"\nlabel = [\"from=file\", \"b=1\"]\ninterface = \"eth9\"\n";
        assert_eq!(agent(&[], file, &[]), Ok("file [from=file,b=1] [eth9]".to_owned()));
        let flags = ["--name", "flag", "--label", "from=flag"];
        assert_eq!(agent(&flags, file, &[]), Ok("flag [from=flag] [eth9]".to_owned()));
        let environment = [("CORRELATE_LABEL", "from=env"), ("CORRELATE_INTERFACE", "eth1, eth2")];
        assert_eq!(agent(&flags, file, &environment), Ok("flag [from=flag] [eth1,eth2]".to_owned()));
        assert_eq!(agent(&[], file, &environment), Ok("file [from=env] [eth1,eth2]".to_owned()));
    }

    #[test]
    fn what_is_wrong_in_the_file_or_the_environment_is_an_error() {
        let error = agent(&[], "nane = \"x\"", &[]).expect_err("no such key");
        assert!(error.contains("unknown key `nane`") && error.contains("did you mean `name`?"), "{error}");
        let error = agent(&[], "", &[("CORRELATE_LABEL", "zone")]).expect_err("no label");
        assert!(error.contains("CORRELATE_LABEL cannot have \"zone\": a label is NAME=VALUE"), "{error}");
    }
}
