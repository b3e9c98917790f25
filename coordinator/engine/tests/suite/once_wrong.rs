//! What the engine once got wrong: false accusations, panics and searches without end, each as small as it can be.

use super::judge::{Judge, id};
use super::rng::Rng;
use super::sim::{MS, Offload, Passage, SEC, Sim, US, Wire};
use super::talk::{ACK, C2S, RST, S2C, SYN, SYN_ACK, Talk};
use core::cell::Cell;
use correlate_engine::fate::Fate;
use correlate_engine::{Config, Correlator, Feed};
use correlate_proto::report::{Code, Confidence, Severity};
use correlate_proto::{Record, Segment, SeqNum, Span, Timestamp};
use proptest::prelude::*;

fn bulk(sim: &mut Sim, segments: u32, window: u32) -> Talk {
    let mut talk = Talk::new(sim, 40_000, 0);
    talk.open(sim);
    talk.transfer(sim, C2S, segments, window);
    talk.close(sim, C2S);
    talk
}

/// The last part of a super-packet equals a waiting piece exactly, and `recut` refuses equal ranges.
#[test]
fn a_fast_transfer_that_the_receiver_coalesces_is_clean() {
    let mut sim = Sim::new(1);
    sim.jitter = 0;
    sim.offload = [Offload::None, Offload::Unknown(10)];
    let talk = bulk(&mut sim, 8000, 400);
    let judged = Judge::until(talk.now + 4 * SEC).of(sim);
    judged.accuses_nobody();
    assert_eq!(judged.fates.len(), 0, "{:?}", &judged.fates[..3]);
}

/// Pieces beyond 1024 of a connection that one end has seen so far are left out, and then missed.
#[test]
fn clocks_300_ms_apart_without_alignment_are_no_loss() {
    for shift in [-300 * MS, 300 * MS] {
        let mut sim = Sim::new(2);
        sim.delay = [200 * US; 2];
        let talk = bulk(&mut sim, 6000, 100);
        let judge = Judge { align: false, shift: [0, shift], ..Judge::until(talk.now + 4 * SEC) };
        judge.of(sim).accuses_nobody();
    }
}

/// A record of the server's capture that is `remove`d from it.
fn without(
    mut captures: [Vec<Record>; 2],
    end: usize,
    remove: impl Fn(&Segment) -> bool,
) -> [Vec<Record>; 2] {
    captures[end].retain(|record| !matches!(record, Record::Segment(segment) if remove(segment)));
    captures
}

#[test]
fn syns_that_only_the_capture_lacks_are_no_loss() {
    let mut sim = Sim::new(3);
    let mut end = 0;
    for number in 0..6 {
        let mut talk = Talk::new(&mut sim, 40_000 + number, i64::from(number) * 100 * MS);
        talk.whole(&mut sim, 1, 1);
        end = talk.now;
    }
    let captures = without(sim.captures(), 1, |segment| segment.flags == SYN);
    let judged = Judge::until(end + 4 * SEC).of_captures(captures);
    assert!(judged.find(Code::PacketLoss).is_none(), "{:?}", judged.the(Code::PacketLoss));
}

/// Gaps of the warm-up are excused by taking their octets for seen; `judge_sent` then takes them for brought by
/// another copy.
#[test]
fn what_the_capture_lacks_of_the_first_half_second_of_a_running_connection_is_no_loss() {
    let mut sim = Sim::new(4);
    let mut talk = Talk::new(&mut sim, 40_000, -300 * MS);
    talk.open(&mut sim);
    talk.now = 10 * MS;
    sim.running = [(0, i64::MAX); 2];
    talk.transfer(&mut sim, C2S, 200, 10);
    let mut captures = sim.captures();
    let mut count = 0;
    captures[1].retain(|record| {
        count += 1;
        !matches!(record, Record::Segment(segment) if segment.payload_len > 0 && count % 9 == 4)
    });
    let judged =
        Judge { coverage: [Some((0, talk.now + 5 * SEC)); 2], ..Judge::default() }.of_captures(captures);
    assert!(judged.find(Code::PacketLoss).is_none(), "{:?}", judged.the(Code::PacketLoss));
}

#[test]
fn a_reused_port_whose_second_syn_one_capture_lacks_is_no_loss() {
    let mut sim = Sim::new(5);
    let mut first = Talk::new(&mut sim, 40_000, 0);
    first.whole(&mut sim, 4, 4);
    let mut second = Talk::new(&mut sim, 40_000, first.now + SEC);
    second.whole(&mut sim, 40, 40);
    let isn = SeqNum(second.stacks[0].isn);
    let captures = without(sim.captures(), 1, |segment| segment.flags == SYN && segment.seq == isn);
    Judge::until(second.now + 4 * SEC).of_captures(captures).accuses_of(&[Code::CaptureLoss]);
}

/// The numbering of the two ends is joined by where each began, not by where the first stands when the second begins.
#[test]
fn a_capture_that_began_three_gigabytes_earlier_is_matched_all_the_same() {
    let mut sim = Sim::new(6);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    let size = 512 * 1024;
    sim.running[1] = (30 * SEC, i64::MAX);
    for _ in 0..3 * 2048 {
        let next = talk.stacks[0].next;
        talk.send(&mut sim, C2S, ACK, next, size);
        talk.now += MS;
    }
    talk.ack(&mut sim, S2C);
    talk.now = 31 * SEC;
    talk.transfer(&mut sim, C2S, 200, 10);
    let covered = |from| Some((from, talk.now + 5 * SEC));
    let judged = Judge { coverage: [covered(-SEC), covered(30 * SEC)], ..Judge::default() }.of(sim);
    judged.accuses_nobody();
    assert!(judged.report.paths.iter().all(|path| path.segments_sent >= 100), "{:?}", judged.report.paths);
}

/// `tcpdump -i any` on a host with a bridge: each packet of the host is seen on two interfaces.
#[test]
fn a_packet_seen_on_two_interfaces_of_its_sender_is_no_loss() {
    let mut sim = Sim::new(7);
    let talk = bulk(&mut sim, 200, 10);
    let mut captures = sim.captures();
    let twice = core::mem::take(&mut captures[0]);
    for record in twice {
        captures[0].push(record);
        if let Record::Segment(segment) = record {
            captures[0].push(Record::Segment(Segment {
                interface: 1,
                at: segment.at.plus(Span(12 * US)),
                ..segment
            }));
        }
    }
    captures[0].sort_by_key(Record::at);
    for (number, record) in (1..).zip(&mut captures[0]) {
        if let Record::Segment(segment) = record {
            segment.packet = number;
        }
    }
    Judge::until(talk.now + 4 * SEC).of_captures(captures).accuses_nobody();
}

/// A network card that gives all wire segments of a super-packet one IP ID (`NETIF_F_TSO_MANGLEID`).
#[test]
fn segments_of_a_super_packet_that_share_their_ip_id_are_no_loss() {
    let mut sim = Sim::new(8);
    sim.offload = [Offload::Known(10), Offload::None];
    let base = Cell::new((0u32, 0u16));
    sim.rewrite[0] = Box::new(move |segment| {
        let (until, fixed) = base.get();
        let ms = segment.options.timestamps.map_or(0, |(value, _)| value);
        if segment.payload_len > 0 && until == ms {
            segment.ip.id = Some(fixed);
        } else {
            base.set((ms, segment.ip.id.unwrap_or(0)));
        }
    });
    let talk = bulk(&mut sim, 300, 10);
    Judge::until(talk.now + 4 * SEC).of(sim).accuses_nobody();
}

/// The server's process is killed; its stack answers with a bare RST, which its capture lacks, as it lacks another
/// packet that was acknowledged.
#[test]
fn a_bare_rst_that_a_lossy_capture_lacks_is_not_forged() {
    let mut sim = Sim::new(10);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.transfer(&mut sim, C2S, 40, 10);
    talk.transfer(&mut sim, S2C, 40, 10);
    let next = talk.stacks[0].next;
    talk.send(&mut sim, C2S, ACK, next, 500);
    talk.now += 6 * MS;
    let offset = talk.stacks[1].next;
    let mut reset = talk.packet(S2C, RST, offset, 0);
    reset.options.timestamps = None;
    reset.ip.id = Some(0);
    talk.put(&mut sim, S2C, reset, offset);
    let captures = sim.captures();
    let victim = captures[1]
        .iter()
        .filter_map(|r| match r {
            Record::Segment(s) if s.payload_len > 0 => Some(s.seq),
            Record::Segment(_) | Record::IcmpError(_) => None,
        })
        .nth(7);
    let captures = without(captures, 1, |segment| segment.flags == RST || Some(segment.seq) == victim);
    let judged = Judge::until(talk.now + 4 * SEC).of_captures(captures);
    let suspected = judged.find(Code::RstInjected).map(|found| found.confidence);
    assert!(suspected.is_none_or(|confidence| confidence == Confidence::Unconfirmed), "{suspected:?}");
}

/// The capture of the client ends between a repeated SYN-ACK and its answer.
#[test]
fn a_capture_that_ends_behind_a_repeated_syn_ack_proves_nothing() {
    let mut sim =
        Sim::new(11).over(|wire, _| if wire.flags == SYN_ACK { Passage::Twice } else { Passage::Pass });
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.whole(&mut sim, 2, 2);
    let [client, server] = sim.captures();
    let until = client.iter().rfind(|r| matches!(r, Record::Segment(s) if s.flags == SYN_ACK)).unwrap().at();
    let client = client.into_iter().filter(|record| record.at() <= until).collect();
    let judge = Judge { coverage: [None, Some((-SEC, talk.now + 5 * SEC))], ..Judge::default() };
    judge.of_captures([client, server]).accuses_nobody();
}

/// An outage of one direction ends before the sender gives up with a RST.
#[test]
fn an_outage_that_a_small_rst_survives_is_no_mtu_black_hole() {
    let mut sim = Sim::new(12).over(|wire, _| {
        if wire.at > SEC && wire.at < 3 * SEC && wire.direction == C2S {
            Passage::Lose
        } else {
            Passage::Pass
        }
    });
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.transfer(&mut sim, S2C, 40, 10);
    talk.now = SEC + MS;
    let next = talk.stacks[0].next;
    for wait in [200, 400, 800, 900] {
        talk.send(&mut sim, C2S, ACK, next, 1448);
        talk.now += wait * MS;
    }
    talk.send(&mut sim, C2S, super::talk::RST_ACK, next + 1448, 0);
    let judged = Judge::until(talk.now + 5 * SEC).of(sim);
    assert!(judged.find(Code::PathMtuBlackhole).is_none(), "{:#?}", judged.codes());
}

/// Both captures lack the same stretch (an excerpt), the connection closes, and the session goes on.
#[test]
fn a_gap_that_both_captures_share_accuses_no_capture_however_long_the_session_goes_on() {
    let mut sim = Sim::new(14);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.whole(&mut sim, 100, 10);
    let isn = talk.stacks[0].isn;
    let mut late = Talk::new(&mut sim, 40_001, 20 * SEC);
    late.whole(&mut sim, 4, 4);
    let lacks = move |segment: &Segment| {
        segment.payload_len > 0
            && segment.tuple.src.port == 40_000
            && (20_000..40_000).contains(&segment.seq.0.wrapping_sub(isn))
    };
    let captures = without(without(sim.captures(), 0, lacks), 1, lacks);
    Judge::until(late.now + 5 * SEC).of_captures(captures).accuses_nobody();
}

fn feed() -> Feed {
    let judge = Judge::default();
    Feed::new(Correlator::new(Config::default(), vec![judge.point(0), judge.point(1)]), vec![Span(0); 2])
}

fn stamped(at: i64) -> Record {
    let mut sim = Sim::new(1);
    let mut talk = Talk::new(&mut sim, 1, 0);
    Record::Segment(Segment { at: Timestamp::from_ns(at), ..talk.packet(C2S, SYN, 0, 0) })
}

#[test]
fn stamps_at_both_ends_of_time_do_not_panic() {
    for (first, second) in [(i64::MIN, 0), (i64::MIN, i64::MAX - 1), (-5, i64::MAX - 9)] {
        let mut feed = feed();
        for end in 0..2 {
            feed.push_batch(id(end), &mut vec![stamped(first), stamped(second)]);
        }
        let _ = feed.into_correlator().finish();
    }
}

#[test]
fn a_payload_of_four_gigabytes_in_pieces_of_one_octet_is_refused_at_once() {
    let mut sim = Sim::new(1);
    let mut talk = Talk::new(&mut sim, 1, 0);
    let mut segment = talk.packet(C2S, ACK, 1, 50_000_000);
    segment.gso_size = core::num::NonZeroU16::new(1);
    let mut feed = feed();
    let began = std::time::Instant::now();
    feed.push_batch(id(0), &mut vec![Record::Segment(segment)]);
    feed.push_batch(id(1), &mut vec![Record::Segment(segment)]);
    let _ = feed.into_correlator().finish();
    assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
}

/// Data and pure acknowledgements that a capture lacks, of connections that carry little.
#[test]
fn small_connections_in_a_lossy_capture_accuse_no_path() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        sim.misses = [0, 100];
        let mut end = 0;
        for number in 0..60 {
            let mut talk = Talk::new(&mut sim, 40_000 + number, i64::from(number) * 30 * MS);
            talk.whole(&mut sim, 1, 1);
            end = talk.now;
        }
        let judged = Judge::until(end + 5 * SEC).of(sim);
        let errors: Vec<_> = judged
            .report
            .findings
            .iter()
            .filter(|found| found.severity == Severity::Error)
            .map(|found| (found.code, found.confidence, &found.sentence))
            .collect();
        assert!(errors.is_empty(), "{seed}: {errors:#?}");
    }
}

/// A whole window of waiting pieces is searched for each piece that has no counterpart.
#[test]
fn many_pieces_without_counterpart_are_taken_in_soon() {
    let mut sim = Sim::new(15).over(|wire, _| {
        if wire.direction == C2S && wire.at > 30 * MS { Passage::Lose } else { Passage::Pass }
    });
    sim.jitter = 0;
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.now = 40 * MS;
    let first = talk.stacks[0].next;
    for number in 0..60_000 {
        talk.send(&mut sim, C2S, ACK, first + number * 1448, 1448);
        talk.now += US;
    }
    let lost = talk.clone();
    // What arrives is numbered within what waits, and is none of it: an injector, or IDs that a device rewrites.
    for number in 0..20_000 {
        let mut packet = talk.packet(C2S, ACK, first + number * 1448, 1447);
        packet.options.timestamps = Some((1, 1));
        sim.forge(C2S, packet);
        talk.now += US;
    }
    let began = std::time::Instant::now();
    let _ = Judge { batch: 3000, ..Judge::until(lost.now + 6 * SEC) }.of(sim);
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

/// Counted drops, or one byte proven missing, must not leave data losses standing that the ACKs disprove, nor
/// turn a coverage gap into evidence.
#[test]
fn a_hole_in_the_proven_coverage_is_not_covered() {
    let mut sim = Sim::new(16);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.transfer(&mut sim, C2S, 100, 10);
    let from = talk.now;
    for number in 0..12u16 {
        let mut other = Talk::new(&mut sim, 41_000 + number, from + i64::from(number) * 10 * MS);
        other.whole(&mut sim, 2, 2);
    }
    let until = from + 400 * MS;
    talk.now = until + SEC;
    talk.transfer(&mut sim, C2S, 20, 10);
    let end = talk.now + 5 * SEC;
    let mut captures = sim.captures();
    captures[1].retain(|record| !(from..until).contains(&record.at().as_ns()));
    let judge = Judge { holes: [None, Some((from - MS, until + MS))], ..Judge::until(end) };
    judge.of_captures(captures).accuses_nobody();
}

/// Losses alike in both directions; only the client's capture counted drops, so what it cannot confirm is left out
/// of its direction, and the other one looks worse.
#[test]
fn loss_both_ways_is_not_asymmetric_because_one_capture_is_weak() {
    let mut sim = Sim::new(13).over(|wire, _| {
        if wire.payload_len > 0 && wire.index % 25 == 24 && wire.at > 50 * MS {
            Passage::Lose
        } else {
            Passage::Pass
        }
    });
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    // Each end sends what nobody repeats: the application gave up waiting.
    for _ in 0..600 {
        for side in [C2S, S2C] {
            let next = talk.stacks[side.index()].next;
            talk.send(&mut sim, side, ACK, next, 100);
            talk.now += 7 * MS;
        }
    }
    let judge = Judge { dropped_by_kernel: [1, 0], ..Judge::until(talk.now + 5 * SEC) };
    let judged = judge.of(sim);
    assert!(judged.find(Code::AsymmetricLoss).is_none(), "{:#?}", judged.the(Code::AsymmetricLoss));
    assert_eq!(
        judged.lost(),
        [24, 0],
        "{:#?} {:?}",
        judged.report.findings,
        judged.fates.iter().take(6).collect::<Vec<_>>()
    );
}

fn offload() -> impl Strategy<Value = Offload> {
    prop_oneof![
        Just(Offload::None),
        (2u32..20).prop_map(Offload::Known),
        (2u32..20).prop_map(Offload::Unknown)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Octets that both ends saw are never judged lost, and those that the path lost all are.
    #[test]
    fn the_octets_lost_are_those_that_the_path_lost(
        seed: u64, loss in 0u64..50, cuts in [offload(), offload()], order: u64, v6: bool,
    ) {
        let mut sim = Sim::new(seed).over(move |wire, rng| {
            if wire.payload_len > 0 && rng.chance(loss) { Passage::Lose } else { Passage::Pass }
        });
        sim.offload = cuts;
        let mut talk = Talk::new(&mut sim, 40_000, 0);
        if v6 {
            talk = talk.over_v6();
        }
        talk.whole(&mut sim, 20, 200);
        let made = sim.lost.map(|lost| lost * 1448);
        let judged = Judge { order, ..Judge::until(talk.now + 4 * SEC) }.of(sim);
        let octets = |direction| {
            let lost = judged.fates.iter().filter(|one| one.fate == Fate::Lost && one.direction == direction);
            lost.map(|one| u64::from(one.len)).sum::<u64>()
        };
        prop_assert_eq!([octets(C2S), octets(S2C)], made);
    }
}

/// Two segments that a file shows as one packet are no large packet: full-sized ones passed meanwhile.
#[test]
fn a_super_packet_that_is_lost_again_and_again_shows_no_limit_of_size() {
    let path =
        |wire: &Wire, _: &mut Rng| if wire.payload_len == 2896 { Passage::Lose } else { Passage::Pass };
    let mut sim = Sim::new(11).over(path);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.transfer(&mut sim, C2S, 10, 2);
    let first = talk.stacks[0].next;
    for _ in 0..4 {
        talk.send(&mut sim, C2S, ACK, first, 2896);
        talk.now += 100 * MS;
        let next = talk.stacks[0].next;
        talk.send(&mut sim, C2S, ACK, next, 1448);
        talk.now += 200 * MS;
    }
    let judged = Judge::until(talk.now + 4 * SEC).of(sim);
    assert_eq!(judged.find(Code::PathMtuBlackhole), None, "{:?}", judged.codes());
    assert_eq!(judged.the(Code::PacketLoss).count, 8);
}

/// The client had the SYN-ACK all along, and repeated ones come only as the ACK of it was lost: nothing bears out that
/// those which its capture lacks were lost.
#[test]
fn repeats_of_what_had_arrived_are_not_lost_for_sure() {
    let handshake_ack = |wire: &Wire| wire.direction == C2S && wire.flags == ACK && wire.at < SEC;
    let path =
        move |wire: &Wire, _: &mut Rng| if handshake_ack(wire) { Passage::Lose } else { Passage::Pass };
    let mut sim = Sim::new(12).over(path);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.send(&mut sim, C2S, SYN, 0, 0);
    for at in [6 * MS, 2 * SEC, 4 * SEC] {
        talk.now = at;
        talk.send(&mut sim, S2C, SYN_ACK, 0, 0);
        talk.now += 6 * MS;
        talk.send(&mut sim, C2S, ACK, 1, 0);
    }
    talk.transfer(&mut sim, C2S, 40, 10);
    let seen = Cell::new(0);
    let captures = without(sim.captures(), 0, |segment| {
        segment.flags == SYN_ACK && {
            seen.set(seen.get() + 1);
            seen.get() > 1
        }
    });
    let judged = Judge::until(talk.now + 4 * SEC).of_captures(captures);
    let found = judged.find(Code::PacketLoss);
    assert!(found.is_none_or(|found| found.confidence < Confidence::Proven), "{found:?}");
}
