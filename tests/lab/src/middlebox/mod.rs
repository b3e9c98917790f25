//! The user-space bridge between the hosts.

mod account;
mod armed;
mod bridge;
mod connection;
mod decide;
mod handle;
mod inject;
mod limit;
mod packet;
mod recut;
mod release;
mod route;
mod syn_proxy;
mod thread;
mod translate;

pub(crate) use thread::{Middlebox, Setting};
