//! The two daemons, and what can be set of each.

use crate::args::Cli;
use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{ArgAction, Command, CommandFactory as _};
use std::error::Error as _;

/// Flags that make no sense in a file: where the file is, and what is no daemon.
const NOT_IN_FILES: [&str; 2] = ["config", "stdio"];

/// A command that takes a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Daemon {
    /// `agent`
    Agent,
    /// `coordinator`
    Coordinator,
}

/// What can be set, by the name of its flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The long flag without its dashes, and the key in files.
    pub(super) key: String,
    /// By which clap knows it.
    pub(super) id: String,
    /// Whether it takes several values.
    pub(super) repeats: bool,
}

impl Daemon {
    /// The command's name.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Coordinator => "coordinator",
        }
    }

    /// The daemon of that command; `None`: the command is none.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        [Self::Agent, Self::Coordinator].into_iter().find(|daemon| daemon.word() == word)
    }

    /// All that can be set.
    pub(super) fn settings(self) -> Vec<Setting> {
        let cli = Cli::command();
        let arguments = cli.find_subcommand(self.word()).into_iter().flat_map(Command::get_arguments);
        let setting = |argument: &clap::Arg| {
            let key = argument.get_long().filter(|long| !NOT_IN_FILES.contains(long))?;
            let repeats = matches!(argument.get_action(), ArgAction::Append);
            let id = argument.get_id().to_string();
            Some(Setting { key: key.to_owned(), id, repeats })
        };
        arguments.filter_map(setting).collect()
    }

    /// Why `value` cannot be that of `key`; `None` if it can.
    pub(super) fn refuses(self, key: &str, value: &str) -> Option<String> {
        // What stands in the environment is not asked about.
        let alone = |command: Command| command.mut_args(|argument| argument.env(Resettable::Reset));
        let cli = Cli::command().mut_subcommand(self.word(), alone);
        let error =
            cli.try_get_matches_from(["correlate", self.word(), &format!("--{key}={value}")]).err()?;
        if let Some(source) = error.source() {
            return Some(source.to_string());
        }
        Some(match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(valid)) => format!("it is one of {}", valid.join(", ")),
            Some(_) | None => "it is no value of this key".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_a_daemon_can_be_set_but_for_the_file_itself() {
        let keys = |daemon: Daemon| -> Vec<String> {
            daemon.settings().into_iter().map(|setting| setting.key).collect()
        };
        for key in ["coordinator", "name", "label", "interface", "policy", "credentials", "log", "audit"] {
            assert!(keys(Daemon::Agent).iter().any(|known| known == key), "{key}");
        }
        for key in ["listen", "data", "keep-bytes", "keep-days", "log-format"] {
            assert!(keys(Daemon::Coordinator).iter().any(|known| known == key), "{key}");
        }
        for daemon in [Daemon::Agent, Daemon::Coordinator] {
            assert!(!keys(daemon).iter().any(|key| NOT_IN_FILES.contains(&key.as_str())), "{daemon:?}");
        }
    }

    #[test]
    fn a_value_is_refused_as_the_flag_would_refuse_it() {
        for (key, value, why) in [
            ("keep-days", "many", "invalid digit"),
            ("listen", "nowhere", "no address to listen on"),
            ("log-format", "xml", "it is one of text, json"),
            ("log", "loud=very", "write error, warn"),
        ] {
            let refused = Daemon::Coordinator.refuses(key, value).expect(key);
            assert!(refused.contains(why), "{refused}");
        }
        assert_eq!(Daemon::Coordinator.refuses("keep-days", "7"), None);
        assert_eq!(Daemon::Agent.refuses("label", "zone=a"), None);
    }
}
