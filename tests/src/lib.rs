//! What the end-to-end tests and benchmarks of `correlate` share.

pub mod files;
pub mod synthetic;
