//! Who may talk to a coordinator: its own small certificate authority, join tokens, and TLS.
//!
//! `Authority::init` makes the authority. A [`Tokens`] makes join tokens, of which it keeps the digest only. A
//! joiner comes without a certificate, so [`Acceptor::accept`] says that it is a stranger, and a stranger is served
//! by [`Trust::serve_stranger`], which knows one call. Whoever has a certificate is a
//! [`Peer`](crate::peer::Peer) and served by the coordinator, where the same [`Trust`] renews certificates.

mod acceptor;
mod authority;
mod error;
mod files;
mod identity;
mod service;
mod stranger;
mod tokens;

pub use acceptor::{AcceptError, Acceptor, Secured};
pub use authority::{Authority, CERTIFICATE_LIFE, Issued};
pub use error::TrustError;
pub use service::Trust;
pub use tokens::{NewToken, TokenRefusal, Tokens};

#[cfg(test)]
mod tests;
