//! How a host is named on the command line.

use super::SshHost;
use std::fmt;

/// A host to capture on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// This host: one interface, or all of them.
    Local {
        /// Absent for all.
        interface: Option<String>,
    },
    /// A network namespace of this host.
    Namespace {
        /// A name of `ip netns`, or a path if it contains a `/`.
        name: String,
        /// Absent for all.
        interface: Option<String>,
    },
    /// A container of this machine, by name or id.
    Container {
        /// As Docker or Podman knows it.
        name: String,
        /// Absent for all.
        interface: Option<String>,
    },
    /// A host that is reached over ssh.
    Ssh(SshHost),
}

impl Host {
    /// Reads `local[:IFACE]`, `netns:NAME[:IFACE]`, `container:NAME[:IFACE]`, `ssh://[USER@]HOST[:PORT][/IFACE]`, or a
    /// bare name, which is tried as an ssh host. The error says what to give instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "local" {
            return Ok(Self::Local { interface: None });
        }
        if let Some(interface) = text.strip_prefix("local:") {
            return Ok(Self::Local { interface: Some(named("an interface", interface)?) });
        }
        if let Some(rest) = text.strip_prefix("netns:") {
            let (name, interface) = match rest.rsplit_once(':') {
                Some((name, interface)) => (name, Some(named("an interface", interface)?)),
                None => (rest, None),
            };
            return Ok(Self::Namespace { name: named("a namespace", name)?, interface });
        }
        if let Some(rest) = text.strip_prefix("container:") {
            let (name, interface) = match rest.split_once(':') {
                Some((name, interface)) => (name, Some(named("an interface", interface)?)),
                None => (rest, None),
            };
            return Ok(Self::Container { name: container(name)?, interface });
        }
        if let Some(rest) = text.strip_prefix("ssh://") {
            return SshHost::parse(rest).map(Self::Ssh);
        }
        SshHost::bare(text).map(Self::Ssh)
    }

    /// The interface; absent for all.
    pub(crate) fn interface(&self) -> Option<&str> {
        match self {
            Self::Local { interface }
            | Self::Namespace { interface, .. }
            | Self::Container { interface, .. } => interface.as_deref(),
            Self::Ssh(host) => host.interface.as_deref(),
        }
    }
}

fn named(what: &str, text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err(format!("{what} must be named behind the colon; leave the colon out for all"));
    }
    Ok(text.to_owned())
}

/// A name as Docker and Podman allow them; it becomes part of a path at the engine.
fn container(name: &str) -> Result<String, String> {
    let is_valid = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !is_valid {
        return Err("a container is given by its name or id: letters, digits and _ . - only".to_owned());
    }
    Ok(name.to_owned())
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, interface) = match self {
            Self::Local { interface } => ("local".to_owned(), interface),
            Self::Namespace { name, interface } => (format!("netns:{name}"), interface),
            Self::Container { name, interface } => (format!("container:{name}"), interface),
            Self::Ssh(host) => return host.fmt(f),
        };
        f.write_str(&name)?;
        interface.as_ref().map_or(Ok(()), |interface| write!(f, ":{interface}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(name: &str, interface: Option<&str>) -> Host {
        Host::Namespace { name: name.into(), interface: interface.map(Into::into) }
    }

    #[test]
    fn hosts_are_read_and_written_back() {
        let table = [
            ("local", Host::Local { interface: None }),
            ("local:eth0", Host::Local { interface: Some("eth0".into()) }),
            ("netns:web", namespace("web", None)),
            ("netns:web:eth0", namespace("web", Some("eth0"))),
            ("netns:/proc/12/ns/net", namespace("/proc/12/ns/net", None)),
            ("netns:/run/a:b/net:lo", namespace("/run/a:b/net", Some("lo"))),
            ("container:web", Host::Container { name: "web".into(), interface: None }),
            (
                "container:shop_db-1.a:eth0.7",
                Host::Container { name: "shop_db-1.a".into(), interface: Some("eth0.7".into()) },
            ),
            ("ssh://root@db/eth0", Host::Ssh(SshHost::parse("root@db/eth0").expect("a host"))),
            ("db-7", Host::Ssh(SshHost::bare("db-7").expect("a host"))),
        ];
        for (text, host) in table {
            assert_eq!(Host::parse(text), Ok(host.clone()));
            assert_eq!(host.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_host_says_what_to_do_instead() {
        for (text, remedy) in [
            ("container:", "name or id"),
            ("container:../images", "name or id"),
            ("container:a?b", "name or id"),
            ("container:web:", "an interface must be named"),
            ("ssh://", "a host must be named"),
            ("-oProxyCommand=x", "begins with a dash"),
            ("local:", "leave the colon out"),
            ("netns:", "a namespace must be named"),
            ("netns:web:", "an interface must be named"),
        ] {
            let error = Host::parse(text).expect_err(text);
            assert!(error.contains(remedy), "{text}: {error}");
        }
    }
}
