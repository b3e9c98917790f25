//! Whether a configuration file is sound.

use super::daemon::{Daemon, Setting};
use super::file::{self, Entry, Place, Values, wrong};
use super::kind::{self, Kind};
use crate::commands::validate::unsound;
use crate::error::CliError;
use correlate_agent::policy::Policy;
use std::path::Path;

/// Checks a file to its last value. Gives its kind, which is told by its keys unless `kind` says it.
pub(crate) fn check(path: &Path, kind: Option<Kind>) -> Result<Kind, CliError> {
    let text = file::read(path)?;
    let entries = file::entries(&text, path)?;
    let kind = kind.map_or_else(|| kind::told(&entries, path), Ok)?;
    kind.knows_all(&entries, path)?;
    match kind.daemon() {
        Some(daemon) => drop(settings(daemon, &entries, path)?),
        None => drop(Policy::parse(&text, path).map_err(|error| unsound(&error))?),
    }
    Ok(kind)
}

/// What a daemon's file sets, each with its values.
pub(super) fn load(daemon: Daemon, path: &Path) -> Result<Vec<(String, Vec<String>)>, CliError> {
    let text = file::read(path)?;
    let entries = file::entries(&text, path)?;
    Kind::of(daemon).knows_all(&entries, path)?;
    settings(daemon, &entries, path)
}

fn settings(daemon: Daemon, entries: &[Entry], path: &Path) -> Result<Vec<(String, Vec<String>)>, CliError> {
    let known = daemon.settings();
    let mut all = Vec::new();
    for entry in entries {
        let setting = known.iter().find(|setting| setting.key == entry.key);
        let repeats = setting.is_some_and(|Setting { repeats, .. }| *repeats);
        let misfit = |at: Place, word: &str| {
            let takes = if repeats { "a text, or a list of texts" } else { "a text or a number" };
            wrong(path, at, &format!("`{}` is {word}", entry.key)).hint(format!("it takes {takes}"))
        };
        let values = match &entry.values {
            Values::One(value) => vec![value.clone()],
            Values::List(values) if repeats => values.clone(),
            Values::List(_) => return Err(misfit(entry.at, "a list")),
            Values::Other(at, word) => return Err(misfit(*at, &format!("of type {word}"))),
        };
        for (at, value) in &values {
            if let Some(why) = daemon.refuses(&entry.key, value) {
                let what = format!("`{}` cannot be {value:?}: {why}", entry.key);
                let help = format!("see --{} in `correlate {} --help`", entry.key, daemon.word());
                return Err(wrong(path, *at, &what).hint(help));
            }
        }
        all.push((entry.key.clone(), values.into_iter().map(|(_, value)| value).collect()));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(daemon: Daemon, text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
        let path = Path::new("f.toml");
        let entries = file::entries(text, path).expect("TOML");
        settings(daemon, &entries, path).map_err(|error| error.to_string())
    }

    #[test]
    fn values_become_words() {
        let text = "keep-days = 7\nlisten = [\"127.0.0.1:1\", \"unix:/c\"]\nlog = \"debug\"";
        let settings = read(Daemon::Coordinator, text).expect("sound");
        let words: Vec<String> =
            settings.iter().map(|(key, values)| format!("{key} {}", values.join(" "))).collect();
        assert_eq!(words, ["keep-days 7", "listen 127.0.0.1:1 unix:/c", "log debug"]);
    }

    #[test]
    fn a_value_that_does_not_fit_is_told_with_its_place() {
        for (text, what, hint) in [
            ("keep-days = [7]", "line 1, column 1: `keep-days` is a list", "a text or a number"),
            ("listen = true", "line 1, column 10: `listen` is of type boolean", "a list of texts"),
            ("data = { a = 1 }", "line 1, column 8: `data` is of type table", "a text or a number"),
            ("\nkeep-days = -1", "line 2, column 13: `keep-days` cannot be \"-1\"", "--keep-days in"),
            ("listen = [\"unix:/c\", \"x\"]", "line 1, column 22: `listen` cannot be \"x\"", "--help"),
        ] {
            let error = read(Daemon::Coordinator, text).expect_err(text);
            assert!(error.contains(&format!("f.toml: {what}")) && error.contains(hint), "{error}");
        }
    }
}
