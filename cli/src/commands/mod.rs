//! The commands, one file each.

pub(crate) mod analyze;
pub(crate) mod completions;
pub(crate) mod explain;
pub(crate) mod man;
