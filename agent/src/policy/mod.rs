//! What the owner of a host allows to be captured there, whoever asks.
//!
//! A [`Policy`] is read from a TOML file. [`Guarded`] puts it between the coordinator's commands and whatever opens
//! captures: it refuses what a rule forbids, naming the rule, and narrows what it can narrow. It never widens.

mod check;
mod file;
mod guard;
mod pace;
mod rules;

pub use file::{EXAMPLE, KEYS, Policy, PolicyError};
pub use guard::Guarded;
pub use rules::{Network, Ports};
