//! TLS at the coordinator's end: who dials, and whether they may come in.

use super::{Authority, CERTIFICATE_LIFE, TrustError, identity};
use crate::peer::Peer;
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, CertificateError, RootCertStore, ServerConfig, version};
use tokio_rustls::server::TlsStream;

/// How long a peer may take for its handshake; one that is slower is cut off.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// The coordinator makes itself a new certificate when a third of the old one's life is left.
const OWN_LIFE: Duration = Duration::from_secs(CERTIFICATE_LIFE.as_secs() / 3 * 2);

/// Secures connections that were accepted.
#[derive(Debug)]
pub struct Acceptor {
    authority: Arc<Authority>,
    current: Mutex<Current>,
}

/// The settings in force, and until when.
#[derive(Debug, Clone)]
struct Current {
    config: Arc<ServerConfig>,
    until: SystemTime,
}

/// A connection whose handshake is done.
#[derive(Debug)]
pub struct Secured<S> {
    /// The connection.
    pub stream: TlsStream<S>,
    /// Who is at its other end; `None`: somebody without a certificate, who may join and nothing else.
    pub peer: Option<Peer>,
}

/// Why a connection was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The peer's certificate is too old.
    #[error("its certificate has expired; join the host again with a new token")]
    Expired,
    /// The peer's certificate is not valid yet.
    #[error("its certificate is not valid yet; set the clocks of both hosts")]
    Early,
    /// The peer's certificate is another authority's.
    #[error("its certificate was signed by another authority; join it to this coordinator")]
    OtherAuthority,
    /// The peer's certificate is sound, and made for something else.
    #[error("its certificate names no role here; join it to this coordinator")]
    NoRole,
    /// The handshake failed otherwise.
    #[error("the TLS handshake failed: {0}")]
    Handshake(io::Error),
    /// The peer did not go on.
    #[error("the TLS handshake took too long")]
    Slow,
    /// The coordinator has no certificate of its own.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl Acceptor {
    /// Makes the coordinator's own certificate, and asks peers for one of the same authority.
    pub fn new(authority: Arc<Authority>) -> Result<Self, TrustError> {
        let current = Mutex::new(settings(&authority, SystemTime::now())?);
        Ok(Self { authority, current })
    }

    /// Does the handshake on a connection.
    pub async fn accept<S>(&self, io: S) -> Result<Secured<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.settings(SystemTime::now())?;
        let handshake = TlsAcceptor::from(config).accept(io);
        let stream = tokio::time::timeout(HANDSHAKE_WITHIN, handshake)
            .await
            .map_err(|_| AcceptError::Slow)?
            .map_err(why)?;
        let peer = match stream.get_ref().1.peer_certificates() {
            None | Some([]) => None,
            Some([certificate, ..]) => Some(identity::peer(certificate).ok_or(AcceptError::NoRole)?),
        };
        Ok(Secured { stream, peer })
    }

    /// The settings in force; the coordinator's own certificate is made anew in time.
    fn settings(&self, now: SystemTime) -> Result<Arc<ServerConfig>, TrustError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= current.until {
            *current = settings(&self.authority, now)?;
        }
        Ok(Arc::clone(&current.config))
    }
}

fn settings(authority: &Authority, now: SystemTime) -> Result<Current, TrustError> {
    let (issued, key) = authority.issue_server(now)?;
    let failed = |error: rustls::Error| TrustError::Certificate(error.to_string());
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone()).map_err(failed)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| TrustError::Certificate(error.to_string()))?;
    // A joiner knows the authority by its fingerprint alone, so the authority's certificate is sent along.
    let chain = vec![issued.certificate, authority.certificate().clone()];
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(failed)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(failed)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would outlive its certificate.
    config.send_tls13_tickets = 0;
    Ok(Current { config: Arc::new(config), until: now + OWN_LIFE })
}

/// What was wrong with the peer, as far as it can be told.
fn why(error: io::Error) -> AcceptError {
    use CertificateError as E;
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    let Some(rustls::Error::InvalidCertificate(certificate)) = cause else {
        return AcceptError::Handshake(error);
    };
    if matches!(certificate, E::Expired | E::ExpiredContext { .. }) {
        AcceptError::Expired
    } else if matches!(certificate, E::NotValidYet | E::NotValidYetContext { .. }) {
        AcceptError::Early
    } else if matches!(certificate, E::UnknownIssuer | E::BadSignature) {
        // An authority of the same name with another key gives a bad signature.
        AcceptError::OtherAuthority
    } else if matches!(certificate, E::InvalidPurpose | E::InvalidPurposeContext { .. }) {
        AcceptError::NoRole
    } else {
        AcceptError::Handshake(error)
    }
}
