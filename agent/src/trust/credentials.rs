//! The key and certificates of this host, and the directory where they are kept.

use super::{Address, TrustError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Key and certificate are one file: they are renewed together or not at all.
const IDENTITY: &str = "identity.pem";
const AUTHORITY: &str = "authority.pem";
const COORDINATOR: &str = "coordinator";

/// What this host shows and what it goes by.
#[derive(Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Key and certificate, in PEM form.
    pub(super) identity: String,
    /// The authority's certificate, in PEM form.
    pub(super) authority: String,
    /// The coordinator that this host joined.
    pub coordinator: Address,
}

/// What a certificate says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name that it is made out to.
    pub name: String,
    /// From when it is valid.
    pub valid_from: SystemTime,
    /// When it expires.
    pub expires_at: SystemTime,
}

impl Identity {
    /// From when on it should be renewed: two thirds of its life are over.
    #[must_use]
    pub fn renew_at(&self) -> SystemTime {
        let life = self.expires_at.duration_since(self.valid_from).unwrap_or_default();
        self.valid_from + life / 3 * 2
    }
}

impl Credentials {
    /// The directory where credentials are unless told otherwise: `/etc/correlate` for root, else below the user's
    /// configuration. `None` for a user without a home.
    #[must_use]
    pub fn usual_directory() -> Option<PathBuf> {
        let root =
            std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if root {
            return Some(PathBuf::from("/etc/correlate"));
        }
        let configuration =
            std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || std::env::home_dir().map(|home| home.join(".config"));
        configuration.or_else(home).map(|directory| directory.join("correlate"))
    }

    /// Reads the credentials in `directory`.
    pub fn load(directory: &Path) -> Result<Self, TrustError> {
        let coordinator = directory.join(COORDINATOR);
        let address = read(&coordinator, directory)?.trim().parse();
        let credentials = Self {
            identity: read(&directory.join(IDENTITY), directory)?,
            authority: read(&directory.join(AUTHORITY), directory)?,
            coordinator: address.map_err(|_| TrustError::Broken {
                path: coordinator,
                what: "the address of a coordinator",
            })?,
        };
        let broken = |file, what| move |_| TrustError::Broken { path: directory.join(file), what };
        credentials.key().map_err(broken(IDENTITY, "a private key"))?;
        credentials.identity().map_err(broken(IDENTITY, "a certificate"))?;
        credentials.authority().map_err(broken(AUTHORITY, "a certificate"))?;
        Ok(credentials)
    }

    /// Keeps the credentials in `directory`, readable to their owner alone.
    pub fn save(&self, directory: &Path) -> Result<(), TrustError> {
        make(directory)?;
        write(&directory.join(AUTHORITY), &self.authority, 0o644)?;
        write(&directory.join(COORDINATOR), &format!("{}\n", self.coordinator), 0o644)?;
        write(&directory.join(IDENTITY), &self.identity, 0o600)
    }

    /// What the certificate says.
    pub fn identity(&self) -> Result<Identity, TrustError> {
        let unreadable = || TrustError::Certificate("the certificate cannot be read".to_owned());
        let certificate = self.certificate()?;
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| unreadable())?;
        let name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let validity = parsed.validity();
        let time = |seconds: i64| UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap_or(0));
        Ok(Identity {
            name: name.ok_or_else(unreadable)?.to_owned(),
            valid_from: time(validity.not_before.timestamp()),
            expires_at: time(validity.not_after.timestamp()),
        })
    }

    pub(super) fn certificate(&self) -> Result<CertificateDer<'static>, TrustError> {
        CertificateDer::from_pem_slice(self.identity.as_bytes()).map_err(unusable)
    }

    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, TrustError> {
        PrivateKeyDer::from_pem_slice(self.identity.as_bytes()).map_err(unusable)
    }

    pub(super) fn authority(&self) -> Result<CertificateDer<'static>, TrustError> {
        CertificateDer::from_pem_slice(self.authority.as_bytes()).map_err(unusable)
    }
}

fn unusable(error: impl core::fmt::Display) -> TrustError {
    TrustError::Certificate(error.to_string())
}

fn read(path: &Path, directory: &Path) -> Result<String, TrustError> {
    std::fs::read_to_string(path).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            return TrustError::Missing(directory.to_owned());
        }
        TrustError::File { action: "read", path: path.to_owned(), source }
    })
}

fn make(directory: &Path) -> Result<(), TrustError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| TrustError::File { action: "make", path: directory.to_owned(), source })
}

/// Writes a file as a whole: a reader sees the old content or the new.
fn write(path: &Path, content: &str, mode: u32) -> Result<(), TrustError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let written = || {
        // A draft that was left behind may have another mode.
        let _ = std::fs::remove_file(&draft);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    written().map_err(|source| TrustError::File { action: "write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn credentials() -> Credentials {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        Credentials {
            identity: key.serialize_pem() + &certificate.pem(),
            authority: certificate.pem(),
            coordinator: "collector:1".parse().unwrap(),
        }
    }

    #[test]
    fn credentials_are_kept_for_their_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("a/b");
        let credentials = credentials();
        credentials.save(&directory).unwrap();
        credentials.save(&directory).unwrap();
        assert_eq!(Credentials::load(&directory).unwrap(), credentials);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(mode(&directory.join(IDENTITY)), 0o600);
    }

    #[test]
    fn absent_and_broken_credentials_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Credentials::load(directory.path()), Err(TrustError::Missing(_))));
        credentials().save(directory.path()).unwrap();
        std::fs::write(directory.path().join(IDENTITY), "nothing").unwrap();
        let error = Credentials::load(directory.path()).unwrap_err().to_string();
        assert!(error.contains("identity.pem does not hold a private key"), "{error}");
    }

    #[test]
    fn renewal_is_due_when_two_thirds_are_over() {
        let day = Duration::from_secs(86_400);
        let valid_from = UNIX_EPOCH + 100 * day;
        let identity = Identity { name: "x".into(), valid_from, expires_at: valid_from + 30 * day };
        assert_eq!(identity.renew_at(), valid_from + 20 * day);
    }
}
