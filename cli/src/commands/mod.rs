//! The commands, one file each.

#[cfg(target_os = "linux")]
pub(crate) mod agent;
#[cfg(target_os = "linux")]
mod agent_daemon;
#[cfg(target_os = "linux")]
mod agent_stdio;
pub(crate) mod analyze;
#[cfg(target_os = "linux")]
pub(crate) mod authority;
pub(crate) mod completions;
#[cfg(target_os = "linux")]
pub(crate) mod coordinator;
#[cfg(target_os = "linux")]
pub(crate) mod demo;
#[cfg(target_os = "linux")]
pub(crate) mod doctor;
pub(crate) mod explain;
#[cfg(target_os = "linux")]
pub(crate) mod join;
#[cfg(target_os = "linux")]
pub(crate) mod list;
pub(crate) mod man;
#[cfg(target_os = "linux")]
pub(crate) mod remote;
#[cfg(target_os = "linux")]
pub(crate) mod run;
pub(crate) mod show;
#[cfg(target_os = "linux")]
pub(crate) mod validate;
