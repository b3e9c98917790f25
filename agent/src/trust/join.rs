//! The first certificate.

use super::tls::connect_pinned;
use super::verify::fingerprint;
use super::{Address, Credentials, TrustError};
use crate::uplink::Io;
use core::fmt::Write as _;
use correlate_proto::JoinToken;
use correlate_proto::wire::trust_client::TrustClient;
use correlate_proto::wire::{Certificate, JoinRequest};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use std::io;
use tonic::transport::{Channel, Endpoint};

/// Joins the coordinator at `address` with a token, as `name` or as the token names this host. The key is made here
/// and stays here.
pub async fn join(
    address: &Address,
    token: &JoinToken,
    name: Option<&str>,
) -> Result<Credentials, TrustError> {
    let (key, request) = key_and_request()?;
    let io = connect_pinned(address, token.fingerprint).await.map_err(|error| unreachable(address, error))?;
    let request = JoinRequest {
        secret: token.secret.to_vec(),
        name: name.unwrap_or_default().to_owned(),
        request: request.clone(),
    };
    let given = TrustClient::new(channel(io).await?).join(request).await;
    let given = given.map_err(|status| TrustError::Refused(status.message().to_owned()))?.into_inner();
    if fingerprint(&given.authority) != token.fingerprint {
        return Err(TrustError::Nonsense("the certificate of another authority than its own"));
    }
    credentials(&key, &given, address.clone())
}

/// A new key, and the request for a certificate of it.
pub(super) fn key_and_request() -> Result<(KeyPair, Vec<u8>), TrustError> {
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    // The coordinator decides whom the certificate names.
    parameters.distinguished_name.push(DnType::CommonName, "correlate");
    let request = parameters.serialize_request(&key)?.der().to_vec();
    Ok((key, request))
}

/// Credentials of what the coordinator gave, if it can be used.
pub(super) fn credentials(
    key: &KeyPair,
    given: &Certificate,
    coordinator: Address,
) -> Result<Credentials, TrustError> {
    let credentials = Credentials {
        identity: key.serialize_pem() + &pem(&given.certificate),
        authority: pem(&given.authority),
        coordinator,
    };
    let identity = credentials.identity().map_err(|_| TrustError::Nonsense("no certificate"))?;
    if identity.name == given.name {
        Ok(credentials)
    } else {
        Err(TrustError::Nonsense("a certificate of another"))
    }
}

/// A channel over a connection that exists.
pub(super) async fn channel(io: Box<dyn Io>) -> Result<Channel, TrustError> {
    let mut slot = Some(TokioIo::new(io));
    let connector = tower::service_fn(move |_| {
        core::future::ready(slot.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)))
    });
    Endpoint::from_static("http://coordinator")
        .connect_with_connector(connector)
        .await
        .map_err(|error| TrustError::Refused(error.to_string()))
}

/// Why there is no connection: nobody is there, or they are not who they should be.
pub(super) fn unreachable(address: &Address, error: io::Error) -> TrustError {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return TrustError::Refused(error.to_string());
    }
    TrustError::Unreachable { address: address.to_string(), source: error }
}

/// A certificate in PEM form (RFC 7468).
fn pem(certificate: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let encoded = correlate_proto::join_token::base64(certificate);
    for line in encoded.as_bytes().chunks(64) {
        let _ = writeln!(text, "{}", String::from_utf8_lossy(line));
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
