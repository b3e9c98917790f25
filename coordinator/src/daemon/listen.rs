//! Where a daemon is dialled: loopback and unix sockets, whose peers may do everything.

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
    /// An address of loopback.
    Tcp(SocketAddr),
    /// A socket's path.
    Unix(PathBuf),
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// It is no address.
    #[error("{0} is no address to listen on; write ADDRESS:PORT or unix:PATH")]
    NoAddress(String),
    /// Others could reach it, and there is no TLS.
    #[error(
        "{0} can be reached from other hosts, and that needs TLS; listen on 127.0.0.1, [::1] or unix:PATH"
    )]
    NotLocal(SocketAddr),
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
        let address: SocketAddr = text.parse().map_err(|_| ListenError::NoAddress(text.to_owned()))?;
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLocal(address));
        }
        Ok(Self::Tcp(address))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
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
            ListenAddress::Tcp(address) => TcpListener::bind(address).await.map(Socket::Tcp),
            ListenAddress::Unix(path) => bind_unix(path).await.map(Socket::Unix),
        };
        let socket = bound.map_err(|source| ListenError::Bind { address: address.clone(), source })?;
        let address = match &socket {
            Socket::Tcp(socket) => socket.local_addr().map_or(address, ListenAddress::Tcp),
            Socket::Unix(_) => address,
        };
        Ok(Self { socket, address })
    }

    /// Where it listens; port 0 has become the port that the system chose.
    #[must_use]
    pub const fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Hands every connection to the coordinator, until that is gone.
    pub(super) async fn serve(self, connector: Connector) {
        while !connector.is_closed() {
            let handed = match &self.socket {
                Socket::Tcp(socket) => match socket.accept().await {
                    // That delays are not worth an octet saved is no reason to refuse the connection.
                    Ok((stream, _)) => {
                        let _ = stream.set_nodelay(true);
                        connector.accept_from(stream, Peer::Local)
                    }
                    Err(error) => Err(error),
                },
                Socket::Unix(socket) => match socket.accept().await {
                    Ok((stream, _)) => connector.accept_from(stream, Peer::Local),
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = handed {
                tracing::warn!(address = %self.address, %error, "connection not accepted");
                tokio::time::sleep(RETRY_AFTER).await;
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
