//! From the bytes of a frame to the fields of a record: pure and total.
//!
//! Any bytes give a record or a [`SkipReason`]; nothing is allocated and nothing panics. Tags and tunnels are
//! always taken off, down to the innermost TCP.

mod checksum;
mod common;
mod cursor;
mod extensions;
mod icmp;
mod ip;
mod link;
mod options;
mod outcome;
mod tcp;
mod tunnel;
mod walk;

#[cfg(test)]
mod tests;

pub use outcome::{Dissected, SkipReason};
pub use walk::dissect;
