//! Where a daemon is dialled: loopback and unix sockets, whose peers may do everything, and over TLS.

use super::gate::Gate;
use crate::peer::Peer;
use crate::server::Connector;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Wait before the next attempt when a connection cannot be accepted, which is for want of file descriptors.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// Only the coordinator's own user reaches its socket.
const SOCKET_MODE: u32 = 0o600;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address of loopback, without TLS.
    Tcp(SocketAddr),
    /// Any address, over TLS.
    Tls(SocketAddr),
    /// A socket's path.
    Unix(PathBuf),
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// It is no address.
    #[error("{0} is no address to listen on; write ADDRESS:PORT, tls:ADDRESS:PORT or unix:PATH")]
    NoAddress(String),
    /// It takes TLS, and there is no authority.
    #[error(
        "{0} takes TLS, and this coordinator has no authority; make one with `correlate coordinator init`, or listen on 127.0.0.1, [::1] or unix:PATH"
    )]
    NoAuthority(SocketAddr),
    /// The system refuses.
    #[error("cannot listen on {address}: {source}; see who else does, and whether this user may")]
    Bind {
        /// Where.
        address: ListenAddress,
        /// Why.
        source: io::Error,
    },
}

impl FromStr for ListenAddress {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let (bare, secure) = text.strip_prefix("tls:").map_or((text, false), |bare| (bare, true));
        let address: SocketAddr = bare.parse().map_err(|_| ListenError::NoAddress(text.to_owned()))?;
        let local = address.ip().is_loopback() && !secure;
        Ok(if local { Self::Tcp(address) } else { Self::Tls(address) })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Tls(address) => write!(f, "tls:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A socket that is listened on. Dropping it removes the path of a unix socket.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: ListenAddress,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Begins to listen. The socket that a dead coordinator left behind is taken over.
    pub async fn bind(address: ListenAddress) -> Result<Self, ListenError> {
        let bound = match &address {
            ListenAddress::Tcp(address) | ListenAddress::Tls(address) => {
                TcpListener::bind(address).await.map(Socket::Tcp)
            }
            ListenAddress::Unix(path) => bind_unix(path).await.map(Socket::Unix),
        };
        let socket = bound.map_err(|source| ListenError::Bind { address: address.clone(), source })?;
        let address = match &socket {
            Socket::Tcp(socket) => match (socket.local_addr(), &address) {
                (Ok(bound), ListenAddress::Tls(_)) => ListenAddress::Tls(bound),
                (Ok(bound), _) => ListenAddress::Tcp(bound),
                (Err(_), _) => address,
            },
            Socket::Unix(_) => address,
        };
        Ok(Self { socket, address })
    }

    /// Where it listens; port 0 has become the port that the system chose.
    #[must_use]
    pub const fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Hands every connection to the coordinator, until that is gone. What listens over TLS needs the gate.
    pub(super) async fn serve(self, connector: Connector, gate: Option<Gate>) {
        while !connector.is_closed() {
            if let Err(error) = self.serve_one(&connector, gate.as_ref()).await {
                tracing::warn!(address = %self.address, %error, "connection not accepted");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }

    async fn serve_one(&self, connector: &Connector, gate: Option<&Gate>) -> io::Result<()> {
        match &self.socket {
            Socket::Unix(socket) => connector.accept_from(socket.accept().await?.0, Peer::Local),
            Socket::Tcp(socket) => {
                let (stream, from) = socket.accept().await?;
                // That delays are not worth an octet saved is no reason to refuse the connection.
                let _ = stream.set_nodelay(true);
                match (gate, &self.address) {
                    (_, ListenAddress::Tcp(_)) => connector.accept_from(stream, Peer::Local),
                    (Some(gate), _) => {
                        gate.admit(stream, from, connector.clone()).await;
                        Ok(())
                    }
                    (None, _) => Err(io::Error::other("there is no authority")),
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let (Socket::Unix(_), ListenAddress::Unix(path)) = (&self.socket, &self.address) {
            // The next coordinator takes over what stays.
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket && UnixStream::connect(path).await.is_err() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(listener)
}
