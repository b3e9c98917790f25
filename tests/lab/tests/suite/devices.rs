//! Devices do what they are said to do, by the ledger.

use crate::agreement::assert_ledger_agrees;
use crate::run::run;
use correlate_lab::{Done, Entry, IpVersion, Leg, Offloads, Outcome, Scenario, Totals, find};
use correlate_proto::{Direction, TcpFlags};
use std::collections::BTreeSet;

/// Runs a scenario that must go well for its applications.
fn healthy(scenario: &Scenario) -> Option<Outcome> {
    let outcome = run(scenario, 31)?;
    assert_ledger_agrees(scenario, &outcome);
    let failed = outcome.traffic.clients.iter().find(|client| client.error.is_some());
    assert_eq!(failed, None, "{}", scenario.name);
    Some(outcome)
}

fn of(outcome: &Outcome, direction: Direction) -> impl Iterator<Item = &Entry> {
    outcome.ledger.iter().filter(move |entry| entry.direction == direction)
}

#[test]
fn what_is_cut_and_joined_on_the_way_arrives_complete() {
    let counts = |outcome: &Outcome, holds: fn(&Entry) -> bool| {
        outcome.ledger.iter().filter(|entry| holds(entry)).count()
    };
    let Some(cut) = healthy(&find("clean-resegment").unwrap()) else { return };
    assert!(counts(&cut, |entry| entry.done == Done::Piece) > 1_000);
    let Some(joined) = healthy(&find("clean-coalesce").unwrap()) else { return };
    assert!(counts(&joined, |entry| entry.done == Done::Absorb) > 200);
    assert!(counts(&joined, |entry| entry.payload_len_left > entry.payload_len) > 100);
    let Some(fragmented) = healthy(&find("clean-fragments").unwrap()) else { return };
    assert!(counts(&fragmented, |entry| entry.fragments == 2) > 500);
}

#[test]
fn a_policer_passes_its_rate_and_its_burst_and_no_more() {
    let Some(outcome) = healthy(&find("loss-policer").unwrap()) else { return };
    let (rate, burst) = (2_000, 100_000);
    let policed: Vec<(i64, i64, bool)> = of(&outcome, Direction::ServerToClient)
        .map(|entry| (entry.at_in_ns, i64::try_from(entry.ip_len).unwrap(), entry.done == Done::Drop))
        .collect();
    // The bucket as a sum from the start: what may have passed by now.
    let (mut level, mut last_ns) = (burst * 1_000_000, policed[0].0);
    for (at_ns, octets, dropped) in policed {
        level = (level + (at_ns - last_ns) * rate).min(burst * 1_000_000);
        last_ns = at_ns;
        assert_eq!(dropped, octets * 1_000_000 > level, "{octets} octets with {level}");
        level -= if dropped { 0 } else { octets * 1_000_000 };
    }
    assert!(Totals::of(&outcome.ledger, Direction::ServerToClient).lost > 100);
    assert_eq!(Totals::of(&outcome.ledger, Direction::ClientToServer).lost, 0);
}

#[test]
fn a_full_queue_drops_and_a_filling_one_delays() {
    let Some(outcome) = healthy(&find("loss-tail-drop").unwrap()) else { return };
    // 10 ms of path, and 100 kB at 2 kB in a ms.
    let (path_ns, full_ns) = (10_000_000, 50_000_000);
    let mut longest_ns = 0;
    let mut before_ns = 0;
    for entry in of(&outcome, Direction::ServerToClient) {
        if entry.done == Done::Drop {
            assert!(before_ns > path_ns + full_ns - 2_000_000, "dropped behind a wait of {before_ns} ns");
        } else {
            before_ns = entry.delay_ns;
            longest_ns = longest_ns.max(before_ns);
        }
    }
    assert!((path_ns + full_ns - 2_000_000..=path_ns + full_ns).contains(&longest_ns), "{longest_ns}");
    assert!(Totals::of(&outcome.ledger, Direction::ServerToClient).lost > 20);
}

#[test]
fn only_the_window_update_is_lost_and_the_sender_has_to_ask() {
    let Some(outcome) = healthy(&find("window-update-lost").unwrap()) else { return };
    let drops: Vec<&Entry> = outcome.ledger.iter().filter(|entry| entry.done == Done::Drop).collect();
    assert!(!drops.is_empty());
    let first = drops[0];
    assert!(drops.iter().all(|drop| drop.payload_len == 0 && drop.ack == first.ack));
    let asks = of(&outcome, Direction::ClientToServer).find(|entry| entry.at_in_ns > first.at_in_ns).unwrap();
    assert!(asks.at_in_ns - first.at_in_ns > 100_000_000 && asks.payload_len == 0);
}

#[test]
fn a_syn_proxy_greets_first_and_calls_the_server_only_for_who_answers() {
    for ip in [IpVersion::V4, IpVersion::V6] {
        let scenario = find("syn-proxy").unwrap().variant(ip, Offloads::Off).unwrap();
        let Some(outcome) = healthy(&scenario) else { return };
        for connection in outcome.connections() {
            let story: Vec<(Direction, u16, Done)> = outcome
                .ledger
                .iter()
                .filter(|entry| entry.connection == connection)
                .map(|entry| (entry.direction, entry.flags.0, entry.done))
                .take(7)
                .collect();
            let (up, down) = (Direction::ClientToServer, Direction::ServerToClient);
            let (syn, ack) = (TcpFlags::SYN.0, TcpFlags::ACK.0);
            let due = [
                (up, syn, Done::Absorb),
                (down, syn | ack, Done::Inject),
                (up, ack, Done::Absorb),
                (up, syn, Done::Inject),
                (down, syn | ack, Done::Absorb),
                (up, ack, Done::Inject),
                (down, ack, Done::Inject),
            ];
            assert_eq!(story, due, "{connection:?}");
        }
    }
}

#[test]
fn a_relay_ends_connections_and_makes_its_own() {
    for name in ["proxied", "proxied-transparent"] {
        let Some(outcome) = healthy(&find(name).unwrap()) else { return };
        let opened = |leg: Leg| -> BTreeSet<_> {
            let syns = outcome.ledger.iter().filter(|entry| entry.leg == leg && entry.flags.is_syn());
            syns.map(|entry| (entry.connection, entry.seq)).collect()
        };
        let (near, far) = (opened(Leg::Near), opened(Leg::Far));
        assert_eq!((near.len(), far.len()), (5, 5), "{name}");
        assert!(near.is_disjoint(&far), "{name}: an initial sequence number on both sides");
        let tuples = |all: &BTreeSet<(_, u32)>| all.iter().map(|(tuple, _)| *tuple).collect::<BTreeSet<_>>();
        assert_eq!(tuples(&near) == tuples(&far), name == "proxied-transparent", "{name}");
        assert_eq!(outcome.connections(), tuples(&near), "{name}: the client knows nothing of the others");
    }
}

#[test]
fn loss_is_as_frequent_in_super_packets_as_on_a_wire() {
    let scenario = find("loss-1pct-one-way").unwrap().variant(IpVersion::V4, Offloads::On).unwrap();
    let Some(outcome) = healthy(&scenario) else { return };
    let down = Totals::of(&outcome.ledger, Direction::ServerToClient);
    assert!(down.sent > 5_000 && (down.sent / 80..=down.sent / 80 + 1).contains(&down.lost), "{down:?}");
    let drops = outcome.ledger.iter().filter(|entry| entry.done == Done::Drop);
    assert!(drops.clone().all(|entry| entry.wire_segments == 1), "only single segments are lost");
    let whole = outcome.ledger.iter().filter(|entry| entry.wire_segments > 1 && entry.done != Done::Drop);
    assert!(whole.count() > 200, "what is left of super-packets goes on as such");
}
