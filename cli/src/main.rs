//! The `correlate` command.
fn main() {}
