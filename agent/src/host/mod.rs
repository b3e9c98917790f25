//! What a host tells about itself: interfaces, offloads, clocks, counters, privileges.
#![cfg(target_os = "linux")]

mod clock;
mod confine;
mod container;
mod counters;
mod doctor;
mod interfaces;
mod namespace;
mod privileges;
mod qdisc;
pub(crate) mod sys;
mod tables;

pub use clock::ClockSampler;
pub use confine::{ConfineError, confine};
pub use container::{Container, ContainerError};
pub use counters::CounterReader;
pub use doctor::{Check, CheckState, doctor};
pub(crate) use interfaces::describe;
pub use interfaces::interfaces;
pub use namespace::{Namespace, NamespaceError, run_in};
pub use privileges::Privileges;
pub(crate) use tables::{Table, Traffic, traffic};
