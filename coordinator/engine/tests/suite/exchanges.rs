//! Where the time of exchanges goes, on paths and with hosts whose times are known.

use super::judge::{Judge, Judgement};
use super::sim::{MS, Offload, Passage, SEC, Sim, US};
use super::talk::{ACK, C2S, S2C, Talk};
use correlate_proto::Direction;
use correlate_proto::report::{Code, ConnectionReport, Details, ExchangesReport, Severity};
use proptest::prelude::*;

/// A client that asks, a server that answers, again and again, in virtual time.
#[derive(Debug, Clone, Copy)]
struct Dialogue {
    exchanges: u32,
    /// Segments of a request, and of an answer.
    segments: [u32; 2],
    /// Before a request at the client, and before an answer at the server.
    think: [i64; 2],
    /// Pause of the client within a request.
    pause: i64,
}

const PLAIN: Dialogue = Dialogue { exchanges: 5, segments: [1, 3], think: [20 * MS, 30 * MS], pause: 0 };

impl Dialogue {
    /// Plays it from 0 on; gives its end.
    fn play(self, sim: &mut Sim, port: u16) -> i64 {
        let mut talk = Talk::new(sim, port, 0);
        talk.open(sim);
        for _ in 0..self.exchanges {
            talk.now += self.think[0];
            talk.transfer_at_once(sim, C2S, self.segments[0]);
            if self.pause > 0 {
                talk.now += self.pause;
                talk.transfer_at_once(sim, C2S, self.segments[0]);
            }
            talk.now += self.think[1];
            talk.transfer_at_once(sim, S2C, self.segments[1]);
        }
        talk.close(sim, C2S);
        talk.now
    }

    fn judge(self, mut sim: Sim, shift: i64) -> Judgement {
        let end = self.play(&mut sim, 40_000);
        Judge { shift: [0, shift], ..Judge::until(end + 5 * SEC) }.of(sim)
    }
}

fn only(judged: &Judgement) -> &ConnectionReport {
    assert_eq!(judged.report.connections.len(), 1);
    &judged.report.connections[0]
}

#[track_caller]
fn exchanges(judged: &Judgement) -> ExchangesReport {
    only(judged).exchanges.expect("exchanges")
}

fn quiet(seed: u64) -> Sim {
    let mut sim = Sim::new(seed);
    (sim.delay, sim.jitter) = ([4 * MS, 6 * MS], 0);
    sim
}

/// The parts of each split add up to its whole.
fn adds_up(report: &ExchangesReport) {
    for time in [report.total, report.slowest.time] {
        assert_eq!(time.parts_ns(), time.whole_ns, "{time:?}");
        let ways = time.network.client_to_server.total_ns() + time.network.server_to_client.total_ns();
        assert_eq!(time.network.propagation_ns + ways, time.network.total_ns);
        assert!(time.client.think_ns >= 0 && time.server.think_ns >= 0, "{time:?}");
    }
}

#[test]
fn think_times_are_exact_and_the_rest_is_the_path() {
    let judged = PLAIN.judge(quiet(1), 37 * SEC);
    let report = exchanges(&judged);
    adds_up(&report);
    assert_eq!((report.count, report.incomplete, report.overlapping), (5, 0, 0));
    let total = report.total;
    assert!((total.server.think_ns - 5 * 30 * MS).abs() < MS, "{total:?}");
    assert!((total.network.propagation_ns - 5 * 10 * MS).abs() < 50 * US, "{total:?}");
    for way in [total.network.client_to_server, total.network.server_to_client] {
        assert!(way.queueing_ns < 50 * US && way.recovery_ns == 0 && way.window_ns == 0, "{way:?}");
    }
    judged.accuses_nobody();
}

#[test]
fn a_queue_is_found_in_its_direction_and_where_the_clocks_are_apart() {
    for slow in Direction::BOTH {
        let mut sim = quiet(2);
        // Each fourth packet with payload in that direction waits 15 ms.
        let mut count = 0;
        sim.path = Box::new(move |wire, _| {
            count += u32::from(wire.direction == slow && wire.payload_len > 0);
            let waits = wire.direction == slow && wire.payload_len > 0 && count % 4 == 0;
            if waits { Passage::Late(15 * MS) } else { Passage::Pass }
        });
        let dialogue = Dialogue { exchanges: 20, segments: [1, 1], ..PLAIN };
        let judged = dialogue.judge(sim, -5 * SEC);
        let report = exchanges(&judged);
        adds_up(&report);
        let ways = [report.total.network.client_to_server, report.total.network.server_to_client];
        let (queued, free) = (ways[slow.index()], ways[slow.reversed().index()]);
        assert!((queued.queueing_ns - 5 * 15 * MS).abs() < 200 * US, "{report:?}");
        assert!(free.queueing_ns < 200 * US, "{report:?}");
        let directions = &only(&judged).directions;
        let directions = [&directions.client_to_server, &directions.server_to_client];
        let waits = directions[slow.index()].queueing_ns.expect("queueing");
        assert!((waits.p99 - 15 * MS).abs() < 100 * US && waits.p50 < 100 * US, "{waits:?}");
        let delay = directions[slow.index()].one_way_delay_ns.expect("delay");
        let truth = [4 * MS, 6 * MS][slow.index()];
        assert!((delay.min - truth).abs() <= delay.uncertainty, "{delay:?}");
    }
}

#[test]
fn a_lost_answer_costs_its_recovery_in_its_direction() {
    for lossy in Direction::BOTH {
        let mut sim = quiet(3);
        let mut lost = false;
        sim.path = Box::new(move |wire, _| {
            let first = wire.direction == lossy && wire.payload_len > 0 && wire.at > 100 * MS && !lost;
            lost |= first;
            if first { Passage::Lose } else { Passage::Pass }
        });
        let judged = Dialogue { segments: [1, 1], ..PLAIN }.judge(sim, 0);
        let report = exchanges(&judged);
        adds_up(&report);
        let network = report.slowest.time.network;
        let ways = [network.client_to_server, network.server_to_client];
        let recovery = ways[lossy.index()].recovery_ns;
        // The simulated sender repeats a lost segment after a round trip and 2 ms.
        assert!((12 * MS..13 * MS).contains(&recovery), "{report:?}");
        assert_eq!(ways[lossy.reversed().index()].recovery_ns, 0);
        assert_eq!(report.count, 5);
    }
}

#[test]
fn slow_hosts_are_named_with_both_numbers() {
    let slow_server = Dialogue { think: [10 * MS, 700 * MS], ..PLAIN };
    let slow_client = Dialogue { think: [600 * MS, 10 * MS], ..PLAIN };
    let halting_client = Dialogue { exchanges: 2, pause: 900 * MS, ..PLAIN };
    for (dialogue, code, other, least) in [
        (slow_server, Code::SlowServer, Code::SlowClient, 3500 * MS),
        (slow_client, Code::SlowClient, Code::SlowServer, 2400 * MS),
        (halting_client, Code::SlowClient, Code::SlowServer, 1780 * MS),
    ] {
        let judged = dialogue.judge(quiet(4), 11 * SEC);
        assert!(judged.find(other).is_none(), "{:?}", judged.codes());
        let found = judged.the(code);
        assert_eq!(found.severity, Severity::Info);
        let Details::Think { think_ns, network_ns, exchanges } = found.details else { panic!() };
        assert!((least..least + 50 * MS).contains(&think_ns), "{code}: {think_ns}");
        assert!(network_ns < 200 * MS && exchanges == u64::from(dialogue.exchanges));
        assert_eq!(found.evidence.len(), 2);
    }
}

#[test]
fn a_client_that_has_nothing_to_ask_is_not_slow() {
    // One silence between two dialogues, or silences longer than any dialogue has.
    for (exchanges, think) in [(2, 5 * SEC), (4, 20 * SEC)] {
        let judged = Dialogue { exchanges, think: [think, 10 * MS], ..PLAIN }.judge(quiet(5), 0);
        assert!(judged.find(Code::SlowClient).is_none(), "{exchanges}");
    }
}

#[test]
fn a_slow_path_is_not_a_slow_host() {
    let mut sim = quiet(6);
    sim.delay = [150 * MS, 150 * MS];
    let judged = Dialogue { think: [10 * MS, 300 * MS], ..PLAIN }.judge(sim, 0);
    assert!(judged.find(Code::SlowServer).is_none());
}

#[test]
fn both_ends_sending_at_once_gives_no_exchanges() {
    let mut sim = quiet(7);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    for _ in 0..40 {
        for side in Direction::BOTH {
            let offset = talk.stacks[side.index()].next;
            talk.send(&mut sim, side, ACK, offset, 1000);
            talk.now += MS;
        }
    }
    let judged = Judge::until(talk.now + 5 * SEC).of(sim);
    assert_eq!(only(&judged).exchanges, None);
    assert!(only(&judged).directions.client_to_server.queueing_ns.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_parts_of_an_exchange_are_its_whole_and_captures_that_miss_accuse_no_host(
        seed: u64, loss in 0u64..60, misses in 0u64..100, shift in -100 * SEC..100 * SEC,
        client in 0i64..150, server in 0i64..150, segments in prop::array::uniform2(1u32..20), offload: bool,
    ) {
        let mut sim = Sim::new(seed).over(move |wire, rng| {
            if wire.payload_len > 0 && rng.chance(loss) { Passage::Lose } else { Passage::Pass }
        });
        sim.misses = [misses, misses];
        if offload {
            sim.offload = [Offload::Known(20), Offload::Unknown(20)];
        }
        let dialogue = Dialogue { exchanges: 12, segments, think: [client * MS, server * MS], pause: 0 };
        let judged = dialogue.judge(sim, shift);
        for connection in &judged.report.connections {
            if let Some(report) = &connection.exchanges {
                adds_up(report);
                prop_assert!(report.slowest.time.server.think_ns <= (server + 1) * MS + 600 * MS);
            }
        }
        for code in [Code::SlowServer, Code::SlowClient] {
            prop_assert!(judged.find(code).is_none(), "{:?}", judged.the(code));
        }
    }
}
