//! Connections over TLS 1.3.

use super::prefixed::Prefixed;
use super::verify::Pinned;
use super::{Address, Credentials, TrustError};
use crate::uplink::{Dial, Io};
use core::time::Duration;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, ClientConfig, RootCertStore, version};

/// How long a coordinator may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Dials `address` with the credentials in `directory`, which are read each time: they may have been renewed, or
/// joined anew.
#[must_use]
pub fn dial_tls(address: Address, directory: PathBuf) -> Dial {
    let address = Arc::new((address, directory));
    Arc::new(move || {
        let address = Arc::clone(&address);
        Box::pin(async move {
            let (address, directory) = &*address;
            let credentials = Credentials::load(directory)
                .map_err(|error| io::Error::new(io::ErrorKind::PermissionDenied, error.to_string()))?;
            connect_tls(address, &credentials).await
        })
    })
}

/// One connection to `address`, each end knowing the other. An error of the kind `PermissionDenied` says that one
/// end does not take the other; to try again is of no use then.
pub async fn connect_tls(address: &Address, credentials: &Credentials) -> io::Result<Box<dyn Io>> {
    let config = with_credentials(credentials)
        .map_err(|error| io::Error::new(io::ErrorKind::PermissionDenied, error.to_string()))?;
    secure(address, config).await
}

/// A connection on which this end shows no certificate and knows the other by a fingerprint.
pub(super) async fn connect_pinned(address: &Address, fingerprint: [u8; 32]) -> io::Result<Box<dyn Io>> {
    let provider = Arc::new(default_provider());
    let pinned = Arc::new(Pinned { fingerprint, provider: Arc::clone(&provider) });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(pinned)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    secure(address, config).await
}

fn with_credentials(credentials: &Credentials) -> Result<ClientConfig, TrustError> {
    let failed = |error: rustls::Error| TrustError::Certificate(error.to_string());
    let mut roots = RootCertStore::empty();
    roots.add(credentials.authority()?).map_err(failed)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![credentials.certificate()?], credentials.key()?)
        .map_err(failed)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

async fn secure(address: &Address, config: ClientConfig) -> io::Result<Box<dyn Io>> {
    let name = ServerName::try_from(address.host.clone()).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{} is no host name", address.host))
    })?;
    let connected = async {
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        stream.set_nodelay(true)?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Prefixed::wait(stream).await
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer within 10 seconds");
    let connected = tokio::time::timeout(ANSWER_WITHIN, connected).await.map_err(|_| late())?;
    connected.map(|io| Box::new(io) as Box<dyn Io>).map_err(|error| explain(error, address))
}

/// The error in words that tell which end did not take the other, and why.
fn explain(error: io::Error, address: &Address) -> io::Error {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let words = if let Some(rustls::Error::InvalidCertificate(certificate)) = cause {
        Some(server_refused(certificate, address))
    } else if let Some(rustls::Error::AlertReceived(alert)) = cause {
        client_refused(*alert).map(str::to_owned)
    } else {
        None
    };
    words.map_or(error, |words| io::Error::new(io::ErrorKind::PermissionDenied, words))
}

/// Why this end does not take the coordinator.
fn server_refused(certificate: &CertificateError, address: &Address) -> String {
    use CertificateError as E;
    if matches!(certificate, E::UnknownIssuer | E::BadSignature) {
        return format!(
            "what answers at {address} is not the coordinator of these credentials: its certificate was signed by \
             another authority; check the address, or join again with a token of this coordinator"
        );
    }
    if matches!(certificate, E::NotValidForName | E::NotValidForNameContext { .. }) {
        return format!(
            "the coordinator's certificate is not made out to {}; run `correlate coordinator init --name {0}` there \
             and restart it, or use a name that it has",
            address.host
        );
    }
    if matches!(
        certificate,
        E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. }
    ) {
        return "the coordinator's certificate is not valid now; compare the clocks of both hosts".to_owned();
    }
    format!("the coordinator's certificate is not sound: {certificate}")
}

/// Why the coordinator does not take this end; `None` if that is not what the alert is about.
fn client_refused(alert: AlertDescription) -> Option<&'static str> {
    use AlertDescription as A;
    if alert == A::CertificateExpired {
        return Some(
            "the coordinator does not take this certificate: it is not valid now; join again with a new token, and \
             compare the clocks",
        );
    }
    if matches!(alert, A::UnknownCA | A::DecryptError | A::BadCertificate) {
        return Some(
            "the coordinator does not take this certificate: another authority signed it; join this coordinator \
             with a token of its own",
        );
    }
    let other = [A::UnsupportedCertificate, A::CertificateUnknown, A::AccessDenied, A::CertificateRevoked];
    other.contains(&alert).then_some("the coordinator does not take this certificate; its log says why")
}
