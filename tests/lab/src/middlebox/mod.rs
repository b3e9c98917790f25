//! The user-space bridge between the hosts.

mod account;
mod bridge;
mod connection;
mod decide;
mod inject;
mod packet;
mod release;
mod thread;
mod translate;

pub(crate) use thread::{Middlebox, Setting};
