//! A scenario: everything about one situation of the catalogue, as data.

use crate::plan::Plan;
use crate::rule::Rule;
use crate::tap::TapPlan;
use crate::topology::{IpVersion, Offloads};
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
    /// How the client is captured.
    pub client_tap: TapPlan,
    /// How the servers are captured, from the first on; may be fewer than there are.
    pub server_taps: Vec<TapPlan>,
    /// What a right report says.
    pub expect: Expect,
}

/// What a right report says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expect {
    /// Findings that must be there.
    pub must: Vec<&'static str>,
    /// Findings that may be there beside them. `info` findings that are in neither list are no fault; errors
    /// and warnings are.
    pub may: Vec<&'static str>,
    /// Findings that must not be there.
    pub never: Vec<&'static str>,
    /// Exit statuses that are right.
    pub exit: Vec<i32>,
    /// Whether there is a problem to be found.
    pub problem: bool,
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
            client_tap: TapPlan::default(),
            server_taps: vec![TapPlan::default()],
            expect: Expect::clean(),
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
}

impl Expect {
    /// Nothing is wrong: exit 0, and no error or warning.
    pub fn clean() -> Self {
        Self { exit: vec![0], ..Self::default() }
    }

    /// A problem, told by these findings.
    pub fn problem(must: &[&'static str]) -> Self {
        Self { must: must.to_vec(), exit: vec![1], problem: true, ..Self::default() }
    }

    /// Something worth telling but no error: exit 0.
    pub fn notable(must: &[&'static str]) -> Self {
        Self { must: must.to_vec(), ..Self::clean() }
    }

    /// No verdict is possible, for these findings.
    pub fn inconclusive(must: &[&'static str]) -> Self {
        Self { must: must.to_vec(), exit: vec![3], ..Self::default() }
    }

    /// Beside them these may be there.
    #[must_use]
    pub fn may(mut self, codes: &[&'static str]) -> Self {
        self.may.extend(codes);
        self
    }

    /// These must not.
    #[must_use]
    pub fn never(mut self, codes: &[&'static str]) -> Self {
        self.never.extend(codes);
        self
    }

    /// This exit status is right too.
    #[must_use]
    pub fn or_exit(mut self, status: i32) -> Self {
        self.exit.push(status);
        self
    }
}
