//! A network lab of real packets on one machine: namespaces for the hosts, links over netlink, and between them a
//! user-space middlebox that delays, drops, duplicates, reorders, injects and translates by plan, and writes down
//! every decision. It needs neither root (see [`enter_user_namespace`]) nor any program.
#![cfg(target_os = "linux")]

mod address;
mod catalogue;
mod clock;
mod condition;
mod error;
mod expect;
mod firewall;
mod lab;
mod ledger;
mod management;
mod middlebox;
mod namespace;
mod netlink;
mod octets;
mod pcap;
mod plan;
mod relay;
mod rng;
mod rule;
mod scenario;
mod sys;
mod tap;
mod topology;
mod traffic;
mod truth;
mod wire;

pub use address::{IpVersion, MAX_SERVERS};
pub use catalogue::{catalogue, find};
pub use clock::{ClockError, Slew, Step as ClockStep};
pub use condition::{Count, Kind, Match, Payload, Scope};
pub use error::LabError;
pub use expect::Expect;
pub use firewall::Refusal;
pub use lab::{Lab, Outcome, record};
pub use ledger::{Done, Entry, Leg, Protocol, Totals, write_csv};
pub use management::Management;
pub use namespace::{Namespace, enter_user_namespace};
pub use plan::{Plan, Relay, Translation};
pub use rule::{Action, IcmpMessage, Recut, Rewrite, RstInjection, Rule, SackBlocks, Toward, Trigger};
pub use scenario::Scenario;
pub use tap::{Omitted, TapInterface, TapOutcome, TapPlan};
pub use topology::{Host, Layout, Offloads};
pub use traffic::{
    Caller, ClientReport, Flow, Listener, Pace, ServerReport, Side, Step, Traffic, TrafficReport,
};
pub use truth::Truth;
pub use wire::wrap::Wrap;
