//! Where a coordinator is, and how it is dialled. Without TLS only what cannot leave this host is dialled.

use correlate_agent::filter::Exclusion;
use correlate_agent::uplink::{Dial, Io, dial_tcp};
use correlate_proto::Endpoint;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// The environment variable that names the coordinator.
pub(crate) const VARIABLE: &str = "CORRELATE_COORDINATOR";

/// A coordinator's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// On loopback.
    Tcp(SocketAddr),
    /// A socket's path.
    Unix(PathBuf),
}

impl Address {
    /// Reads `http://ADDRESS:PORT` or `unix:PATH`; `ADDRESS:PORT` alone means the first.
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
            return Err(
                "coordinators are reached over loopback and unix sockets only: http://127.0.0.1:PORT or \
                        unix:PATH; `ssh -L` brings one of another host there"
                    .to_owned(),
            );
        }
        let rest = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let address = match rest.strip_prefix("localhost:") {
            Some(port) => port.parse().ok().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            None => rest.parse().ok(),
        };
        let address = address.ok_or("write http://127.0.0.1:PORT or unix:PATH")?;
        if !address.ip().is_loopback() {
            return Err(format!(
                "{address} is not on loopback, and that needs TLS; `ssh -L` brings a coordinator of another host \
                 to 127.0.0.1"
            ));
        }
        Ok(Self::Tcp(address))
    }

    /// Makes connections to it.
    pub(crate) fn dial(&self) -> Dial {
        match self {
            Self::Tcp(address) => dial_tcp(address.to_string()),
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

    /// The traffic with it, which is never evidence. A socket of this host makes no packets.
    pub(crate) fn exclusion(&self) -> Option<Exclusion> {
        match self {
            Self::Tcp(address) => {
                let addr: IpAddr = address.ip();
                Some(Exclusion::Endpoint(Endpoint { addr, port: address.port() }))
            }
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
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
        ] {
            assert_eq!(Address::parse(text).map(|address| address.to_string()), Ok(same.to_owned()));
        }
    }

    #[test]
    fn what_would_leave_this_host_is_refused_with_a_remedy() {
        for (text, remedy) in [
            ("https://c:1", "unix:PATH"),
            ("http://192.0.2.1:4747", "needs TLS"),
            ("unix:", "behind unix:"),
            ("c", "unix:PATH"),
        ] {
            let error = Address::parse(text).expect_err(text);
            assert!(error.contains(remedy), "{text}: {error}");
        }
    }
}
