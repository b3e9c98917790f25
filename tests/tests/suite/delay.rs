//! Think times and queueing against what the middlebox wrote down: when each packet came, and when it left.

use super::catalogue::recorded;
use crate::support::binary::correlate;
use crate::support::expectation::analyze;
use crate::support::recording::Recording;
use crate::support::report::Report;
use crate::support::scratch::say;
use correlate_lab::{Done, Entry, Protocol};
use correlate_proto::Direction;
use correlate_tests::frames::{Key, read};
use correlate_tests::permits::Permit;
use serde_json::Value;
use std::collections::BTreeMap;

/// The taps stand beside the middlebox, and this is what the links between take at most, in ns.
const THINK_NS: i64 = 1_000_000;

/// Queueing may be off by so much from what the taps show, as few packets tell how fast the clocks drift apart, and above
/// the ledger, of which the shortest stay may be late as well.
const BY_TAPS_NS: i64 = 200_000;
const BY_LEDGER_NS: i64 = 1_000_000;

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
            let asked =
                data(Direction::ClientToServer).max_by_key(|entry| entry.at_in_ns).expect("a request");
            let answered = data(Direction::ServerToClient).map(|entry| entry.at_in_ns).min();
            let answered = answered.expect("an answer");
            // It left when it was due or later, and no later than was written down.
            let left = (asked.at_in_ns + asked.delay_ns.cast_signed(), asked.at_out_ns.expect("it passed"));
            errors.push((answered - left.1 - think).max(think - (answered - left.0)).max(0));
        }
        say(&format!("delay: think times of slow-server {seed} are off by {errors:?} ns"));
        assert_eq!(errors.len(), 4);
        assert!(errors.iter().all(|&error| error < THINK_NS), "{seed}: {errors:?}");
    }
}

/// The ledger's stamp of a packet's leaving is read after it has left, and on a busy machine much later: no median may
/// lie above the ledger's, but it may lie below. The taps are stamped by the kernel and share one clock: against what
/// they show both figures are held, both ways.
#[test]
fn queueing_is_what_the_middlebox_held_packets_back() {
    for (name, seed) in [("slow-server", 1), ("clean-lan", 1), ("clean-server-first", 2)] {
        let Some(recording) = recorded(name, seed) else { return };
        let report = report(&recording);
        let (ledger, taps) = (by_ledger(&recording), by_taps(&recording));
        let mut worst = [0; 2];
        for connection in report.at("/connections").as_array().expect("connections") {
            for (direction, field) in
                Direction::BOTH.into_iter().zip(["client_to_server", "server_to_client"])
            {
                let found =
                    |figure: &str| number(connection, &format!("/directions/{field}/queueing_ns/{figure}"));
                let place = (number(connection, "/client/port"), direction);
                let (held, seen) = (&ledger[&place], &taps[&place]);
                if seen.len() > ALL_KEPT {
                    continue;
                }
                worst[0] = worst[0].max(found("p50") - rank(held, 50));
                for (percent, figure) in [(50, "p50"), (99, "p99")] {
                    worst[1] = worst[1].max((found(figure) - rank(seen, percent)).abs());
                }
            }
        }
        say(&format!("delay: queueing of {name} is at most {worst:?} ns above the ledger and off the taps"));
        assert!(worst[0] < BY_LEDGER_NS && worst[1] < BY_TAPS_NS, "{name}: {worst:?}");
    }
}

/// How long packets were held back beyond the shortest of their direction, by the client's port and direction, in order.
type Waits = BTreeMap<(i64, Direction), Vec<i64>>;

fn by_ledger(recording: &Recording) -> Waits {
    let held = recording.outcome.ledger.iter().filter_map(|entry| {
        let client = match entry.direction {
            Direction::ClientToServer => entry.came.src,
            Direction::ServerToClient => entry.left.dst,
        };
        Some(((i64::from(client.port), entry.direction), held(entry)?))
    });
    above_shortest(held)
}

fn by_taps(recording: &Recording) -> Waits {
    let server = read(recording.servers().next().expect("a server's capture"));
    let at_server: BTreeMap<&Key, i64> = server.iter().map(|packet| (&packet.key, packet.at_ns)).collect();
    let client = read(recording.client());
    let between = client.iter().filter_map(|packet| {
        let later = at_server.get(&packet.key)? - packet.at_ns;
        Some(match packet.key.direction(recording.scenario.ip.client()) {
            Direction::ClientToServer => ((i64::from(packet.key.src.1), Direction::ClientToServer), later),
            Direction::ServerToClient => ((i64::from(packet.key.dst.1), Direction::ServerToClient), -later),
        })
    });
    above_shortest(between)
}

fn above_shortest(delays: impl Iterator<Item = ((i64, Direction), i64)>) -> Waits {
    let mut waits = Waits::new();
    for (place, delay) in delays {
        waits.entry(place).or_default().push(delay);
    }
    for direction in Direction::BOTH {
        let own = || waits.iter().filter(|((_, other), _)| *other == direction);
        let shortest = own().flat_map(|(_, delays)| delays).min().copied().unwrap_or(0);
        for (_, delays) in waits.iter_mut().filter(|((_, other), _)| *other == direction) {
            for delay in delays.iter_mut() {
                *delay -= shortest;
            }
            delays.sort_unstable();
        }
    }
    waits
}

fn rank(sorted: &[i64], percent: usize) -> i64 {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
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
