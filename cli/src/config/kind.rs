//! What kind of file a file is.

use super::daemon::Daemon;
use super::file::{Entry, wrong};
use crate::args::similar;
use crate::error::CliError;
use clap::ValueEnum;
use correlate_agent::policy;
use std::path::Path;

/// A kind of configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// What a host allows to be captured
    Policy,
    /// Settings of `correlate agent`
    Agent,
    /// Settings of `correlate coordinator`
    Coordinator,
}

/// Every kind, as messages list them.
const ALL: [Kind; 3] = [Kind::Policy, Kind::Agent, Kind::Coordinator];

impl Kind {
    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Agent => "configuration of an agent",
            Self::Coordinator => "configuration of a coordinator",
        }
    }

    /// Its word on the command line.
    const fn word(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Agent => "agent",
            Self::Coordinator => "coordinator",
        }
    }

    /// The daemon whose settings these are.
    pub(super) const fn daemon(self) -> Option<Daemon> {
        match self {
            Self::Policy => None,
            Self::Agent => Some(Daemon::Agent),
            Self::Coordinator => Some(Daemon::Coordinator),
        }
    }

    /// The kind of a daemon's file.
    pub(super) const fn of(daemon: Daemon) -> Self {
        match daemon {
            Daemon::Agent => Self::Agent,
            Daemon::Coordinator => Self::Coordinator,
        }
    }

    /// The keys that such a file may have.
    fn keys(self) -> Vec<String> {
        match self.daemon() {
            Some(daemon) => daemon.settings().into_iter().map(|setting| setting.key).collect(),
            None => policy::KEYS.map(str::to_owned).to_vec(),
        }
    }

    /// An error if the file has a key that none of this kind has.
    pub(super) fn knows_all(self, entries: &[Entry], path: &Path) -> Result<(), CliError> {
        let known = self.keys();
        let Some(entry) = entries.iter().find(|entry| !known.contains(&entry.key)) else { return Ok(()) };
        let what = format!("unknown key `{}` in a {}", entry.key, self.name());
        let meant = similar(&entry.key, known.iter().map(String::as_str));
        let elsewhere = ALL.into_iter().find(|kind| kind.keys().contains(&entry.key));
        let hint = match (meant.as_slice(), elsewhere) {
            ([], Some(kind)) => format!("it is one of a {}", kind.name()),
            ([], None) => format!("the keys are {}", known.join(", ")),
            (meant, _) => format!("did you mean {}?", quoted(meant)),
        };
        Err(wrong(path, entry.at, &what).hint(hint))
    }
}

/// The kind of a file that has these keys. An error where it could be several: a slip in one must never make it
/// pass for another.
pub(super) fn told(entries: &[Entry], path: &Path) -> Result<Kind, CliError> {
    let kinds = ALL.map(|kind| (kind, kind.keys()));
    let has = |keys: &[String], entry: &Entry| keys.contains(&entry.key);
    // A slip away: every key is known, or close to one that is.
    let close = |keys: &[String], entry: &Entry| {
        has(keys, entry) || !similar(&entry.key, keys.iter().map(String::as_str)).is_empty()
    };
    let whole = kinds.iter().any(|(_, keys)| entries.iter().all(|entry| has(keys, entry)));
    if whole {
        let likely: Vec<Kind> = kinds
            .iter()
            .filter(|(_, keys)| entries.iter().all(|entry| close(keys, entry)))
            .map(|(kind, _)| *kind)
            .collect();
        return match likely[..] {
            [kind] => Ok(kind),
            _ => Err(several(path, &likely)),
        };
    }
    // Wrong in any case; told as one of the kind of which it has most.
    let most = |(kind, keys): &(Kind, Vec<String>)| {
        let count = |test: &dyn Fn(&[String], &Entry) -> bool| {
            entries.iter().filter(|entry| test(keys, entry)).count()
        };
        (count(&has), count(&close), *kind == Kind::Policy)
    };
    Ok(kinds.iter().max_by_key(|kind| most(kind)).map_or(Kind::Policy, |(kind, _)| *kind))
}

fn several(path: &Path, kinds: &[Kind]) -> CliError {
    let names: Vec<String> = kinds.iter().map(|kind| format!("a {}", kind.name())).collect();
    let flags: Vec<String> = kinds.iter().map(|kind| format!("--kind {}", kind.word())).collect();
    CliError::new(format!("{} could be {}", path.display(), names.join(" or ")))
        .hint(format!("say which: {}", flags.join(" or ")))
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn tell(text: &str) -> Result<Kind, String> {
        let path = Path::new("f.toml");
        let entries = file::entries(text, path).expect("TOML");
        told(&entries, path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_told_by_its_keys() {
        assert_eq!(tell(policy::EXAMPLE), Ok(Kind::Policy));
        assert_eq!(tell("coordinator = \"unix:/c\"\nname = \"db\""), Ok(Kind::Agent));
        assert_eq!(tell("listen = []\nlog = \"info\""), Ok(Kind::Coordinator));
        // Wrong, and told as what it is mostly.
        assert_eq!(tell("listen = []\nkeep_days = 7"), Ok(Kind::Coordinator));
        assert_eq!(tell("ports = [1]\nsnaplenn = 7"), Ok(Kind::Policy));
        assert_eq!(tell("port = [5432]"), Ok(Kind::Policy));
    }

    #[test]
    fn what_could_be_several_is_for_the_user_to_say() {
        for (text, words) in [
            ("", "a policy or a configuration of an agent or a configuration of a coordinator"),
            ("log = \"info\"", "--kind agent or --kind coordinator"),
            // A policy with a slip in its one key has the key of an agent.
            ("interface = [\"eth0\"]", "--kind policy or --kind agent"),
        ] {
            let error = tell(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn an_unknown_key_is_told_with_its_place_and_what_may_be_meant() {
        let path = Path::new("f.toml");
        let error = |kind: Kind, text: &str| {
            let entries = file::entries(text, path).expect("TOML");
            kind.knows_all(&entries, path).expect_err(text).to_string()
        };
        let told = error(Kind::Coordinator, "data = \"d\"\n keep_bytes = 1");
        assert!(told.contains("f.toml: line 2, column 2: unknown key `keep_bytes`"), "{told}");
        assert!(told.contains("did you mean `keep-bytes`?"), "{told}");
        let told = error(Kind::Agent, "listen = \"x\"");
        assert!(told.contains("it is one of a configuration of a coordinator"), "{told}");
        assert!(error(Kind::Policy, "zzz = 1").contains("the keys are interfaces, "));
    }
}
