//! The commands, one file each.

pub(crate) mod analyze;
pub(crate) mod completions;
#[cfg(target_os = "linux")]
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod man;
