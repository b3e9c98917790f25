//! Loss counted per packet: what is said to be lost is exactly what the middlebox dropped.

use super::catalogue::recorded;
use crate::support::frames::{Key, Packet, read};
use crate::support::permits::{Permit, side_by_side};
use crate::support::recording::{Recording, SEEDS};
use crate::support::scratch::say;
use correlate_engine::fate::{Fate, FateRecord};
use correlate_lab::{Done, Protocol, Totals};
use correlate_proto::Direction;
use std::collections::BTreeMap;

const SCENARIOS: [&str; 8] = [
    "loss-1pct-one-way",
    "loss-3pct-both",
    "loss-with-reorder-dup",
    "loss-ipv6",
    "loss-bursty",
    "clean-reorder-dup",
    "clean-bulk",
    "clean-ipv6",
];

/// How often each packet was lost; packets that nobody can tell apart are one.
type Bag = BTreeMap<Key, i64>;

#[test]
fn the_lost_packets_are_exactly_the_dropped_ones() {
    let runs: Vec<(&str, u64)> =
        SCENARIOS.into_iter().flat_map(|name| SEEDS.map(|seed| (name, seed))).collect();
    let wrong = side_by_side(&runs, |(name, seed)| {
        let Some(recording) = recorded(name, *seed) else { return Vec::new() };
        let _permit = Permit::take();
        complaints(&recording).into_iter().map(|line| format!("{name} {seed}: {line}")).collect()
    });
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn complaints(recording: &Recording) -> Vec<String> {
    let server = recording.servers().next().expect("a server's capture");
    let analyzed = correlate_tests::files::analyze(recording.client(), server, false);
    let (report, fates) = analyzed.expect("the lab's captures are sound");
    let dropped = dropped(recording);
    let lost = lost(recording, &fates);
    let mut wrong = difference("dropped and not said to be lost", &dropped, &lost);
    wrong.extend(difference("said to be lost and not dropped", &lost, &dropped));
    for path in &report.paths {
        let truth = Totals::of(&recording.outcome.ledger, path.direction);
        let counted = (path.segments_sent, path.segments_lost);
        let due = (truth.sent, truth.lost);
        if (due.0.try_into(), due.1.try_into()) != (Ok(counted.0), Ok(counted.1)) {
            wrong.push(format!(
                "{:?}: sent and lost are {due:?}, the report says {counted:?}",
                path.direction
            ));
        }
    }
    let open = fates.iter().filter(|fate| matches!(fate.fate, Fate::Uncovered | Fate::Ambiguous)).count();
    let (name, drops) = (recording.scenario.name, dropped.values().sum::<i64>());
    say(&format!(
        "ledger: {name}: {drops} dropped, {} said to be lost, {open} left open",
        lost.values().sum::<i64>()
    ));
    if open > 0 && !wrong.is_empty() {
        let open = fates.iter().filter(|fate| matches!(fate.fate, Fate::Uncovered | Fate::Ambiguous));
        wrong.extend(open.take(5).map(|fate| format!("left open: {fate:?}")));
    }
    wrong
}

/// What the middlebox dropped.
fn dropped(recording: &Recording) -> Bag {
    let entries = recording.outcome.ledger.iter();
    let mut bag = Bag::new();
    for entry in entries.filter(|entry| entry.done == Done::Drop && entry.protocol == Protocol::Tcp) {
        *bag.entry(Key::of(entry)).or_default() += 1;
    }
    bag
}

/// What the engine says was lost, looked up in the sender's capture by its number there.
fn lost(recording: &Recording, fates: &[FateRecord]) -> Bag {
    let captures: Vec<Vec<Packet>> = recording.outcome.taps.iter().map(|tap| read(&tap.path)).collect();
    let mut bag = Bag::new();
    for fate in fates.iter().filter(|fate| fate.fate == Fate::Lost) {
        let sender = match fate.direction {
            Direction::ClientToServer => 0,
            Direction::ServerToClient => 1,
        };
        assert_eq!(usize::from(fate.point.0), sender, "what is lost was sent: {fate:?}");
        let capture = &captures[sender];
        let index = capture.binary_search_by_key(&fate.packet, |packet| packet.number);
        let packet = &capture[index.unwrap_or_else(|_| panic!("{fate:?} is no TCP packet"))];
        assert_eq!(packet.key.direction(recording.scenario.ip.client()), fate.direction, "{fate:?}");
        *bag.entry(packet.key.clone()).or_default() += 1;
    }
    bag
}

fn difference(what: &str, of: &Bag, to: &Bag) -> Vec<String> {
    let more = of.iter().filter(|(key, count)| to.get(key).copied().unwrap_or(0) < **count);
    let more: Vec<&Key> = more.map(|(key, _)| key).collect();
    let shown = more.iter().take(3).map(|key| format!("{key:?}"));
    let shown: Vec<String> = shown.collect();
    if more.is_empty() { Vec::new() } else { vec![format!("{} {what}: {}", more.len(), shown.join("; "))] }
}
