//! A live session inside this process: agents for the hosts, a coordinator, and what is said meanwhile.

mod agents;
mod child;
mod drive;
mod interrupts;
mod opener;
mod session;
mod ssh;
mod start;
mod status;
mod work;

pub(crate) use child::Command;
pub(crate) use drive::Ended;
pub(crate) use interrupts::Interrupts;
pub(crate) use opener::LiveOpener;
pub(crate) use session::Setup;
pub(crate) use ssh::EachOverSsh;
pub(crate) use ssh::diagnose;
pub(crate) use status::Status;
pub(crate) use work::{Task, Work};
