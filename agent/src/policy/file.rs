//! The policy file.

use super::rules::{self, Network, Ports};
use core::time::Duration;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A policy file with every key, for documentation.
pub const EXAMPLE: &str = r#"# What may be captured on this host. A key that is left out limits nothing.
interfaces = ["eth0", "bond*"]              # names; * at the end stands for the rest
addresses = ["10.0.4.0/24", "2001:db8::1"]  # one end of every packet
ports = [5432, "8000-8100"]                 # one end of every packet
snaplen = 192                               # octets of each packet
packets_per_second = 50000                  # a capture that sees more ends
duration = "1h"                             # of one capture: s, m or h
asked_by = ["anna", "ci-*"]                 # operators, as their certificates name them
namespaces = false                          # other network namespaces: containers
"#;

/// The keys that a policy file may have.
pub const KEYS: [&str; 8] = [
    "interfaces",
    "addresses",
    "ports",
    "snaplen",
    "packets_per_second",
    "duration",
    "asked_by",
    "namespaces",
];

/// What a host allows. A rule that is absent limits nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Where it was read from, for refusals.
    #[serde(skip)]
    pub(super) path: PathBuf,
    /// Interfaces that may be captured.
    pub(super) interfaces: Option<Vec<String>>,
    /// Addresses of which a packet must have one.
    pub(super) addresses: Option<Vec<Network>>,
    /// Ports of which a packet must have one.
    pub(super) ports: Option<Vec<Ports>>,
    /// Most octets of a packet.
    pub(super) snaplen: Option<u32>,
    /// Packets per second at which a capture ends.
    pub(super) packets_per_second: Option<u64>,
    /// Longest capture.
    #[serde(default, deserialize_with = "rules::time_span")]
    pub(super) duration: Option<Duration>,
    /// Operators who may ask.
    pub(super) asked_by: Option<Vec<String>>,
    /// Whether other network namespaces may be captured.
    #[serde(default)]
    pub(super) namespaces: bool,
}

/// Why a policy file cannot be used. An agent does not start with one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It cannot be read.
    #[error("cannot read {}: {source}; check the path and that it may be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no policy.
    #[error("{}: {what}; see `correlate validate --help` for what a policy may say", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The place and what is wrong there.
        what: String,
    },
}

impl Policy {
    /// Reads a policy file.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PolicyError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads a policy from text; `path` is where it came from.
    pub fn parse(text: &str, path: &Path) -> Result<Self, PolicyError> {
        let content = |what: String| PolicyError::Content { path: path.to_owned(), what };
        let policy: Self = toml::from_str(text).map_err(|error| content(place(text, &error)))?;
        policy.sound().map_err(content)?;
        Ok(Self { path: path.to_owned(), ..policy })
    }

    /// Whether captures in other network namespaces are allowed.
    #[must_use]
    pub const fn allows_namespaces(&self) -> bool {
        self.namespaces
    }

    /// Rules that nothing can meet are slips, not policies.
    fn sound(&self) -> Result<(), String> {
        let empty = |key: &str| Err(format!("`{key}` is an empty list, which allows nothing"));
        if self.interfaces.as_ref().is_some_and(Vec::is_empty) {
            return empty("interfaces");
        }
        if self.addresses.as_ref().is_some_and(Vec::is_empty) {
            return empty("addresses");
        }
        if self.ports.as_ref().is_some_and(Vec::is_empty) {
            return empty("ports");
        }
        if self.asked_by.as_ref().is_some_and(Vec::is_empty) {
            return empty("asked_by");
        }
        if self.snaplen == Some(0) || self.packets_per_second == Some(0) {
            return Err("`snaplen` and `packets_per_second` are at least 1".to_owned());
        }
        Ok(())
    }
}

/// Where in the text it is wrong, and what.
fn place(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim().replace('\n', " ");
    error.span().map_or(message.clone(), |span| {
        let before = text.get(..span.start).unwrap_or_default();
        let (line, own) = (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default());
        format!("line {line}, column {}: {message}", own.chars().count() + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy, String> {
        Policy::parse(text, Path::new("p.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_is_a_policy_with_every_key() {
        let policy = parse(EXAMPLE).unwrap();
        assert!(policy.interfaces.is_some() && policy.addresses.is_some() && policy.ports.is_some());
        assert_eq!(policy.snaplen, Some(192));
        assert_eq!(policy.packets_per_second, Some(50_000));
        assert_eq!(policy.duration, Some(Duration::from_secs(3_600)));
        assert_eq!(policy.asked_by.as_ref().map(Vec::len), Some(2));
        assert!(!policy.allows_namespaces());
        let keys = EXAMPLE.lines().filter_map(|line| line.split_once(" = ").map(|(key, _)| key));
        assert_eq!(keys.collect::<Vec<_>>(), KEYS);
        assert!(
            KEYS.iter().all(|key| !parse(&format!("{key} = {{}}")).unwrap_err().contains("unknown field"))
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, what) in [
            ("snaplen = 1\ninterface = []", "line 2, column 1: unknown field `interface`"),
            ("ports = [70000]", "line 1, column 9: a port is a number to 65535"),
            ("addresses = [\"10.0.0.1/8\"]", "it has bits behind its prefix"),
            ("duration = \"1d\"", "\"1d\" is no time span"),
            ("duration = \"é\"", "is no time span"),
            ("ports = []", "`ports` is an empty list"),
            ("snaplen = 0", "at least 1"),
            ("snaplen = ", "line 1"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("p.toml: ") && error.contains(what), "{text}: {error}");
        }
    }
}
