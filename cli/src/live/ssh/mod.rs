//! Hosts that are reached over ssh, with correlate installed there or nothing but tcpdump.
//!
//! One connection per host, made by the user's own `ssh`. The remote command is a POSIX shell that takes its script
//! from its standard input (`greet.sh`), so that nothing has to be quoted for whatever login shell is there. It says
//! what the host has, and waits to be told: by then every host of the session has been reached, and each capture can
//! leave out the connections of all of them. Then it becomes an agent, which speaks gRPC over the same standard input
//! and output, or it runs tcpdump (`capture.sh`), whose stream is read here. When the connection ends, the far end
//! does.

mod agent;
mod beat;
mod doctor;
mod each;
mod errors;
mod filter;
mod greeting;
mod link;
mod opener;
mod process;
mod source;
mod stream;
mod voice;

pub(super) use agent::serve;
pub(crate) use doctor::diagnose;
pub(crate) use each::EachOverSsh;
pub(super) use greeting::Tool;
pub(super) use link::{Link, connect};
pub(super) use opener::SshOpener;
pub(super) use process::Process;
