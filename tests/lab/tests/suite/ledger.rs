//! The ledger is the truth: held against what independent taps saw.

use crate::agreement::assert_ledger_agrees;
use crate::capture::{checksums_hold, packets};
use crate::run::run;
use correlate_lab::{Done, Outcome, Totals, find};
use correlate_proto::Direction;

fn agrees(name: &str) -> Option<Outcome> {
    let scenario = find(name).expect("a scenario");
    let outcome = run(&scenario, 11)?;
    assert_ledger_agrees(&scenario, &outcome);
    Some(outcome)
}

fn count(outcome: &Outcome, done: Done) -> usize {
    outcome.ledger.iter().filter(|entry| entry.done == done).count()
}

#[test]
fn every_frame_of_a_clean_run_is_in_the_ledger_and_in_both_taps() {
    for name in ["clean-many", "clean-bulk", "clean-ipv6", "clean-lan"] {
        let Some(outcome) = agrees(name) else { return };
        assert_eq!(count(&outcome, Done::Drop), 0, "{name}");
        assert!(outcome.traffic.clients.iter().all(|client| client.error.is_none()), "{name}");
    }
}

#[test]
fn what_a_rule_drops_is_missing_at_the_receiver_and_nothing_else() {
    for name in ["loss-3pct-both", "syn-ack-lost", "path-mtu-blackhole"] {
        let Some(outcome) = agrees(name) else { return };
        assert!(count(&outcome, Done::Drop) > 0, "{name}");
        let unsent = outcome.ledger.iter().filter(|entry| entry.at_out_ns.is_none());
        assert!(unsent.clone().all(|entry| entry.done == Done::Drop && !entry.rule.is_empty()), "{name}");
    }
}

#[test]
fn copies_held_and_forged_packets_arrive_as_the_ledger_says() {
    let Some(outcome) = agrees("clean-reorder-dup") else { return };
    assert!(count(&outcome, Done::Duplicate) > 10 && count(&outcome, Done::Hold) > 10);
    for name in ["rst-injected", "refused-in-path", "idle-expiry-rst"] {
        let Some(outcome) = agrees(name) else { return };
        assert!(count(&outcome, Done::Inject) > 0, "{name}");
    }
}

#[test]
fn translated_connections_work_and_both_tuples_are_in_the_ledger() {
    for name in ["clean-nat", "two-backends"] {
        let Some(outcome) = agrees(name) else { return };
        assert!(outcome.ledger.iter().all(|entry| entry.came != entry.left), "{name}");
        assert!(outcome.traffic.clients.iter().all(|client| client.received == 9_000), "{name}");
    }
}

#[test]
fn edited_and_forged_packets_have_right_checksums() {
    let edited = ["clean-nat", "sequence-rewritten", "mss-clamped", "payload-altered", "ecn-bleached"]
        .into_iter()
        .chain(["clean-timestamps-shifted", "clean-resegment", "clean-coalesce", "clean-fragments"]);
    let forged = ["rst-injected-ttl", "refused-in-path-icmp", "path-mtu-discovery", "syn-proxy"];
    for name in edited.chain(forged) {
        let Some(outcome) = run(&find(name).unwrap(), 12) else { return };
        for tap in &outcome.taps {
            for (number, record) in packets(&tap.path).iter().enumerate() {
                assert!(
                    checksums_hold(&record.frame),
                    "{name}: {}, packet {}",
                    tap.path.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn super_packets_cross_whole() {
    let Some(outcome) = agrees("clean-bulk-offload") else { return };
    let supers = outcome.ledger.iter().filter(|entry| entry.wire_segments > 1).count();
    assert!(supers > 100, "only {supers} super-packets");
    for client in &outcome.traffic.clients {
        assert_eq!((client.sent, client.received, &client.error), (3_000_000, 3_000_000, &None));
    }
}

#[test]
fn the_path_delays_as_planned_and_never_less() {
    let Some(outcome) = agrees("clean-one") else { return };
    for direction in Direction::BOTH {
        let stays = outcome
            .ledger
            .iter()
            .filter(|entry| entry.direction == direction)
            .map(|entry| entry.at_out_ns.unwrap() - entry.at_in_ns);
        assert!(stays.clone().all(|stay| stay >= 5_000_000));
        assert!(stays.min().unwrap() < 7_000_000, "the shortest stay is far from the planned 5 ms");
    }
}

#[test]
fn losses_come_at_the_planned_rate_and_in_the_planned_direction() {
    let Some(outcome) = agrees("loss-1pct-one-way") else { return };
    let up = Totals::of(&outcome.ledger, Direction::ClientToServer);
    let down = Totals::of(&outcome.ledger, Direction::ServerToClient);
    assert_eq!((up.lost, up.injected, down.duplicated), (0, 0, 0));
    // One in each block of 80; the last block is not full.
    assert!(down.sent > 5_000 && (down.sent / 80..=down.sent / 80 + 1).contains(&down.lost), "{down:?}");
}
