//! A coordinator elsewhere: how it is reached, what it is asked, and what is said while a session runs there.

mod client;
mod connect;
mod fetch;
mod follow;
mod telling;

pub(crate) use client::Client;
pub(crate) use connect::{Address, CREDENTIALS, VARIABLE};
pub(crate) use fetch::fetch;
pub(crate) use follow::{Followed, OnInterrupt, follow};
