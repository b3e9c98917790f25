//! How this host knows its coordinator, and is known there.
//!
//! [`join()`] makes a key, checks the coordinator by the fingerprint in a join token and comes back with
//! [`Credentials`], which are kept in a directory. [`dial_tls`] makes connections with them, and
//! [`keep_renewed`] has them renewed while they last.

mod address;
mod credentials;
mod error;
mod join;
mod prefixed;
mod renew;
mod tls;
mod verify;

pub use address::{Address, AddressError, DEFAULT_PORT};
pub use credentials::{Credentials, Identity};
pub use error::TrustError;
pub use join::join;
pub use renew::{keep_renewed, renew_if_due};
pub use tls::{connect_tls, dial_tls};
