//! What the end-to-end tests, the scoreboard and the benchmarks of `correlate` share.

#[cfg(target_os = "linux")]
pub mod deployment;
#[cfg(target_os = "linux")]
pub mod faults;
pub mod files;
#[cfg(target_os = "linux")]
pub mod frames;
pub mod permits;
#[cfg(unix)]
pub mod process;
#[cfg(target_os = "linux")]
pub mod scoreboard;
pub mod synthetic;
