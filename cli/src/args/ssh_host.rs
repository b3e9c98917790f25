//! A host that is reached over ssh, as it is named on the command line.

use std::fmt;

/// `ssh://[USER@]HOST[:PORT][/IFACE]`, or a bare name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SshHost {
    /// Absent: as the user's configuration of ssh says.
    pub(crate) user: Option<String>,
    /// A name that ssh knows, or an address without brackets.
    pub(crate) host: String,
    /// Absent: as the user's configuration of ssh says.
    pub(crate) port: Option<u16>,
    /// Absent for all.
    pub(crate) interface: Option<String>,
    /// Given without `ssh://`.
    bare: bool,
}

impl SshHost {
    /// Reads what stands behind `ssh://`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (place, interface) = match text.split_once('/') {
            Some((_, "")) => {
                return Err("an interface must be named behind the slash; leave it out for all".into());
            }
            Some((place, interface)) => (place, Some(word("an interface", interface)?)),
            None => (text, None),
        };
        // A user's name may hold an @ of its own, a host's may not.
        let (user, place) = match place.rsplit_once('@') {
            Some((user, place)) => (Some(word("a user", user)?), place),
            None => (None, place),
        };
        let (host, port) = host_and_port(place)?;
        Ok(Self { user, host: word("a host", host)?, port, interface, bare: false })
    }

    /// Reads a bare name, `[USER@]NAME`.
    pub(crate) fn bare(text: &str) -> Result<Self, String> {
        if text.contains([':', '/']) {
            return Err(format!(
                "{text} is no form of a host; a port or an interface needs the form ssh://[USER@]HOST[:PORT][/IFACE], \
                 an interface of this host is local:IFACE"
            ));
        }
        Ok(Self { bare: true, ..Self::parse(text)? })
    }

    /// What was typed, if it can be an agent's name: a bare name without a user.
    pub(crate) fn agent_name(&self) -> Option<&str> {
        (self.bare && self.user.is_none()).then_some(self.host.as_str())
    }
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]`, `[ADDRESS]:PORT`.
fn host_and_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => {
            (host, Some(rest.strip_prefix(':').ok_or("only a port may follow the bracket")?))
        }
        None if text.matches(':').count() > 1 => {
            return Err(format!("an IPv6 address stands in brackets: ssh://[{text}]"));
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        None => None,
        Some(port) => match port.parse() {
            Ok(number) if number > 0 => Some(number),
            Ok(_) | Err(_) => return Err(format!("{port:?} is no port: a number from 1 to 65535")),
        },
    };
    Ok((host, port))
}

/// A part that is handed to ssh, or to a shell at the other end: nothing that could be taken for something else.
fn word(what: &str, text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err(format!("{what} must be named: ssh://[USER@]HOST[:PORT][/IFACE]"));
    }
    if text.starts_with('-') {
        return Err(format!("{what} that begins with a dash would be an option of ssh: {text}"));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("{what} has no blanks: {text:?}"));
    }
    Ok(text.to_owned())
}

impl fmt::Display for SshHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.bare {
            f.write_str("ssh://")?;
        }
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.interface.as_ref().map_or(Ok(()), |interface| write!(f, "/{interface}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_may_be_left_out_but_the_host() {
        let table = [
            ("db", None, "db", None, None),
            ("root@db", Some("root"), "db", None, None),
            ("db:2222", None, "db", Some(2222), None),
            ("db/eth0", None, "db", None, Some("eth0")),
            ("a@corp@db.example:22/bond0.7", Some("a@corp"), "db.example", Some(22), Some("bond0.7")),
            ("[fd00::1]:22/lo", None, "fd00::1", Some(22), Some("lo")),
            ("[fd00::1]", None, "fd00::1", None, None),
        ];
        for (text, user, host, port, interface) in table {
            let parsed = SshHost::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let parts =
                (parsed.user.as_deref(), parsed.host.as_str(), parsed.port, parsed.interface.as_deref());
            assert_eq!(parts, (user, host, port, interface), "{text}");
            assert_eq!(parsed.to_string(), format!("ssh://{text}"));
        }
        assert_eq!(SshHost::bare("root@db").expect("a host").to_string(), "root@db");
    }

    #[test]
    fn only_a_bare_name_can_be_an_agents() {
        assert_eq!(SshHost::bare("db-1").expect("a host").agent_name(), Some("db-1"));
        assert_eq!(SshHost::bare("root@db").expect("a host").agent_name(), None);
        assert_eq!(SshHost::parse("db-1").expect("a host").agent_name(), None);
    }

    #[test]
    fn what_ssh_or_a_shell_could_misread_is_refused() {
        for (text, why) in [
            ("", "a host must be named"),
            ("@db", "a user must be named"),
            ("db/", "behind the slash"),
            ("-oProxyCommand=true", "dash"),
            ("-l@db", "dash"),
            ("db/-w", "dash"),
            ("d b", "no blanks"),
            ("db/eth0\n", "no blanks"),
            ("db:0", "no port"),
            ("db:99999", "no port"),
            ("db:", "no port"),
            ("fd00::1", "in brackets"),
            ("[fd00::1]22", "only a port"),
        ] {
            let error = SshHost::parse(text).expect_err(text);
            assert!(error.contains(why), "{text:?}: {error}");
        }
        assert!(SshHost::bare("db:22").expect_err("a port").contains("ssh://"));
    }
}
