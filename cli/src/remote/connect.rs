//! Where a coordinator is, and how it is dialled: without TLS only what cannot leave this host.

use correlate_agent::filter::Exclusion;
use correlate_agent::trust::{self, Credentials, dial_tls};
use correlate_agent::uplink::{Dial, Io, dial_tcp};
use correlate_proto::Endpoint;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;

/// The environment variable that names the coordinator.
pub(crate) const VARIABLE: &str = "CORRELATE_COORDINATOR";
/// The environment variable that names the directory of the credentials.
pub(crate) const CREDENTIALS: &str = "CORRELATE_CREDENTIALS";

/// A coordinator's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// On loopback, without TLS.
    Tcp(SocketAddr),
    /// Anywhere, over TLS.
    Tls {
        /// Where.
        address: trust::Address,
        /// The directory of the credentials.
        credentials: PathBuf,
    },
    /// A socket's path.
    Unix(PathBuf),
}

impl Address {
    /// Reads `https://HOST:PORT`, `http://ADDRESS:PORT` or `unix:PATH`; without a scheme, an address of loopback is
    /// the second and any other host the first.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err("the path of the socket must stand behind unix:".to_owned())
            } else {
                Ok(Self::Unix(PathBuf::from(path)))
            };
        }
        if text.starts_with("https://") {
            return secure(text);
        }
        let rest = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let address: Option<SocketAddr> = match rest.strip_prefix("localhost:") {
            Some(port) => port.parse().ok().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            None => rest.parse().ok(),
        };
        match address.filter(|address| address.ip().is_loopback()) {
            Some(address) => Ok(Self::Tcp(address)),
            None if text.starts_with("http://") => {
                Err(format!("{rest} is not on loopback, and that needs TLS: write https://{rest}"))
            }
            None => secure(text),
        }
    }

    /// The same with the credentials in another directory.
    pub(crate) fn with_credentials(self, directory: Option<PathBuf>) -> Self {
        match (self, directory) {
            (Self::Tls { address, .. }, Some(credentials)) => Self::Tls { address, credentials },
            (same, _) => same,
        }
    }

    /// Makes connections to it.
    pub(crate) fn dial(&self) -> Dial {
        match self {
            Self::Tcp(address) => dial_tcp(address.to_string()),
            Self::Tls { address, credentials } => dial_tls(address.clone(), credentials.clone()),
            Self::Unix(path) => {
                let path = path.clone();
                Arc::new(move || {
                    let path = path.clone();
                    Box::pin(async move {
                        let stream = tokio::net::UnixStream::connect(path).await?;
                        Ok(Box::new(stream) as Box<dyn Io>)
                    })
                })
            }
        }
    }

    /// The traffic with it, which is never evidence. A socket of this host makes no packets; a name is looked up once.
    pub(crate) fn exclusions(&self) -> Vec<Exclusion> {
        let found = match self {
            Self::Tcp(address) => vec![*address],
            Self::Tls { address, .. } => (address.host.as_str(), address.port)
                .to_socket_addrs()
                .map(Iterator::collect)
                .unwrap_or_default(),
            Self::Unix(_) => Vec::new(),
        };
        let exclusion =
            |address: SocketAddr| Exclusion::Endpoint(Endpoint { addr: address.ip(), port: address.port() });
        found.into_iter().map(exclusion).collect()
    }
}

fn secure(text: &str) -> Result<Address, String> {
    let address: trust::Address =
        text.parse().map_err(|_| "write https://HOST:PORT, http://127.0.0.1:PORT or unix:PATH".to_owned())?;
    let named = std::env::var_os(CREDENTIALS).map(PathBuf::from);
    let credentials = named.or_else(Credentials::usual_directory).unwrap_or_default();
    Ok(Address::Tls { address, credentials })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Tls { address, .. } => write!(f, "https://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_back() {
        for (text, same) in [
            ("unix:/run/c.sock", "unix:/run/c.sock"),
            ("unix:///run/c.sock", "unix:/run/c.sock"),
            ("http://127.0.0.1:4747/", "http://127.0.0.1:4747"),
            ("localhost:1", "http://127.0.0.1:1"),
            ("[::1]:9", "http://[::1]:9"),
            ("https://127.0.0.1:4747", "https://127.0.0.1:4747"),
            ("https://collector.example", "https://collector.example:4747"),
            ("192.0.2.1:9", "https://192.0.2.1:9"),
            ("collector", "https://collector:4747"),
        ] {
            assert_eq!(Address::parse(text).map(|address| address.to_string()), Ok(same.to_owned()));
        }
    }

    #[test]
    fn what_would_leave_this_host_in_the_clear_is_refused_with_a_remedy() {
        for (text, remedy) in [
            ("http://192.0.2.1:4747", "write https://192.0.2.1:4747"),
            ("unix:", "behind unix:"),
            ("a:b", "unix:PATH"),
        ] {
            let error = Address::parse(text).expect_err(text);
            assert!(error.contains(remedy), "{text}: {error}");
        }
    }
}
