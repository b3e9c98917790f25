//! The daemon that sessions live in: many agents, many sessions at once, recordings kept within limits.

mod fleet;
mod gate;
mod listen;
mod log;
mod run;
mod store;
mod update;

pub(crate) use fleet::{Fleet, Open, StartRefused};
pub use listen::{ListenAddress, ListenError, Listener};
pub(crate) use log::{Log, Told};
pub use run::{Daemon, DaemonError, DaemonSettings};
pub use store::Keep;
pub(crate) use store::Store;
pub(crate) use update::counts;

#[cfg(test)]
mod tests;
