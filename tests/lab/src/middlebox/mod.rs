//! The user-space bridge between the hosts.

mod account;
mod bridge;
mod connection;
mod decide;
mod inject;
mod release;
mod translate;

pub(crate) use bridge::{Middlebox, Setting};
