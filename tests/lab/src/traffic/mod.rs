//! Real TCP traffic between the hosts, by script.

mod client;
mod flow;
mod report;
mod run;
mod script;
mod server;

pub use flow::{Caller, Flow, Listener, Pace, Side, Step, Traffic};
pub use report::{ClientReport, ServerReport, TrafficReport};
pub(crate) use run::{Stage, run};
