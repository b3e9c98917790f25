//! The scenarios, by family.

mod clean;
mod handshake;

use crate::scenario::Scenario;

/// All scenarios, in the order in which they are listed.
pub fn catalogue() -> Vec<Scenario> {
    [clean::scenarios(), handshake::scenarios()].concat()
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<Scenario> {
    catalogue().into_iter().find(|scenario| scenario.name == name)
}
