//! Think times and queueing against what the middlebox wrote down: when each packet came, and when it left.

use super::catalogue::recorded;
use crate::support::binary::correlate;
use crate::support::expectation::analyze;
use crate::support::permits::Permit;
use crate::support::recording::Recording;
use crate::support::report::Report;
use crate::support::scratch::say;
use correlate_lab::{Done, Entry, Protocol};
use correlate_proto::Direction;
use serde_json::Value;

/// The taps stand beside the middlebox, and this is what the links between take, in ns.
const THINK_NS: i64 = 1_000_000;
const QUEUEING_NS: i64 = 100_000;

/// Of so many packets of a direction all are in the sample that the figures are of.
const ALL_KEPT: usize = 60;

#[test]
fn think_times_are_those_of_the_ledger() {
    for seed in [1, 2, 3] {
        let Some(recording) = recorded("slow-server", seed) else { return };
        let report = report(&recording);
        let mut errors = Vec::new();
        for (connection, entries) in connections(&report, &recording) {
            let think = number(connection, "/exchanges/slowest/time/server/think_ns");
            let data = |direction| {
                entries.iter().filter(move |entry| entry.direction == direction && entry.payload_len > 0)
            };
            let asked = data(Direction::ClientToServer).filter_map(|entry| entry.at_out_ns).max();
            let answered = data(Direction::ServerToClient).map(|entry| entry.at_in_ns).min();
            let truth = answered.expect("an answer") - asked.expect("a request");
            errors.push((think - truth).abs());
        }
        say(&format!("delay: think times of slow-server {seed} are off by {errors:?} ns"));
        assert_eq!(errors.len(), 4);
        assert!(errors.iter().all(|&error| error < THINK_NS), "{seed}: {errors:?}");
    }
}

#[test]
fn queueing_is_what_the_middlebox_held_packets_back() {
    for (name, seed) in [("slow-server", 1), ("clean-lan", 1), ("clean-server-first", 2)] {
        let Some(recording) = recorded(name, seed) else { return };
        let report = report(&recording);
        let floor = Direction::BOTH.map(|direction| {
            let all = recording.outcome.ledger.iter().filter(|entry| entry.direction == direction);
            all.filter_map(held).min().expect("packets")
        });
        let mut worst = 0;
        for (connection, entries) in connections(&report, &recording) {
            for (direction, field) in
                Direction::BOTH.into_iter().zip(["client_to_server", "server_to_client"])
            {
                let own = entries.iter().filter(|entry| entry.direction == direction);
                let mut waits: Vec<i64> =
                    own.filter_map(|entry| Some(held(entry)? - floor[direction.index()])).collect();
                if waits.len() > ALL_KEPT {
                    continue;
                }
                waits.sort_unstable();
                for (percent, figure) in [(50, "p50"), (99, "p99")] {
                    let truth = waits[(waits.len() * percent).div_ceil(100) - 1];
                    let found = number(connection, &format!("/directions/{field}/queueing_ns/{figure}"));
                    worst = worst.max((found - truth).abs());
                }
            }
        }
        say(&format!("delay: queueing of {name} is off by at most {worst} ns"));
        assert!(worst < QUEUEING_NS, "{name}: {worst}");
    }
}

#[test]
fn the_parts_of_every_exchange_are_its_whole() {
    for name in ["slow-server", "clean-lan", "clean-keepalive-idle", "loss-3pct-both", "zero-window"] {
        let Some(recording) = recorded(name, 1) else { return };
        let report = report(&recording);
        for (connection, _) in connections(&report, &recording) {
            for time in ["/exchanges/total", "/exchanges/slowest/time"] {
                let Some(time) = connection.pointer(time) else { continue };
                let whole = number(time, "/whole_ns");
                assert_eq!(sum_of_parts(time), whole, "{name}: {time:#}");
            }
        }
    }
}

fn sum_of_parts(time: &Value) -> i64 {
    let hosts = ["/client/think_ns", "/client/pause_ns", "/server/think_ns", "/server/pause_ns"];
    let mut sum: i64 = hosts.iter().map(|field| number(time, field)).sum();
    sum += number(time, "/network/propagation_ns");
    for way in ["client_to_server", "server_to_client"] {
        for part in ["queueing_ns", "recovery_ns", "window_ns", "sending_ns"] {
            sum += number(time, &format!("/network/{way}/{part}"));
        }
    }
    sum
}

fn report(recording: &Recording) -> Report {
    let _permit = Permit::take();
    Report::read(&correlate(analyze(recording.client(), recording.servers()))).expect("a report")
}

/// The report's connections, each with its packets in the ledger.
fn connections<'a>(report: &'a Report, recording: &'a Recording) -> Vec<(&'a Value, Vec<&'a Entry>)> {
    let all = report.at("/connections").as_array().expect("connections");
    let of = |connection: &Value| {
        let port = number(connection, "/client/port");
        let is_own = |entry: &&Entry| {
            let client = match entry.direction {
                Direction::ClientToServer => entry.came.src,
                Direction::ServerToClient => entry.left.dst,
            };
            entry.protocol == Protocol::Tcp && i64::from(client.port) == port
        };
        recording.outcome.ledger.iter().filter(is_own).collect()
    };
    all.iter().map(|connection| (connection, of(connection))).collect()
}

/// How long a packet that both ends saw once was in the middlebox.
fn held(entry: &Entry) -> Option<i64> {
    let passed = matches!(entry.done, Done::Forward | Done::Rewrite | Done::Hold);
    Some(entry.at_out_ns.filter(|_| passed && entry.protocol == Protocol::Tcp)? - entry.at_in_ns)
}

fn number(value: &Value, pointer: &str) -> i64 {
    let found = value.pointer(pointer).and_then(Value::as_i64);
    found.unwrap_or_else(|| panic!("no number {pointer} in {value:#}"))
}
