//! The catalogue is consistent.

use correlate_lab::{IpVersion, Offloads, catalogue, find};
use std::collections::BTreeSet;

/// The codes of findings that a report can have.
const CODES: [&str; 43] = [
    "syn-lost",
    "syn-ack-lost",
    "handshake-ack-lost",
    "syn-unanswered",
    "syn-ack-ignored",
    "accept-queue-full",
    "connection-refused",
    "refused-in-path",
    "syn-ack-injected",
    "challenge-ack",
    "rst-injected",
    "rst-lost",
    "reset-by-client",
    "reset-by-server",
    "idle-expiry",
    "packet-loss",
    "asymmetric-loss",
    "ack-loss",
    "one-way-blackhole",
    "outage",
    "path-mtu-blackhole",
    "spurious-retransmission",
    "reordering",
    "duplication",
    "address-translated",
    "sequence-rewritten",
    "sack-not-rewritten",
    "mss-clamped",
    "option-stripped",
    "window-scale-mismatch",
    "dscp-rewritten",
    "ecn-bleached",
    "payload-altered",
    "proxied",
    "zero-window",
    "window-update-lost",
    "slow-server",
    "slow-client",
    "capture-loss",
    "not-captured",
    "unpaired-connection",
    "clock-unaligned",
    "clock-step",
];

#[test]
fn every_name_is_found_once() {
    let all = catalogue();
    let names: BTreeSet<&str> = all.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), all.len());
    for scenario in &all {
        assert_eq!(find(scenario.name).as_ref(), Some(scenario));
    }
    assert_eq!(find("no-such-scenario"), None);
}

#[test]
fn expectations_speak_in_known_codes_and_do_not_contradict_themselves() {
    for scenario in catalogue() {
        let expect = &scenario.expect;
        for code in expect.must.iter().chain(&expect.may).chain(&expect.never) {
            assert!(CODES.contains(code), "{}: {code} is no code", scenario.name);
        }
        let wanted = expect.must.iter().chain(&expect.may);
        for code in wanted {
            assert!(!expect.never.contains(code), "{}: {code} is wanted and forbidden", scenario.name);
        }
        assert!(!expect.exit.is_empty(), "{}: no exit status is right", scenario.name);
        assert_eq!(expect.problem, expect.exit == [1], "{}: a problem is status 1", scenario.name);
    }
}

/// What is said of captures and clocks, and not of connections.
const OF_CAPTURES: [&str; 4] = ["capture-loss", "not-captured", "clock-unaligned", "clock-step"];

#[test]
fn of_every_finding_it_is_said_which_connections_it_concerns() {
    for scenario in catalogue() {
        let expect = &scenario.expect;
        for (code, _) in &expect.truth {
            assert!(CODES.contains(code), "{}: {code} is no code", scenario.name);
        }
        for code in expect.must.iter().filter(|code| !OF_CAPTURES.contains(code)) {
            assert!(expect.truths(code).next().is_some(), "{}: which ones are {code}?", scenario.name);
        }
    }
}

#[test]
fn a_variant_is_the_same_situation_or_there_is_a_reason() {
    for scenario in catalogue() {
        for (ip, offloads) in [IpVersion::V4, IpVersion::V6]
            .into_iter()
            .flat_map(|ip| [Offloads::Off, Offloads::On].map(|offloads| (ip, offloads)))
        {
            match scenario.variant(ip, offloads) {
                None => assert!(scenario.unfit(ip, offloads).is_some(), "{}", scenario.name),
                Some(variant) => assert_eq!((variant.ip, variant.offloads), (ip, offloads)),
            }
        }
    }
}

#[test]
fn every_scenario_says_what_it_is_in_plain_sentences() {
    for scenario in catalogue() {
        assert!(scenario.title.len() < 90 && !scenario.title.ends_with('.'), "{}: title", scenario.name);
        assert!(scenario.says.ends_with('.') && scenario.says.len() > 40, "{}: description", scenario.name);
        assert!(!scenario.says.contains("  "), "{}: a line break left spaces", scenario.name);
    }
}
