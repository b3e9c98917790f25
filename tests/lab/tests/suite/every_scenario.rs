//! Each scenario of the catalogue runs, and its ledger is the truth wherever its taps are perfect.

use crate::agreement::assert_ledger_agrees;
use crate::run::run;
use correlate_lab::{Done, Entry, IpVersion, Offloads, Scenario, TapInterface, TapPlan, catalogue};
use std::sync::Mutex;

/// Scenarios that run side by side: they mostly wait.
const AT_ONCE: usize = 4;

fn check(scenario: &Scenario, seed: u64) {
    let Some(outcome) = run(scenario, seed) else { return };
    assert_eq!(outcome.middlebox_drops, 0, "{}", scenario.name);
    assert!(outcome.taps.iter().all(|tap| tap.drops == 0), "{}", scenario.name);
    let perfect = |tap: &TapPlan| {
        let (snaplen, clock, wrap) = (tap.snaplen, tap.clock, tap.wrap);
        let shows_all = tap.interface != TapInterface::Spare;
        shows_all && *tap == TapPlan { snaplen, clock, wrap, interface: tap.interface, ..TapPlan::default() }
    };
    if perfect(&scenario.client_tap) && scenario.server_taps.iter().all(perfect) {
        assert_ledger_agrees(scenario, &outcome);
    }
    for code in &scenario.expect.must {
        let concerned = outcome.concerned_by(&scenario.expect, code);
        assert!(concerned.is_none_or(|some| !some.is_empty()), "{}: {code} concerns none", scenario.name);
    }
    let stays = |entry: &&Entry| !matches!(entry.done, Done::Drop | Done::Absorb) || entry.rule.is_empty();
    let gap = outcome.ledger.iter().filter(|entry| entry.at_out_ns.is_none()).find(stays);
    assert_eq!(gap, None, "{}: a packet vanished without a rule", scenario.name);
}

#[test]
fn the_ledger_of_every_scenario_is_the_truth() {
    check_all(catalogue(), 21);
}

#[test]
fn the_ledger_is_the_truth_over_ipv6_with_offloads() {
    let varied = |scenario: Scenario| scenario.variant(IpVersion::V6, Offloads::On);
    check_all(catalogue().into_iter().filter_map(varied).collect(), 22);
}

#[test]
fn the_ledger_is_the_truth_over_ipv4_with_offloads() {
    let varied = |scenario: Scenario| scenario.variant(IpVersion::V4, Offloads::On);
    check_all(catalogue().into_iter().filter_map(varied).collect(), 23);
}

fn check_all(scenarios: Vec<Scenario>, seed: u64) {
    let waiting = Mutex::new(scenarios);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("no other worker failed").pop();
                    let Some(scenario) = next else { break };
                    check(&scenario, seed);
                }
            });
        }
    });
}
