//! What must not matter: where a capture's clock stands, which addresses the hosts have, and how the records come.
//!
//! The traffic is in trouble of every kind, so that there are findings that could change.

use super::judge::{Judge, Judgement};
use super::sim::{MS, Passage, SEC, Sim, US};
use super::talk::{ACK, C2S, RST, RST_ACK, S2C, SYN, SYN_ACK, Talk};
use correlate_proto::report::{Code, ConnectionReport, DirectionReport, Finding, Report, Severity};
use correlate_proto::{Direction, Endpoint, IcmpKind, Record};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const YEAR: i64 = 365 * 86_400 * SEC;

/// Ports of the clients: what befalls a connection follows from its port, so that it can be looked up.
const HEALTHY: u16 = 40_000;
const NO_ANSWER: u16 = 41_000;
const NO_ASKING: u16 = 41_001;
const REFUSED: u16 = 41_002;
const PROHIBITED: u16 = 41_003;
const FORGED: u16 = 41_004;
const RESET: u16 = 41_005;
const SWALLOWED: u16 = 41_006;
const LOST_RESET: u16 = 41_007;

/// Two captures of a path that loses, repeats and delays, with connections that fail in every way; both captures miss
/// some records. They ran until the instant that is given too.
pub(super) fn trouble(seed: u64, misses: [u64; 2]) -> (Sim, i64) {
    let mut sim = Sim::new(seed).over(|wire, rng| match rng.below(200) {
        0..4 if wire.payload_len > 0 => Passage::Lose,
        4 => Passage::Twice,
        5 | 6 => Passage::Late(3 * MS),
        _ => Passage::Pass,
    });
    sim.misses = misses;
    for number in 0..5 {
        let mut talk = Talk::new(&mut sim, HEALTHY + number, i64::from(number) * 60 * MS);
        if number % 2 == 1 {
            talk = talk.over_v6();
        }
        if number == 4 {
            talk = talk.opened_by(S2C);
        }
        talk.whole(&mut sim, 15, 60);
    }
    refusals(&mut sim);
    resets(&mut sim);
    let swallowed = one_way(&mut sim);
    (sim, swallowed.max(12 * SEC))
}

/// Connections that never come about.
fn refusals(sim: &mut Sim) {
    let pass = core::mem::replace(&mut sim.path, Box::new(|_, _| Passage::Lose));
    let mut asked = Talk::new(sim, NO_ASKING, SEC);
    asked.open(sim);
    sim.path = Box::new(|wire, _| if wire.flags == SYN_ACK { Passage::Lose } else { Passage::Pass });
    let mut answered = Talk::new(sim, NO_ANSWER, SEC + 100 * MS);
    answered.open(sim);
    sim.path = Box::new(|_, _| Passage::Pass);
    let mut refused = Talk::new(sim, REFUSED, SEC + 200 * MS);
    if let Some(at) = refused.send(sim, C2S, SYN, 0, 0) {
        refused.now = at + 20 * US;
        refused.send(sim, S2C, RST_ACK, 0, 0);
    }
    let mut prohibited = Talk::new(sim, PROHIBITED, SEC + 300 * MS);
    sim.path = Box::new(|_, _| Passage::Lose);
    prohibited.send(sim, C2S, SYN, 0, 0);
    prohibited.now += 2 * MS;
    let error = prohibited.icmp_about(C2S, Ipv4Addr::new(10, 0, 0, 99).into(), IcmpKind::Unreachable);
    sim.icmp(C2S, error);
    sim.path = pass;
}

/// Connections that are reset, by whomever.
fn resets(sim: &mut Sim) {
    let pass = core::mem::replace(&mut sim.path, Box::new(|_, _| Passage::Pass));
    let mut start = 2 * SEC;
    let mut established = |sim: &mut Sim, port| {
        let mut talk = Talk::new(sim, port, start);
        start += 300 * MS;
        talk.open(sim);
        talk.transfer(sim, C2S, 6, 3);
        talk.transfer(sim, S2C, 6, 3);
        talk
    };
    let mut reset = established(sim, RESET);
    let next = reset.stacks[1].next;
    reset.send(sim, S2C, RST_ACK, next, 0);
    let mut forged = established(sim, FORGED);
    let next = forged.stacks[1].next;
    // The forger does not make the host count its packets on.
    let mut packet = forged.clone().packet(S2C, RST, next, 0);
    packet.ip.ttl = 55;
    sim.forge(S2C, packet);
    forged.now += 3 * MS;
    forged.transfer(sim, S2C, 4, 4);
    let mut lost = established(sim, LOST_RESET);
    sim.path = Box::new(|_, _| Passage::Lose);
    let next = lost.stacks[0].next;
    lost.send(sim, C2S, RST_ACK, next, 0);
    sim.path = pass;
}

/// A connection of which one direction dies.
fn one_way(sim: &mut Sim) -> i64 {
    let pass = core::mem::replace(&mut sim.path, Box::new(|_, _| Passage::Pass));
    let mut talk = Talk::new(sim, SWALLOWED, 4 * SEC);
    talk.open(sim);
    talk.transfer(sim, C2S, 10, 5);
    sim.path = Box::new(|wire, _| if wire.direction == S2C { Passage::Lose } else { Passage::Pass });
    let (mut wait, offset) = (250 * MS, talk.stacks[1].next);
    for _ in 0..5 {
        talk.send(sim, S2C, ACK, offset, 1000);
        talk.now += wait / 2;
        talk.ack(sim, C2S);
        talk.now += wait / 2;
        wait *= 2;
    }
    sim.path = pass;
    talk.now + 6 * SEC
}

/// What a report says, line by line, without the instants: findings with all their evidence, connections, paths, the
/// verdict. Instants depend on where the seconds fall at which clocks are fitted, by microseconds.
fn said(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report.findings.iter().map(finding).collect();
    lines.extend(report.connections.iter().map(connection));
    lines.extend(report.paths.iter().map(|path| {
        format!("{} {:?} {} {}", path.from, path.direction, path.segments_sent, path.segments_lost)
    }));
    lines.push(format!("{:?}", report.verdict));
    lines
}

fn finding(found: &Finding) -> String {
    let evidence: Vec<String> = found
        .evidence
        .iter()
        .map(|one| format!("{} {:?} {:?} {}", one.capture_point, one.packet, one.event, one.summary))
        .collect();
    format!(
        "{} {} {:?} {:?} {:?} {:?} {:?} {:?} {} {} {} {:?} {evidence:?} {:?}",
        found.id,
        found.code,
        found.severity,
        found.confidence,
        found.location,
        found.direction,
        found.toward,
        found.connections,
        found.connection_count,
        found.count,
        found.sentence,
        found.details,
        found.alternatives,
    )
}

fn connection(one: &ConnectionReport) -> String {
    let counts = Direction::BOTH.map(|direction| {
        let counts = match direction {
            Direction::ClientToServer => &one.directions.client_to_server,
            Direction::ServerToClient => &one.directions.server_to_client,
        };
        DirectionReport { one_way_delay_ns: None, queueing_ns: None, ..counts.clone() }
    });
    format!(
        "{} {:?} {:?} {:?} {} {:?} {counts:?} {:?} {:?}",
        one.id, one.initiator, one.client, one.server, one.state, one.closed_by, one.handshake, one.findings
    )
}

/// The first line in which two reports differ.
fn difference(one: &[String], other: &[String]) -> Option<(String, String)> {
    let longest = one.len().max(other.len());
    let line = |lines: &[String], at: usize| lines.get(at).cloned().unwrap_or_default();
    (0..longest).map(|at| (line(one, at), line(other, at))).find(|(one, other)| one != other)
}

/// The addresses that the hosts of the simulator have, and others that sort the other way round.
fn renumbered(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V4(old) => Ipv4Addr::new(203, 0, 113, 250 - old.octets()[3]).into(),
        IpAddr::V6(old) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xff - old.segments()[7]).into(),
    }
}

fn renumber(captures: &mut [Vec<Record>; 2]) {
    let end = |end: &mut Endpoint| end.addr = renumbered(end.addr);
    for record in captures.iter_mut().flatten() {
        match record {
            Record::Segment(segment) => {
                end(&mut segment.tuple.src);
                end(&mut segment.tuple.dst);
            }
            Record::IcmpError(error) => {
                error.from = renumbered(error.from);
                error.to = renumbered(error.to);
                end(&mut error.quoted.src);
                end(&mut error.quoted.dst);
            }
        }
    }
}

/// What was said with the old addresses, in the new ones.
fn in_new_addresses(lines: Vec<String>) -> Vec<String> {
    let old = [1, 2, 99].map(|last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
    let old = old.into_iter().chain([1, 2].map(|last| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last).into()));
    // Longest first: 10.0.0.99 is not 10.0.0.9 and a 9.
    let mut pairs: Vec<(String, String)> =
        old.map(|addr| (addr.to_string(), renumbered(addr).to_string())).collect();
    pairs.sort_by_key(|(old, _)| std::cmp::Reverse(old.len()));
    let new = |text: String| pairs.iter().fold(text, |text, (old, new)| text.replace(old, new));
    lines.into_iter().map(new).collect()
}

fn judged(seed: u64, misses: [u64; 2], judge: impl FnOnce(Judge) -> Judge) -> Judgement {
    let (sim, until) = trouble(seed, misses);
    judge(Judge::until(until)).of(sim)
}

/// Without this the tests below would compare nothing.
#[test]
fn the_troubled_traffic_gives_findings_of_every_kind() {
    let judged = judged(3, [0, 0], |judge| judge);
    let codes: BTreeSet<Code> = judged.codes().into_iter().map(|(code, _)| code).collect();
    for code in [
        Code::SynLost,
        Code::SynAckLost,
        Code::ConnectionRefused,
        Code::RefusedInPath,
        Code::ResetByServer,
        Code::RstInjected,
        Code::RstLost,
        Code::OneWayBlackhole,
        Code::PacketLoss,
    ] {
        assert!(codes.contains(&code), "{code} is missing: {codes:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn shifting_either_capture_in_time_changes_no_finding(
        seed: u64, shift in (-9 * YEAR..9 * YEAR, -9 * YEAR..9 * YEAR),
    ) {
        let here = judged(seed, [0, 0], |judge| judge);
        let there = judged(seed, [0, 0], |judge| Judge { shift: [shift.0, shift.1], ..judge });
        prop_assert_eq!(difference(&said(&here.report), &said(&there.report)), None);
    }

    /// Where captures lack records, how many segments are told lost may hang on microseconds of the clock's bound;
    /// what is accused may not.
    #[test]
    fn shifting_captures_that_lack_records_changes_no_accusation(
        seed: u64, misses in (0u64..30, 0u64..30), shift in (-9 * YEAR..9 * YEAR, -9 * YEAR..9 * YEAR),
    ) {
        let accused = |shift: [i64; 2]| {
            let report = judged(seed, [misses.0, misses.1], |judge| Judge { shift, ..judge }).report;
            let above = report.findings.into_iter().filter(|found| found.severity > Severity::Info);
            above.map(|found| (found.code, found.severity, found.direction)).collect::<Vec<_>>()
        };
        prop_assert_eq!(accused([0, 0]), accused([shift.0, shift.1]));
    }

    #[test]
    fn other_addresses_change_no_finding(seed: u64, misses in (0u64..30, 0u64..30)) {
        let run = |renumbering: bool| {
            let (sim, until) = trouble(seed, [misses.0, misses.1]);
            let mut captures = sim.captures();
            if renumbering {
                renumber(&mut captures);
            }
            said(&Judge::until(until).of_captures(captures).report)
        };
        prop_assert_eq!(difference(&in_new_addresses(run(false)), &run(true)), None);
    }

    #[test]
    fn records_that_come_late_or_otherwise_interleaved_change_no_finding(
        seed: u64, misses in (0u64..30, 0u64..30), order: u64, batch in 1u64..2000, watermarks: bool,
        late in prop_oneof![Just(2u64), Just(998), 100u64..900], announce: bool,
    ) {
        let misses = [misses.0, misses.1];
        let here = judged(seed, misses, |judge| judge);
        let there = judged(seed, misses, |judge| {
            Judge { order, batch, watermarks, server_next: late, announce, ..judge }
        });
        let all = |report: &Report| format!("{report:#?}").lines().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(difference(&all(&here.report), &all(&there.report)), None);
    }
}
