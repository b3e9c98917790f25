//! A TOML file as keys and values with their places.

use crate::error::CliError;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where something stands in a file; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    line: usize,
    column: usize,
}

/// A key with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// As it is written.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) at: Place,
    /// The values, as words of a command line.
    pub(super) values: Values,
}

/// What stands behind a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Values {
    /// A text or a number.
    One((Place, String)),
    /// A list of these.
    List(Vec<(Place, String)>),
    /// Something that is neither, by TOML's word for it.
    Other(Place, &'static str),
}

impl Place {
    fn of(text: &str, span: &Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The text of a configuration file.
pub(super) fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| {
        CliError::new(format!("cannot read {}: {error}", path.display()))
            .hint("check the path and that it may be read")
    })
}

/// What is wrong in a file, and where.
pub(super) fn wrong(path: &Path, at: Place, what: &str) -> CliError {
    CliError::new(format!("{}: {at}: {what}", path.display()))
}

/// The keys of `text`, in the order in which they stand there.
pub(super) fn entries(text: &str, path: &Path) -> Result<Vec<Entry>, CliError> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = Place::of(text, &error.span().unwrap_or_default());
        let what = error.message().trim().replace('\n', " ");
        wrong(path, at, &what).hint("configuration files are TOML: KEY = VALUE, texts in quotes")
    })?;
    let mut entries: Vec<Entry> = table
        .get_ref()
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            at: Place::of(text, &key.span()),
            values: values(text, value),
        })
        .collect();
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

fn values(text: &str, value: &Spanned<DeValue<'_>>) -> Values {
    let place = |value: &Spanned<DeValue<'_>>| Place::of(text, &value.span());
    let other = |value: &Spanned<DeValue<'_>>| Values::Other(place(value), value.get_ref().type_str());
    if let Some(word) = word(value.get_ref()) {
        return Values::One((place(value), word));
    }
    let Some(list) = value.get_ref().as_array() else { return other(value) };
    let mut words = Vec::new();
    for item in list {
        match word(item.get_ref()) {
            Some(word) => words.push((place(item), word)),
            None => return other(item),
        }
    }
    Values::List(words)
}

/// A text or a whole number as a word.
fn word(value: &DeValue<'_>) -> Option<String> {
    if let Some(integer) = value.as_integer() {
        // Whatever it was written in, 0x10 or 1_000; larger ones no setting takes.
        return i128::from_str_radix(integer.as_str(), integer.radix()).ok().map(|value| value.to_string());
    }
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_read_with_their_places() {
        let text =
            "# ours\nname = \"db\"\n\n  keep-bytes = 1_000 # few\nlabel = [\n  \"é=1\", 2]\nlog = true\n";
        let entries = entries(text, Path::new("c.toml")).expect("TOML");
        let place = |line, column| Place { line, column };
        let one = |key: &str, at, values| Entry { key: key.into(), at, values };
        assert_eq!(
            entries,
            [
                one("name", place(2, 1), Values::One((place(2, 8), "db".into()))),
                one("keep-bytes", place(4, 3), Values::One((place(4, 16), "1000".into()))),
                one(
                    "label",
                    place(5, 1),
                    Values::List(vec![(place(6, 3), "é=1".into()), (place(6, 10), "2".into())])
                ),
                one("log", place(7, 1), Values::Other(place(7, 7), "boolean")),
            ]
        );
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_place() {
        for (text, at) in [
            ("name = \"db\"\nname = \"web\"", "line 2, column 1"),
            ("name = db", "line 1, column 8"),
            ("x", "line 1"),
        ] {
            let error = entries(text, Path::new("c.toml")).expect_err(text).to_string();
            assert!(
                error.starts_with(&format!("error: c.toml: {at}")) && error.contains("hint: "),
                "{error}"
            );
        }
    }
}
