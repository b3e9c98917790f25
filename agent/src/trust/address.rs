//! Where a coordinator is.

use core::fmt;
use core::str::FromStr;

/// The port where a coordinator listens unless told otherwise.
pub const DEFAULT_PORT: u16 = 4747;

/// Host and port of a coordinator. Read from `host`, `host:port`, `[IPv6]:port`, with or without `https://` before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or address of the host, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// A text that is no address of a coordinator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of a coordinator; give HOST:PORT, or [IPv6]:PORT")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || AddressError(text.to_owned());
        let bare = text.strip_prefix("https://").unwrap_or(text);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        let (host, port) = match bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(error)?)),
            None => bare.split_once(':').map_or((bare, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() || host.contains(['/', '@', ' ', '?', '#']) {
            return Err(error());
        }
        let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| error()))?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_ports_and_schemes_are_read() {
        for (text, read) in [
            ("collector", "collector:4747"),
            ("collector:1", "collector:1"),
            ("https://collector.example:8443/", "collector.example:8443"),
            ("10.0.0.1:9", "10.0.0.1:9"),
            ("[2001:db8::1]:9", "[2001:db8::1]:9"),
            ("[::1]", "[::1]:4747"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), read);
        }
        for bad in ["", ":1", "a:b", "a:70000", "http://a", "u@a:1", "2001:db8::1", "[::1]x", "a b"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
