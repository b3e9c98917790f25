//! A session as one `SQLite` file: what was accepted, as accepted.
//!
//! While a session is open the file has a write-ahead log beside it; [`Recording::close`] leaves one plain file.
//! The tables are documented in `schema`.

mod command;
mod error;
mod files;
mod open;
mod read;
mod restart;
mod resume;
mod schema;
mod write;

pub use error::RecordingError;
pub use open::{Recording, SessionMeta};
pub use read::{Omitted, RecordedPoint};
pub(crate) use restart::{LeftOff, Restart};
pub(crate) use resume::PointState;
pub use schema::VERSION;
pub(crate) use write::Entry;

#[cfg(test)]
mod tests;
