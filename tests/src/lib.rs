//! What the end-to-end tests and benchmarks of `correlate` share.

pub mod files;
#[cfg(unix)]
pub mod process;
pub mod synthetic;
