//! The commands, one file each.

pub(crate) mod analyze;
pub(crate) mod completions;
#[cfg(target_os = "linux")]
pub(crate) mod demo;
#[cfg(target_os = "linux")]
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod man;
#[cfg(target_os = "linux")]
pub(crate) mod run;
pub(crate) mod show;
