//! A host with a container: what passes between its two interfaces is its internal path, and what dies there is told
//! as that host's loss and no other's.

use super::judge::{Judge, Judgement};
use super::sim::{MS, Passage, SEC, Sim, US, Wire};
use super::talk::{C2S, S2C, Talk};
use correlate_proto::report::{Code, Confidence, Details, Finding, Location, Severity};
use correlate_proto::{Heard, Interface, Record, Segment, Span};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// How long a packet takes from one interface of a host to the other.
const CROSSING: i64 = 15 * US;

/// Places in a direction, and the ends where what has them dies inside the host.
type Dies = fn(&Wire) -> bool;

/// Two hosts, of which `end` has a container behind `cont0` and a card `eth0`.
struct Container {
    end: usize,
    /// What the host drops on the way out of it, and on the way in, by place in the direction.
    drops: Dies,
    /// What the card does not show though it passed.
    hidden: fn(u64) -> bool,
}

fn interfaces() -> Vec<Interface> {
    let named = |name: &str| Interface { name: name.to_owned(), captured: true, ..Interface::default() };
    vec![named("eth0"), named("cont0")]
}

fn traffic(sim: &mut Sim, connections: u16, segments: u32) -> i64 {
    let mut end = 0;
    for number in 0..connections {
        let mut talk = Talk::new(sim, 40_000 + number, i64::from(number) * 40 * MS);
        talk.whole(sim, segments, segments);
        end = end.max(talk.now);
    }
    end + 4 * SEC
}

impl Container {
    fn dropping(end: usize, drops: Dies) -> Self {
        Self { end, drops, hidden: |_| false }
    }

    /// The captures of `sim`, whose own path loses nothing but what this host drops of what it sends or gets. The
    /// stacks see the drops; the captures show where they were.
    fn captures(&self, seed: u64, connections: u16, segments: u32) -> ([Vec<Record>; 2], i64, [u64; 2]) {
        let drops = self.drops;
        let mut sim =
            Sim::new(seed).over(move |wire, _| if drops(wire) { Passage::Lose } else { Passage::Pass });
        let until = traffic(&mut sim, connections, segments);
        let (lost, delay) = (sim.lost, sim.delay);
        let mut captures = sim.captures();
        self.show_arrivals(&mut captures, delay);
        let mut shown = Vec::new();
        for record in core::mem::take(&mut captures[self.end]) {
            self.cross(&captures[1 - self.end], &record, &mut shown);
        }
        shown.sort_by_key(Record::at);
        captures[self.end] = numbered(shown);
        (captures, until, lost)
    }

    /// Packets that died on the way in arrived at the card.
    fn show_arrivals(&self, captures: &mut [Vec<Record>; 2], delay: [i64; 2]) {
        let arrived: BTreeSet<(u16, u16, u32, Option<u16>)> =
            captures[self.end].iter().filter_map(|record| key(record, Heard::In)).collect();
        let sent = captures[1 - self.end].clone();
        for record in &sent {
            let Some(key) = key(record, Heard::Out).filter(|key| !arrived.contains(key)) else { continue };
            let Record::Segment(segment) = record else { continue };
            let at = segment.at.plus(Span(delay[1 - self.end] + 100 * US));
            let died = Segment { at, heard: Heard::In, first_fragment: false, interface: 9, ..*segment };
            assert!(key.0 > 0);
            captures[self.end].push(Record::Segment(died));
        }
    }

    /// `record` of the host as its two interfaces show it.
    fn cross(&self, far: &[Record], record: &Record, shown: &mut Vec<Record>) {
        let Record::Segment(segment) = record else { return };
        let late = segment.at.plus(Span(CROSSING));
        let at = |interface, heard, at| Record::Segment(Segment { interface, heard, at, ..*segment });
        if segment.heard == Heard::Out {
            shown.push(at(1, Heard::In, segment.at));
            let key = key(record, Heard::Out);
            let left = far.iter().any(|other| self::key(other, Heard::In) == key);
            if left && !(self.hidden)(segment.packet) {
                shown.push(at(0, Heard::Out, late));
            }
        } else {
            shown.push(at(0, Heard::In, segment.at));
            if segment.interface != 9 && !(self.hidden)(segment.packet) {
                shown.push(at(1, Heard::Out, late));
            }
        }
    }

    fn judge(&self, until: i64) -> Judge {
        let mut interfaces_of = [Vec::new(), Vec::new()];
        interfaces_of[self.end] = interfaces();
        Judge { interfaces: interfaces_of, ..Judge::until(until) }
    }

    fn judged(&self, connections: u16, segments: u32) -> (Judgement, [u64; 2]) {
        let (captures, until, lost) = self.captures(11, connections, segments);
        (self.judge(until).of_captures(captures), lost)
    }
}

/// What identifies a packet that crossed the wire as `heard`.
fn key(record: &Record, heard: Heard) -> Option<(u16, u16, u32, Option<u16>)> {
    match record {
        Record::Segment(segment) if segment.heard == heard => {
            Some((segment.tuple.src.port, segment.tuple.dst.port, segment.seq.0, segment.ip.id))
        }
        Record::Segment(_) | Record::IcmpError(_) => None,
    }
}

fn numbered(mut records: Vec<Record>) -> Vec<Record> {
    for (number, record) in (1..).zip(&mut records) {
        match record {
            Record::Segment(segment) => segment.packet = number,
            Record::IcmpError(error) => error.packet = number,
        }
    }
    records
}

fn every_30th_to_server(wire: &Wire) -> bool {
    wire.direction == C2S && wire.payload_len > 0 && wire.index % 30 == 7
}

fn every_30th_to_client(wire: &Wire) -> bool {
    wire.direction == S2C && wire.payload_len > 0 && wire.index % 30 == 7
}

fn nothing(_: &Wire) -> bool {
    false
}

fn losses(judged: &Judgement) -> Vec<&Finding> {
    judged.report.findings.iter().filter(|found| found.code == Code::PacketLoss).collect()
}

fn counts(found: &Finding) -> (u64, u64) {
    let Details::Loss { sent, lost, .. } = found.details else { panic!("{found:#?}") };
    (sent, lost)
}

#[test]
fn what_crosses_a_host_whole_accuses_nobody() {
    for end in [0, 1] {
        let (judged, lost) = Container::dropping(end, nothing).judged(4, 200);
        assert_eq!(lost, [0, 0]);
        judged.accuses_nobody();
        assert!(losses(&judged).is_empty());
    }
}

#[test]
fn what_dies_inside_its_senders_host_is_that_hosts_loss() {
    for (end, drops, direction, host) in [
        (0, every_30th_to_server as Dies, C2S, Location::ClientHost),
        (1, every_30th_to_client as Dies, S2C, Location::ServerHost),
    ] {
        let (judged, lost) = Container::dropping(end, drops).judged(4, 200);
        let made = lost[direction.index()];
        assert!(made > 20);
        let found = judged.the(Code::PacketLoss);
        assert_eq!((found.location, found.direction), (host, Some(direction)), "{found:#?}");
        assert_eq!((counts(found).1, found.severity), (made, Severity::Error));
        assert_eq!(found.confidence, Confidence::Proven);
        for words in ["coming in on cont0", "going out on eth0", "All of them died inside"] {
            assert!(found.sentence.contains(words), "{}", found.sentence);
        }
        assert!(!found.alternatives.iter().any(|other| other.contains("network card")), "{found:#?}");
        let asymmetric = judged.the(Code::AsymmetricLoss);
        assert_eq!(asymmetric.location, host);
    }
}

#[test]
fn what_arrives_and_dies_inside_its_receivers_host_is_that_hosts_loss() {
    for (end, drops, direction, host) in [
        (1, every_30th_to_server as Dies, C2S, Location::ServerHost),
        (0, every_30th_to_client as Dies, S2C, Location::ClientHost),
    ] {
        let container = Container::dropping(end, drops);
        let (captures, until, lost) = container.captures(11, 4, 200);
        let shown = captures[end].clone();
        let judged = container.judge(until).of_captures(captures);
        let made = lost[direction.index()];
        assert!(made > 20);
        judged.accuses_of(&[Code::PacketLoss]);
        let found = judged.the(Code::PacketLoss);
        assert_eq!((found.location, found.direction), (host, Some(direction)), "{found:#?}");
        assert_eq!((counts(found).1, found.count, found.connection_count), (made, made, 4));
        assert_eq!(judged.lost(), [0, 0], "the path lost none");
        assert!(judged.find(Code::SpuriousRetransmission).is_none(), "none was repeated in vain");
        let packets: Vec<u64> = found.evidence.iter().filter_map(|seen| seen.packet).collect();
        assert!(packets.len() >= 4);
        for packet in packets {
            let at = usize::try_from(packet - 1).unwrap();
            let Record::Segment(outer) = shown[at] else { panic!("a segment") };
            assert_eq!((outer.interface, outer.heard), (0, Heard::In));
            let inner = shown.iter().filter_map(|record| key(record, Heard::Out));
            assert!(!inner.clone().any(|key| Some(key) == self::key(&shown[at], Heard::In)));
        }
    }
}

/// The path behind the card, or before it, is not the host.
#[test]
fn what_the_path_loses_is_not_the_hosts() {
    for (end, drops) in [(0, every_30th_to_client as Dies), (1, every_30th_to_server as Dies)] {
        let mut sim =
            Sim::new(5).over(move |wire, _| if drops(wire) { Passage::Lose } else { Passage::Pass });
        let until = traffic(&mut sim, 4, 200);
        let mut captures = sim.captures();
        let container = Container::dropping(end, nothing);
        let mut shown = Vec::new();
        for record in core::mem::take(&mut captures[end]) {
            container.cross(&captures[1 - end], &record, &mut shown);
        }
        shown.sort_by_key(Record::at);
        captures[end] = numbered(shown);
        let judged = container.judge(until).of_captures(captures);
        for found in losses(&judged) {
            assert!(matches!(found.location, Location::ClientToServerPath | Location::ServerToClientPath));
            assert!(!found.sentence.contains("inside"), "{}", found.sentence);
        }
        assert_eq!(losses(&judged).len(), 1);
    }
}

/// Where the card's own sightings are incomplete nothing is told of what they lack.
#[test]
fn an_interface_that_shows_too_few_is_believed_nothing() {
    for (end, drops) in [(0, every_30th_to_server as Dies), (1, every_30th_to_server as Dies)] {
        let hidden = |packet| packet % 7 == 3;
        let (judged, _) = Container { end, drops, hidden }.judged(4, 200);
        for found in losses(&judged) {
            assert!(!found.sentence.contains("inside"), "{}", found.sentence);
            assert!(!matches!(found.location, Location::ClientHost | Location::ServerHost), "{found:#?}");
        }
    }
}

#[test]
fn a_capture_that_dropped_packets_is_believed_nothing() {
    for end in [0, 1] {
        let container = Container::dropping(end, every_30th_to_server);
        let (captures, until, _) = container.captures(11, 4, 200);
        let mut judge = container.judge(until);
        judge.dropped_by_kernel[end] = 3;
        let judged = judge.of_captures(captures);
        assert!(losses(&judged).iter().all(|found| !found.sentence.contains("inside")), "{judged:#?}");
    }
}

/// A packet filter that lets a host's connections go on and no new ones begin.
#[test]
fn syns_that_die_inside_the_clients_host_never_left_it() {
    fn later_syns(wire: &Wire) -> bool {
        wire.direction == C2S && wire.flags == super::talk::SYN && wire.at > 3 * SEC
    }
    let container = Container::dropping(0, later_syns);
    let mut sim = Sim::new(3).over(|wire, _| if later_syns(wire) { Passage::Lose } else { Passage::Pass });
    traffic(&mut sim, 3, 100);
    let mut refused = Talk::new(&mut sim, 50_000, 4 * SEC);
    refused.open(&mut sim);
    let until = refused.now + 5 * SEC;
    let mut captures = sim.captures();
    let mut shown = Vec::new();
    for record in core::mem::take(&mut captures[0]) {
        container.cross(&captures[1], &record, &mut shown);
    }
    shown.sort_by_key(Record::at);
    captures[0] = numbered(shown);
    let judged = container.judge(until).of_captures(captures);
    let found = judged.the(Code::SynLost);
    assert_eq!(found.location, Location::ClientHost, "{found:#?}");
    assert!(found.sentence.contains("coming in on cont0 and never going out on eth0"), "{}", found.sentence);
    assert!(found.next_step.contains("nft list ruleset"), "{}", found.next_step);
}

fn renumber(captures: &mut [Vec<Record>; 2]) {
    let other = |addr: IpAddr| match addr {
        IpAddr::V4(old) => Ipv4Addr::new(203, 0, 113, 250 - old.octets()[3]).into(),
        IpAddr::V6(_) => addr,
    };
    for record in captures.iter_mut().flatten() {
        if let Record::Segment(segment) = record {
            segment.tuple.src.addr = other(segment.tuple.src.addr);
            segment.tuple.dst.addr = other(segment.tuple.dst.addr);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn neither_addresses_nor_clocks_nor_the_order_of_batches_change_what_is_said(
        seed: u64, end in 0usize..2, way in 0usize..2, shift in (-90_000 * SEC..90_000 * SEC, -90_000 * SEC..90_000 * SEC),
        order: u64, batch in 1u64..500, late in prop_oneof![Just(2u64), Just(998), 100u64..900], watermarks: bool,
    ) {
        let container = Container::dropping(end, [every_30th_to_server as Dies, every_30th_to_client][way]);
        let (captures, until, _) = container.captures(seed, 2, 120);
        let mut others = captures.clone();
        renumber(&mut others);
        let judge = container.judge(until);
        let here = judge.of_captures(captures);
        let there = Judge { shift: [shift.0, shift.1], order, batch, server_next: late, watermarks, ..judge };
        let there = there.of_captures(others);
        let said = |judged: &Judgement| {
            let said = |found: &Finding| {
                let seen = found.evidence.iter().map(|seen| (seen.packet, seen.summary.clone()));
                (found.code, found.location, found.sentence.clone(), seen.collect::<Vec<_>>())
            };
            losses(judged).into_iter().map(said).collect::<Vec<_>>()
        };
        prop_assert!(!said(&here).is_empty());
        prop_assert_eq!(said(&here), said(&there));
    }
}
