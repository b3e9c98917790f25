//! What a host tells about itself: interfaces, offloads, clocks, counters, privileges.
#![cfg(target_os = "linux")]

mod clock;
mod counters;
mod doctor;
mod interfaces;
mod namespace;
mod privileges;
pub(crate) mod sys;

pub use clock::ClockSampler;
pub use counters::CounterReader;
pub(crate) use counters::{Table, Traffic, traffic};
pub use doctor::{Check, CheckState, doctor};
pub(crate) use interfaces::describe;
pub use interfaces::interfaces;
pub use namespace::{Namespace, NamespaceError, run_in};
pub use privileges::Privileges;
