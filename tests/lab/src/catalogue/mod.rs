//! The scenarios, by family.

mod capture;
mod clean;
mod handshake;
mod loss;
mod path;
mod reset;
mod rewrite;

use crate::scenario::Scenario;

/// All scenarios, in the order in which they are listed. Names are unique.
pub fn catalogue() -> Vec<Scenario> {
    [
        clean::scenarios(),
        handshake::scenarios(),
        reset::scenarios(),
        loss::scenarios(),
        path::scenarios(),
        rewrite::scenarios(),
        capture::scenarios(),
    ]
    .concat()
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<Scenario> {
    catalogue().into_iter().find(|scenario| scenario.name == name)
}
