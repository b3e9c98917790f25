//! Clocks that are wrong by a known amount.

use super::catalogue::recorded;
use crate::support::binary::correlate;
use crate::support::expectation::analyze;
use crate::support::frames::{Key, read};
use crate::support::permits::Permit;
use crate::support::recording::Recording;
use crate::support::report::Report;
use crate::support::scratch::say;
use correlate_lab::ClockError;
use correlate_proto::Direction;
use std::collections::BTreeMap;

const SCENARIO: &str = "clock-37s-50ppm";

/// The estimate may be off by half the path's asymmetry, which no two captures can show, and so much, in ns.
const ALLOWED_NS: i64 = 20_000;

#[test]
fn the_bound_contains_the_truth_and_the_estimate_is_close_to_it() {
    for seed in [1, 2, 3, 4, 5] {
        let Some(recording) = recorded(SCENARIO, seed) else { return };
        let permit = Permit::take();
        let ran = correlate(analyze(recording.client(), recording.servers()));
        drop(permit);
        let report = Report::read(&ran).expect("a report");
        let clock = |field: &str| report.at(&format!("/clocks/0/{field}")).as_i64().expect("a known clock");
        assert_eq!(report.at("/clocks/0/from"), "client");
        let (low, high) = (clock("bound_ns/0"), clock("bound_ns/1"));
        let truth = offset_at(&recording, last_packet_ns(&recording));
        assert!((low..=high).contains(&truth), "seed {seed}: {truth} is not within {low} and {high}");
        let error = clock("offset_ns") - truth;
        let asymmetry = asymmetry_ns(&recording);
        say(&format!(
            "clock {seed}: error {error} ns, asymmetry {asymmetry} ns, bound {} ns wide",
            high - low
        ));
        assert!(
            error.abs() <= ALLOWED_NS + asymmetry.abs() / 2,
            "seed {seed}: off by {error} ns on a path whose directions differ by {asymmetry} ns"
        );
        let skew = clock("skew_ppb");
        assert!((skew - 50_000).abs() <= 20_000, "seed {seed}: skew {skew} ppb");
    }
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
