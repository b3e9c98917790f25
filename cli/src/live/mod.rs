//! A live session inside this process: agents for the hosts, a coordinator, and what is said meanwhile.

mod agents;
mod child;
mod drive;
mod opener;
mod status;

pub(crate) use agents::Agents;
pub(crate) use child::Command;
pub(crate) use drive::{Ended, drive};
pub(crate) use status::Status;
