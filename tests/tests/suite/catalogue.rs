//! Every scenario of the lab's catalogue in three ways: live, again from the recording, and from captures that others made
//! of the same packets. `CORRELATE_SEEDS=3` plays each with the first three seeds in place of one.

use crate::support::binary::correlate;
use crate::support::expectation::{Expectation, analyze};
use crate::support::recording::{Recording, recording};
use crate::support::report::Report;
use crate::support::scratch::say;
use correlate_lab::{Scenario, TapPlan, catalogue};
use correlate_tests::permits::{Permit, side_by_side};
use correlate_tests::process::Ran;
use std::collections::BTreeSet;
use std::time::Duration;

/// What is wrong with the answers about one run, and how long it took.
#[derive(Debug, Default)]
struct Outcome {
    wrong: Vec<String>,
    took: Duration,
}

#[test]
fn every_scenario_is_told_rightly_live_replayed_and_from_captures() {
    let only = std::env::var("CORRELATE_SCENARIO").ok();
    let seeds = std::env::var("CORRELATE_SEEDS").map_or(1, |seeds| seeds.parse().expect("a number of seeds"));
    let scenarios = catalogue();
    let chosen = scenarios.iter().filter(|scenario| only.as_ref().is_none_or(|only| scenario.name == only));
    let runs: Vec<(&Scenario, u64)> =
        chosen.flat_map(|scenario| (1..=seeds).map(move |seed| (scenario, seed))).collect();
    let outcomes = side_by_side(&runs, |(scenario, seed)| judge(scenario, *seed));
    let mut wrong = Vec::new();
    let mut took = Duration::ZERO;
    for ((scenario, seed), outcome) in runs.iter().zip(outcomes) {
        took += outcome.took;
        wrong.extend(outcome.wrong.into_iter().map(|line| format!("{} {seed}, {line}", scenario.name)));
    }
    say(&format!("catalogue: {} runs, {:.0} s of them all together", runs.len(), took.as_secs_f64()));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn judge(scenario: &Scenario, seed: u64) -> Outcome {
    let Some(recording) = recording(scenario, seed) else { return Outcome::default() };
    let permit = Permit::take();
    let captures = correlate(analyze(recording.client(), recording.servers()));
    let saved = recording.saved.to_str().expect("paths of the tests are text");
    let replayed = correlate(["show", saved, "--format", "json"]);
    drop(permit);
    let expectation = Expectation::of(scenario);
    // What only the lab's taps make, a step of their clock, no other capture shows.
    let steps = scenario.server_taps.iter().any(|tap| !tap.clock.steps.is_empty());
    let live = Expectation {
        must: if steps { Vec::new() } else { expectation.must.clone() },
        ..expectation.clone()
    };
    let mut wrong = Vec::new();
    for (way, ran, expectation) in [("captures", &captures, &expectation), ("live", &recording.live, &live)] {
        wrong.extend(expectation.complaints(ran).into_iter().map(|complaint| format!("{way}: {complaint}")));
    }
    wrong.extend(causes(scenario, &captures));
    if (replayed.status, &replayed.stdout) != (recording.live.status, &recording.live.stdout) {
        wrong.push(differs(&recording.live, &replayed));
    }
    if is_captured_whole(scenario) {
        wrong.extend(unlike(&recording.live, &captures));
    }
    Outcome { wrong, took: recording.took + captures.took + replayed.took }
}

/// Whether the lab's taps have no defect and no clock that only they have, so that both kinds of capture show the same.
fn is_captured_whole(scenario: &Scenario) -> bool {
    let whole = |tap: &TapPlan| {
        *tap == TapPlan {
            snaplen: tap.snaplen,
            interface: tap.interface,
            clock: tap.clock,
            ..TapPlan::default()
        } && tap.clock.steps.is_empty()
    };
    whole(&scenario.client_tap) && scenario.server_taps.iter().all(whole)
}

/// What a live capture's report would say had nobody read the hosts' counters, which captures do not have.
fn without_counters(live: &Report) -> BTreeSet<(&str, &str)> {
    let blind = |(code, place)| (if code == "accept-queue-full" { "syn-unanswered" } else { code }, place);
    live.shared_accusations().into_iter().map(blind).collect()
}

/// What the report says of why packets are lost, if that is not the scenario's cause. An outage has a finding of its own.
fn causes(scenario: &Scenario, captures: &Ran) -> Option<String> {
    let due = scenario.expect.cause.filter(|cause| *cause != "outage")?;
    let report = Report::read(captures).ok()?;
    let findings = report.at("/findings").as_array()?;
    let losses = findings.iter().filter(|found| found["code"] == "packet-loss");
    let told: Vec<&str> = losses.filter_map(|found| found.pointer("/details/cause")?.as_str()).collect();
    // Of few losses nobody can say whether they are random.
    let fits = |told: &&str| *told == due || (due, *told) == ("random", "unknown");
    (!told.is_empty() && !told.iter().any(fits))
        .then(|| format!("captures: the cause is {due}, and it says {told:?}"))
}

fn unlike(live: &Ran, captures: &Ran) -> Option<String> {
    let (live, captures) = (Report::read(live).ok()?, Report::read(captures).ok()?);
    let (live, captures) = (without_counters(&live), captures.shared_accusations());
    (live != captures).then(|| format!("live {live:?}, captures {captures:?}"))
}

/// Where a replayed report leaves the live one.
fn differs(live: &Ran, replayed: &Ran) -> String {
    let (one, other) = (live.text(), replayed.text());
    let place = one.lines().zip(other.lines()).position(|(one, other)| one != other);
    let at = |text: &str| place.and_then(|place| text.lines().nth(place)).unwrap_or("").trim().to_owned();
    format!(
        "replayed: status {:?} and {:?}; line {place:?}: live {}, replayed {}; it said: {}",
        live.status,
        replayed.status,
        at(&one),
        at(&other),
        replayed.stderr
    )
}

#[test]
fn the_clean_scenarios_are_many_and_expect_nothing_wrong() {
    let clean = catalogue().into_iter().filter(|scenario| scenario.name.starts_with("clean-"));
    let clean: Vec<Scenario> = clean.collect();
    assert!(clean.len() >= 8, "only {}", clean.len());
    for scenario in &clean {
        let allowed = [&scenario.expect.must, &scenario.expect.may].into_iter().flatten();
        for code in allowed {
            let harmless = ["address-translated", "spurious-retransmission", "reordering", "duplication"];
            assert!(harmless.contains(code), "{}: {code} is no part of clean traffic", scenario.name);
        }
    }
}

/// A recording is of use to the tests below only with its ledger.
pub(super) fn recorded(name: &str, seed: u64) -> Option<std::sync::Arc<Recording>> {
    recording(&correlate_lab::find(name).expect("a scenario of the catalogue"), seed)
}
