//! Who comes in where others can dial.

use crate::metrics::{Refused, refused};
use crate::server::Connector;
use crate::trust::{AcceptError, Acceptor, Authority, Secured, Trust, TrustError};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

/// Peers without a certificate, and handshakes, at once. Further ones wait until one is over: a handshake takes ten
/// seconds at most, a stranger's visit thirty.
const AT_THE_GATE: usize = 256;

/// Lets in whoever has a certificate of the coordinator's authority, and strangers as far as the place where they get
/// one.
#[derive(Debug, Clone)]
pub(super) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    acceptor: Acceptor,
    trust: Trust,
    room: Arc<Semaphore>,
}

impl Gate {
    /// The gate of the coordinator in `data`; `None` if it has no authority.
    pub(super) fn open(data: &Path) -> Result<Option<Self>, TrustError> {
        let authority = match Authority::open(data) {
            Ok(authority) => Arc::new(authority),
            Err(TrustError::Missing(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let acceptor = Acceptor::new(Arc::clone(&authority))?;
        let trust = Trust::new(authority)?;
        let room = Arc::new(Semaphore::new(AT_THE_GATE));
        Ok(Some(Self(Arc::new(Inner { acceptor, trust, room }))))
    }

    /// What renews certificates for those who are in.
    pub(super) fn trust(&self) -> Trust {
        self.0.trust.clone()
    }

    /// Looks who is at the other end of `io`, and has them served. Waits only while too many are being looked at.
    pub(super) async fn admit<S>(&self, io: S, from: SocketAddr, connector: Connector)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // It is never closed.
        let Ok(place) = Arc::clone(&self.0.room).acquire_owned().await else { return };
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            match inner.acceptor.accept(io).await {
                Ok(Secured { stream, peer: Some(peer) }) => {
                    tracing::info!(target: "audit", act = "connect", who = %peer, %from, answer = "granted");
                    drop(place);
                    if let Err(error) = connector.accept_from(stream, peer) {
                        tracing::warn!(%error, "connection not accepted");
                    }
                }
                Ok(Secured { stream, peer: None }) => inner.trust.serve_stranger(stream).await,
                Err(error) => refuse(&error, from),
            }
        });
    }
}

fn refuse(reason: &AcceptError, from: SocketAddr) {
    refused(Refused::Certificate);
    tracing::warn!(target: "audit", act = "connect", %from, answer = "refused", %reason);
}
