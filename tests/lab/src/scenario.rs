//! A scenario: everything about one situation of the catalogue, as data.

use crate::address::IpVersion;
use crate::expect::Expect;
use crate::plan::Plan;
use crate::rule::Rule;
use crate::tap::TapPlan;
use crate::topology::{Layout, Offloads};
use crate::traffic::Traffic;

/// A situation, how to make it, and what must be said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Name on the command line.
    pub name: &'static str,
    /// One line for a person.
    pub title: &'static str,
    /// What the middle does, and what one end alone would see of it.
    pub says: &'static str,
    /// IP version of the traffic.
    pub ip: IpVersion,
    /// Whether super-packets cross the links.
    pub offloads: Offloads,
    /// What the middlebox does.
    pub plan: Plan,
    /// What the hosts do.
    pub traffic: Traffic,
    /// Kernel settings of both hosts: path below `/proc/sys`, value.
    pub sysctls: Vec<(&'static str, &'static str)>,
    /// How many servers there are.
    pub servers: usize,
    /// How the client is connected.
    pub client_layout: Layout,
    /// How the client is captured.
    pub client_tap: TapPlan,
    /// How the servers are captured, from the first on; may be fewer than there are.
    pub server_taps: Vec<TapPlan>,
    /// What a right report says.
    pub expect: Expect,
    /// Why it makes no sense over IPv6, if so.
    pub not_over_v6: Option<&'static str>,
    /// Why it makes no sense with offloads on, if so.
    pub not_with_offloads: Option<&'static str>,
}

impl Scenario {
    /// A scenario with one server, IPv4, offloads off, a path of 5 ms each way, perfect taps and clean traffic.
    pub fn new(name: &'static str, title: &'static str, says: &'static str, traffic: Traffic) -> Self {
        Self {
            name,
            title,
            says,
            ip: IpVersion::V4,
            offloads: Offloads::Off,
            plan: Plan::default(),
            traffic,
            sysctls: Vec::new(),
            servers: 1,
            client_layout: Layout::Plain,
            client_tap: TapPlan::default(),
            server_taps: vec![TapPlan::default()],
            expect: Expect::clean(),
            not_over_v6: None,
            not_with_offloads: None,
        }
    }
}

impl Scenario {
    /// With these rules.
    #[must_use]
    pub fn rules(mut self, rules: Vec<Rule>) -> Self {
        self.plan.rules = rules;
        self
    }

    /// With this expectation.
    #[must_use]
    pub fn expecting(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// With this delay each way, in µs.
    #[must_use]
    pub const fn delay_us(mut self, each_way: u64) -> Self {
        self.plan.delay_us = [each_way, each_way];
        self
    }

    /// Over this version of IP.
    #[must_use]
    pub const fn over(mut self, ip: IpVersion) -> Self {
        self.ip = ip;
        self
    }

    /// With the first server captured like this.
    #[must_use]
    pub fn server_tap(mut self, tap: TapPlan) -> Self {
        self.server_taps = vec![tap];
        self
    }

    /// The same situation over that version of IP, with offloads so; `None` where that makes no sense, for the
    /// reason that [`Self::unfit`] gives. What is expected is the same.
    pub fn variant(&self, ip: IpVersion, offloads: Offloads) -> Option<Self> {
        self.unfit(ip, offloads).is_none().then(|| Self { ip, offloads, ..self.clone() })
    }

    /// Why there is no such variant of the scenario; `None` if there is.
    pub const fn unfit(&self, ip: IpVersion, offloads: Offloads) -> Option<&'static str> {
        match (ip, self.offloads, offloads) {
            (IpVersion::V6, _, _) if self.not_over_v6.is_some() => self.not_over_v6,
            (_, Offloads::ClientOnly, Offloads::ClientOnly)
            | (_, Offloads::ServerOnly, Offloads::ServerOnly) => None,
            (_, Offloads::ClientOnly | Offloads::ServerOnly, _) => Some("it is about offloads at one end"),
            (_, _, Offloads::Off) => None,
            (_, _, Offloads::On | Offloads::ClientOnly | Offloads::ServerOnly) => self.not_with_offloads,
        }
    }
}
