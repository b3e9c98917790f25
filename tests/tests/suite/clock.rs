//! Clocks that are wrong by a known amount.

use super::catalogue::recorded;
use crate::support::binary::correlate;
use crate::support::expectation::analyze;
use crate::support::recording::Recording;
use crate::support::report::Report;
use crate::support::scratch::say;
use correlate_lab::ClockError;
use correlate_proto::Direction;
use correlate_tests::frames::{Key, read};
use correlate_tests::permits::Permit;
use std::collections::BTreeMap;

const SCENARIO: &str = "clock-37s-50ppm";

/// The estimate may be off by half the path's asymmetry, which no two captures can show, and so much, in ns.
const ALLOWED_NS: i64 = 20_000;
/// Over the seconds that the scenario lasts, in parts per billion: a fifth of what was injected.
const ALLOWED_SKEW_PPB: i64 = 10_000;

#[test]
fn the_bound_contains_the_truth_and_the_estimate_is_close_to_it() {
    let mut wrong = Vec::new();
    for seed in [1, 2, 3, 4, 5] {
        let Some(recording) = recorded(SCENARIO, seed) else { return };
        wrong.extend(complaints(&recording).into_iter().map(|line| format!("{seed}: {line}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn complaints(recording: &Recording) -> Vec<String> {
    let permit = Permit::take();
    let ran = correlate(analyze(recording.client(), recording.servers()));
    drop(permit);
    let report = Report::read(&ran).expect("a report");
    assert_eq!(
        (report.at("/clocks/0/from"), report.at("/clocks/0/to")),
        (&"client".into(), &"server".into())
    );
    let clock = |field: &str| report.at(&format!("/clocks/0/{field}")).as_i64().expect("a known clock");
    let (low, high) = (clock("bound_ns/0"), clock("bound_ns/1"));
    // The report tells the offset at the end of the session.
    let truth = offset_at(recording, last_packet_ns(recording));
    let (error, asymmetry) = (clock("offset_ns") - truth, asymmetry_ns(recording));
    let skew_error = clock("skew_ppb") - server_clock(recording).0.skew_ppb;
    say(&format!(
        "clock: error {error} ns, skew off by {skew_error} ppb, asymmetry {asymmetry} ns, bound {} ns wide",
        high - low
    ));
    let mut wrong = Vec::new();
    if !(low..=high).contains(&truth) {
        wrong.push(format!("the truth {truth} is not within {low} and {high}"));
    }
    if error.abs() > ALLOWED_NS + asymmetry.abs() / 2 {
        wrong.push(format!("off by {error} ns on a path whose directions differ by {asymmetry} ns"));
    }
    if skew_error.abs() > ALLOWED_SKEW_PPB {
        wrong.push(format!("the skew is off by {skew_error} ppb"));
    }
    wrong
}

fn server_clock(recording: &Recording) -> (ClockError, i64) {
    (recording.scenario.server_taps[0].clock, recording.outcome.taps[1].clock_origin_ns)
}

/// The server's clock less the client's, which is right, at a true instant.
fn offset_at(recording: &Recording, at_ns: i64) -> i64 {
    let (clock, origin_ns) = server_clock(recording);
    clock.shows(at_ns, origin_ns) - at_ns
}

/// The last packet of the client's capture: the end of the session by the reference clock.
fn last_packet_ns(recording: &Recording) -> i64 {
    read(recording.client()).iter().map(|packet| packet.at_ns).max().expect("packets")
}

/// Shortest delay from client to server less that from server to client, by stamps with the clock's error undone.
fn asymmetry_ns(recording: &Recording) -> i64 {
    let (clock, origin_ns) = server_clock(recording);
    let client = read(recording.client());
    let server = read(recording.servers().next().expect("a server's capture"));
    let sent: BTreeMap<&Key, i64> = client.iter().map(|packet| (&packet.key, packet.at_ns)).collect();
    let mut shortest = [i64::MAX; 2];
    for packet in &server {
        let Some(at_client) = sent.get(&packet.key) else { continue };
        // The clock gains so little that its error at the shown instant is that at the true one.
        let shown = packet.at_ns - clock.offset_ns;
        let at_server = packet.at_ns - (clock.shows(shown, origin_ns) - shown);
        let direction = packet.key.direction(recording.scenario.ip.client());
        let delay = match direction {
            Direction::ClientToServer => at_server - at_client,
            Direction::ServerToClient => at_client - at_server,
        };
        shortest[direction.index()] = shortest[direction.index()].min(delay);
    }
    shortest[0] - shortest[1]
}
