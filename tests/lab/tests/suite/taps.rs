//! Taps record with exactly the defects that are asked for.

use crate::agreement::{key_as_it_came, key_of_frame};
use crate::capture::read_pcap;
use crate::run::run;
use correlate_lab::find;
use correlate_proto::Direction;
use std::collections::BTreeMap;

#[test]
fn what_a_tap_leaves_out_is_listed() {
    let Some(outcome) = run(&find("capture-drops").unwrap(), 5) else { return };
    let (client, server) = (&outcome.taps[0], &outcome.taps[1]);
    assert!(client.omitted.is_empty());
    let (omitted, recorded) = (server.omitted.len(), usize::try_from(server.recorded).unwrap());
    let per_mille = omitted * 1000 / (omitted + recorded);
    assert!((15..25).contains(&per_mille), "{per_mille} of 20 in a thousand left out");
    assert_eq!(read_pcap(&server.path).len(), recorded);
}

#[test]
fn a_late_or_short_capture_has_nothing_outside_its_time() {
    let Some(late) = run(&find("late-start").unwrap(), 5) else { return };
    let tap = &late.taps[1];
    let start = tap.clock_origin_ns + 500_000_000;
    assert!(read_pcap(&tap.path).iter().all(|record| record.at_ns >= start));
    let Some(early) = run(&find("early-stop").unwrap(), 5) else { return };
    let tap = &early.taps[1];
    let stop = tap.clock_origin_ns + 700_000_000;
    let records = read_pcap(&tap.path);
    assert!(!records.is_empty() && records.iter().all(|record| record.at_ns < stop));
}

#[test]
fn a_wrong_clock_is_wrong_by_what_was_asked() {
    let scenario = find("clock-37s-50ppm").unwrap();
    let Some(outcome) = run(&scenario, 5) else { return };
    let (tap, clock) = (&outcome.taps[1], scenario.server_taps[0].clock);
    assert_eq!((clock.offset_ns, clock.skew_ppb), (37_000_000_000, 50_000));
    let arrived: BTreeMap<_, i64> = outcome
        .ledger
        .iter()
        .filter(|entry| entry.direction == Direction::ServerToClient)
        .map(|entry| (key_as_it_came(entry), entry.at_in_ns))
        .collect();
    // What the server sends is stamped by its tap a little before the middlebox stamps it. The clock gains 50 µs
    // a second, over 2 s far more than that little.
    let ahead: Vec<i64> = read_pcap(&tap.path)
        .iter()
        .filter_map(|record| Some(record.at_ns - arrived.get(&key_of_frame(&record.frame)?)?))
        .collect();
    let most = |part: &[i64]| part.iter().max().unwrap() - clock.offset_ns;
    let (early, late) = (most(&ahead[..200]), most(&ahead[ahead.len() - 200..]));
    assert!(early.abs() < 100_000, "the clock is off by {early} ns beside its 37 s");
    let seconds = (outcome.ledger.last().unwrap().at_in_ns - outcome.ledger[0].at_in_ns) / 1_000_000_000;
    assert!(late - early > 30_000 * seconds, "the clock gained {} ns in {seconds} s", late - early);
}

#[test]
fn a_tap_on_another_interface_sees_none_of_the_traffic() {
    let Some(outcome) = run(&find("wrong-interface").unwrap(), 5) else { return };
    assert!(outcome.taps[0].recorded > 50);
    assert!(read_pcap(&outcome.taps[1].path).iter().all(|record| key_of_frame(&record.frame).is_none()));
}
