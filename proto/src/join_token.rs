//! The word with which a host or a person joins a coordinator: made there, used once here.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use core::fmt;
use core::str::FromStr;

/// What every token begins with; the digit is the version of what follows.
const PREFIX: &str = "cjt1_";
/// Octets of a secret: nobody guesses 192 bits.
pub const SECRET_BYTES: usize = 24;
/// Octets of a SHA-256 digest.
const FINGERPRINT_BYTES: usize = 32;
const EXPIRY_BYTES: usize = 8;
const FIXED_BYTES: usize = EXPIRY_BYTES + FINGERPRINT_BYTES + SECRET_BYTES;

/// A join token. As text it is `cjt1_` and, in URL-safe base64: expiry (8 octets, big-endian), fingerprint,
/// secret, and the coordinator's address for the rest.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// When it expires, in seconds since 1970.
    pub expires_at: u64,
    /// SHA-256 of the authority's certificate (DER), by which a joiner knows the coordinator.
    pub fingerprint: [u8; FINGERPRINT_BYTES],
    /// What the coordinator knows the token by.
    pub secret: [u8; SECRET_BYTES],
    /// Host and port of the coordinator; empty if whoever made the token did not know.
    pub coordinator: String,
}

/// A text that is no join token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no join token; copy the whole line that `correlate coordinator token` prints")]
pub struct JoinTokenError;

/// Octets as base64 (RFC 4648), as PEM files have them.
#[must_use]
pub fn base64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut octets = Vec::with_capacity(FIXED_BYTES + self.coordinator.len());
        octets.extend(self.expires_at.to_be_bytes());
        octets.extend(self.fingerprint);
        octets.extend(self.secret);
        octets.extend(self.coordinator.as_bytes());
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(octets))
    }
}

/// The secret stays out of logs.
impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken")
            .field("expires_at", &self.expires_at)
            .field("coordinator", &self.coordinator)
            .finish_non_exhaustive()
    }
}

impl FromStr for JoinToken {
    type Err = JoinTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(JoinTokenError)?;
        let octets = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| JoinTokenError)?;
        let (expires_at, rest) = octets.split_first_chunk::<EXPIRY_BYTES>().ok_or(JoinTokenError)?;
        let (fingerprint, rest) = rest.split_first_chunk::<FINGERPRINT_BYTES>().ok_or(JoinTokenError)?;
        let (secret, coordinator) = rest.split_first_chunk::<SECRET_BYTES>().ok_or(JoinTokenError)?;
        Ok(Self {
            expires_at: u64::from_be_bytes(*expires_at),
            fingerprint: *fingerprint,
            secret: *secret,
            coordinator: String::from_utf8(coordinator.to_vec()).map_err(|_| JoinTokenError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(coordinator: &str) -> JoinToken {
        JoinToken {
            expires_at: 1_800_000_000,
            fingerprint: core::array::from_fn(|at| u8::try_from(at).unwrap()),
            secret: [0xA5; SECRET_BYTES],
            coordinator: coordinator.to_owned(),
        }
    }

    #[test]
    fn a_token_reads_back_as_it_was_written() {
        for coordinator in ["", "collector.example:4747", "[2001:db8::1]:4747"] {
            let token = token(coordinator);
            assert_eq!(format!(" {token}\n").parse(), Ok(token));
        }
    }

    #[test]
    fn what_is_cut_or_altered_is_no_token() {
        let text = token("").to_string();
        for broken in ["", "cjt1_", &text[..text.len() - 1], &text[1..], &format!("{text}*")] {
            assert_eq!(broken.parse::<JoinToken>(), Err(JoinTokenError), "{broken}");
        }
    }

    #[test]
    fn the_secret_is_not_in_the_debug_form() {
        assert!(!format!("{:?}", token("x")).contains("165"));
    }
}
