//! The authority that signs every certificate of a coordinator, its own included.

use super::{TrustError, files, identity};
use crate::peer::PeerRole;
use core::time::Duration;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use time::OffsetDateTime;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer};

/// How long a certificate lasts. Short, as there is no list of revoked ones: who is not to be trusted any more is
/// not renewed.
pub const CERTIFICATE_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// How long the authority lasts. All hosts join anew after it.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// A certificate is valid from a little before it was made: clocks differ.
const BACKDATED: Duration = Duration::from_secs(3_600);

/// The coordinator's certificate authority.
#[derive(Debug)]
pub struct Authority {
    directory: PathBuf,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    names: Vec<String>,
}

/// A certificate that was signed.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// When it expires.
    pub expires_at: SystemTime,
}

impl Authority {
    /// Makes an authority in `data`, a coordinator's directory, or opens the one that is there; its server
    /// certificates are from then on made out to `names` (host names and addresses), if there are any.
    pub fn init(data: &Path, names: &[String]) -> Result<Self, TrustError> {
        let directory = directory(data);
        files::private_directory(&directory)?;
        if files::read(&certificate_file(&directory))?.is_none() {
            let key = KeyPair::generate()?;
            let certificate = authority_parameters(SystemTime::now())?.self_signed(&key)?;
            // The key first: a certificate without its key would be taken for an authority.
            files::write(&key_file(&directory), key.serialize_pem().as_bytes(), 0o600)?;
            files::write(&certificate_file(&directory), certificate.pem().as_bytes(), 0o644)?;
        }
        if !names.is_empty() {
            files::write(&names_file(&directory), (names.join("\n") + "\n").as_bytes(), 0o644)?;
        }
        Self::open(data)
    }

    /// Opens the authority in `data`.
    pub fn open(data: &Path) -> Result<Self, TrustError> {
        let directory = directory(data);
        let path = certificate_file(&directory);
        let text = files::read(&path)?.ok_or_else(|| TrustError::Missing(data.to_owned()))?;
        let broken = |path: PathBuf, what| TrustError::Broken { path, what };
        let certificate = CertificateDer::from_pem_slice(text.as_bytes())
            .map_err(|_| broken(path.clone(), "a certificate in PEM form"))?;
        let key = key_file(&directory);
        let text = files::read(&key)?.ok_or_else(|| broken(key.clone(), "the authority's key"))?;
        let key = KeyPair::from_pem(&text).map_err(|_| broken(key, "a private key in PEM form"))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|_| broken(path, "the certificate of an authority"))?;
        let names = files::read(&names_file(&directory))?.unwrap_or_default();
        let names = names.lines().map(str::to_owned).collect();
        Ok(Self { directory, certificate, issuer, names })
    }

    /// Where the authority's files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The authority's certificate.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the authority's certificate.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.certificate);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest.as_ref());
        fingerprint
    }

    /// What the coordinator's own certificate is made out to.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Signs a certificate for the key in `request` (PKCS #10, DER), made out to `name` and `role`. Nothing else
    /// that the request asks for is granted.
    pub fn issue(
        &self,
        request: &[u8],
        name: &str,
        role: PeerRole,
        now: SystemTime,
    ) -> Result<Issued, TrustError> {
        identity::check_name(name)?;
        let request =
            CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request))?;
        let uri = SanType::URI(identity::role_uri(role).try_into()?);
        let purpose = ExtendedKeyUsagePurpose::ClientAuth;
        self.sign(&request.public_key, name, vec![uri], purpose, now)
    }

    /// Makes a key and a certificate for the coordinator itself.
    pub(super) fn issue_server(
        &self,
        now: SystemTime,
    ) -> Result<(Issued, PrivateKeyDer<'static>), TrustError> {
        let key = KeyPair::generate()?;
        let names: Result<Vec<_>, TrustError> = self.names.iter().map(|name| subject_name(name)).collect();
        let purpose = ExtendedKeyUsagePurpose::ServerAuth;
        let issued = self.sign(&key, "correlate coordinator", names?, purpose, now)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|error| TrustError::Certificate(error.to_owned()))?;
        Ok((issued, key))
    }

    fn sign(
        &self,
        key: &impl PublicKeyData,
        name: &str,
        names: Vec<SanType>,
        purpose: ExtendedKeyUsagePurpose,
        now: SystemTime,
    ) -> Result<Issued, TrustError> {
        let expires_at = now + CERTIFICATE_LIFE;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.serial_number = Some(serial_number()?);
        parameters.not_before = OffsetDateTime::from(now - BACKDATED);
        parameters.not_after = OffsetDateTime::from(expires_at);
        parameters.subject_alt_names = names;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![purpose];
        parameters.use_authority_key_identifier_extension = true;
        let certificate = parameters.signed_by(key, &self.issuer)?;
        Ok(Issued { certificate: certificate.der().clone(), expires_at })
    }
}

fn directory(data: &Path) -> PathBuf {
    data.join("trust")
}

fn certificate_file(directory: &Path) -> PathBuf {
    directory.join("authority.pem")
}

fn key_file(directory: &Path) -> PathBuf {
    directory.join("authority.key")
}

fn names_file(directory: &Path) -> PathBuf {
    directory.join("names")
}

fn authority_parameters(now: SystemTime) -> Result<CertificateParams, TrustError> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "correlate authority");
    parameters.serial_number = Some(serial_number()?);
    parameters.not_before = OffsetDateTime::from(now - BACKDATED);
    parameters.not_after = OffsetDateTime::from(now + AUTHORITY_LIFE);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(parameters)
}

/// A host name or an address, as a certificate has it.
fn subject_name(name: &str) -> Result<SanType, TrustError> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match bare.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ok(SanType::DnsName(name.to_owned().try_into()?)),
    }
}

/// A random serial number, positive and 20 octets long at most (RFC 5280, 4.1.2.2).
fn serial_number() -> Result<SerialNumber, TrustError> {
    let mut octets = [0; 16];
    let failed = |_| TrustError::Certificate("the system gives no random numbers".to_owned());
    SystemRandom::new().fill(&mut octets).map_err(failed)?;
    octets[0] = octets[0] & 0x7F | 0x40;
    Ok(SerialNumber::from_slice(&octets))
}
