//! Configuration files of the daemons: flags stand over the environment, that over the file, that over the defaults.
//!
//! A file is TOML whose keys are named as the long flags. What it says becomes words of the command line, so that a
//! setting is read in one way wherever it stands.

mod check;
mod daemon;
mod file;
mod kind;
mod layers;

pub(crate) use check::check;
pub(crate) use kind::Kind;
pub(crate) use layers::command_line;
