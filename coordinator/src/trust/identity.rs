//! Who a certificate is made out to.

use super::TrustError;
use crate::peer::{Peer, PeerRole};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The scheme of the URI that names a role.
const SCHEME: &str = "correlate:";
/// The longest common name that X.509 admits (RFC 5280, ub-common-name).
const NAME_CHARS: usize = 64;

/// The URI that stands for `role` in a certificate.
pub(super) fn role_uri(role: PeerRole) -> String {
    format!("{SCHEME}{}", role.word())
}

/// Names go into certificates, logs and the words of sessions: nothing in them needs quoting.
pub(super) fn check_name(name: &str) -> Result<(), TrustError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let good = (1..=NAME_CHARS).contains(&name.len())
        && name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if good { Ok(()) } else { Err(TrustError::Name(name.to_owned())) }
}

/// The peer that `certificate` (DER) names. The certificate must have been verified. `None` if it names none, as the
/// coordinator's own does not.
pub(super) fn peer(certificate: &[u8]) -> Option<Peer> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
    let names = parsed.subject_alternative_name().ok()??;
    let role = names.value.general_names.iter().find_map(|name| {
        let GeneralName::URI(uri) = name else { return None };
        PeerRole::of_word(uri.strip_prefix(SCHEME)?)
    })?;
    Some(Peer::Known { name, role })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        let long = "x".repeat(NAME_CHARS);
        for good in ["a", "web-1.example", "anna_k", &long] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "-x", ".x", "a b", "a/b", "a\n", "ä", &format!("{long}x")] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        assert_eq!(peer(b""), None);
        assert_eq!(peer(&[0x30; 64]), None);
    }
}
