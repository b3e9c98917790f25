//! The scenarios, by family.

mod capture;
mod clean;
mod device;
mod handshake;
mod loss;
mod matching;
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
        matching::scenarios(),
        device::scenarios(),
        capture::scenarios(),
    ]
    .concat()
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<Scenario> {
    catalogue().into_iter().find(|scenario| scenario.name == name)
}
