//! Loss counted per packet: what is said to be lost is exactly what the middlebox dropped.

use super::catalogue::recorded;
use crate::support::recording::{Recording, SEEDS};
use crate::support::scratch::say;
use correlate_engine::fate::{Fate, FateRecord};
use correlate_lab::{Done, Protocol, Totals};
use correlate_proto::Direction;
use correlate_proto::report::PathReport;
use correlate_tests::frames::{Key, Packet, read};
use correlate_tests::permits::{Permit, side_by_side};
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

/// How near the end of the captures a drop may be left open, in ns, and how many may.
const EDGE_NS: i64 = 1_000_000_000;
const MOST_AT_EDGE: usize = 5;

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
    let dropped = dropped(recording);
    let mut wrong = Vec::new();
    for vouched in [true, false] {
        let server = recording.servers().next().expect("a server's capture");
        let analyzed = correlate_tests::files::analyze(recording.client(), server, vouched);
        let (report, fates) = analyzed.expect("the lab's captures are sound");
        let lost = seen(recording, &fates, Fate::Lost);
        wrong.extend(difference("said to be lost and not dropped", &lost, &dropped));
        if vouched {
            wrong.extend(difference("dropped and not said to be lost", &dropped, &lost));
            wrong.extend(report.paths.iter().filter_map(|path| miscounted(recording, path)));
        } else {
            wrong.extend(unproven(recording, &fates, &dropped, &lost));
        }
    }
    wrong
}

/// A path of the report whose counts are not the ledger's.
fn miscounted(recording: &Recording, path: &PathReport) -> Option<String> {
    let Totals { sent, lost, .. } = Totals::of(&recording.outcome.ledger, path.direction);
    let counted = [path.segments_sent, path.segments_lost].map(usize::try_from);
    let due = [sent, lost];
    (counted != due.map(Ok))
        .then(|| format!("{:?}: sent and lost are {due:?}, not {counted:?}", path.direction))
}

/// Where nobody vouches for the captures the last drops are not proven: nothing shows that the receiver's capture
/// still ran. They must be said to be uncovered, lie at the end, and be few.
fn unproven(recording: &Recording, fates: &[FateRecord], dropped: &Bag, lost: &Bag) -> Vec<String> {
    let uncovered = seen(recording, fates, Fate::Uncovered);
    let open = dropped.iter().filter(|(key, count)| lost.get(key).copied().unwrap_or(0) < **count);
    let open: Vec<&Key> = open.map(|(key, _)| key).collect();
    let last_ns = recording.outcome.ledger.iter().map(|entry| entry.at_in_ns).max().unwrap_or(0);
    let at_end = |key: &Key| {
        let entries = recording.outcome.ledger.iter().filter(|entry| entry.done == Done::Drop);
        entries.filter(|entry| Key::of(entry) == *key).any(|entry| entry.at_in_ns > last_ns - EDGE_NS)
    };
    let (name, drops) = (recording.scenario.name, dropped.values().sum::<i64>());
    say(&format!("ledger: {name}: {drops} dropped, {} of them too near the end to be proven", open.len()));
    let mut wrong: Vec<String> = open
        .iter()
        .filter(|key| !uncovered.contains_key(key) || !at_end(key))
        .map(|key| format!("not vouched for: dropped and not said to be lost: {key:?}"))
        .collect();
    if open.len() > MOST_AT_EDGE {
        wrong.push(format!("not vouched for: {} drops are left open", open.len()));
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

/// What the engine says came to that end, looked up in the sender's capture by its number there.
fn seen(recording: &Recording, fates: &[FateRecord], end: Fate) -> Bag {
    let captures: Vec<Vec<Packet>> = recording.outcome.taps.iter().map(|tap| read(&tap.path)).collect();
    let mut bag = Bag::new();
    for fate in fates.iter().filter(|fate| fate.fate == end) {
        let sender = match fate.direction {
            Direction::ClientToServer => 0,
            Direction::ServerToClient => 1,
        };
        if usize::from(fate.point.0) != sender {
            assert_ne!(end, Fate::Lost, "what is lost was sent: {fate:?}");
            continue;
        }
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
