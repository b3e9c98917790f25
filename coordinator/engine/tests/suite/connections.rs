//! Connections of unusual shape on a healthy path.

use super::judge::{Judge, Judgement};
use super::sim::{MS, Passage, SEC, Sim};
use super::talk::{ACK, C2S, FIN_ACK, S2C, Talk};
use correlate_proto::report::ClosedBy;

fn clean(talk: &Talk, sim: Sim) -> Judgement {
    let judged = Judge::until(talk.now + 6 * SEC).of(sim);
    judged.accuses_nobody();
    assert_eq!(judged.lost(), [0, 0]);
    assert_eq!(judged.fates, []);
    judged
}

#[test]
fn a_port_that_is_used_again_is_another_connection() {
    let mut sim = Sim::new(51);
    let mut now = 0;
    for _ in 0..5 {
        let mut talk = Talk::new(&mut sim, 40_000, now);
        talk.whole(&mut sim, 10, 20);
        now = talk.now + 300 * MS;
    }
    let mut last = Talk::new(&mut sim, 40_001, now);
    last.whole(&mut sim, 1, 1);
    let judged = clean(&last, sim);
    assert_eq!(judged.report.connection_totals.total, 6);
    assert_eq!(judged.report.connection_totals.by_outcome.get("healthy"), Some(&6));
}

#[test]
fn sequence_numbers_may_wrap_anywhere() {
    for before in [0, 1, 2, 700, 1447, 1448, 1449, 30_000, 1 << 31] {
        for direction in [C2S, S2C] {
            let mut sim = Sim::new(52);
            let mut talk = Talk::new(&mut sim, 40_000, 0);
            talk.stacks[direction.index()].isn = 0u32.wrapping_sub(before);
            talk.whole(&mut sim, 60, 60);
            let judged = clean(&talk, sim);
            let directions = &judged.report.connections[0].directions;
            let bytes = [directions.client_to_server.bytes, directions.server_to_client.bytes];
            assert_eq!(bytes, [60 * 1448; 2], "ISN {before} before the wrap");
        }
    }
}

#[test]
fn a_stream_of_five_gigabytes_is_numbered_through() {
    let mut sim = Sim::new(53);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    let size = 512 * 1024;
    for _ in 0..10_000 {
        let next = talk.stacks[0].next;
        talk.send(&mut sim, C2S, ACK, next, size);
        talk.now += MS;
    }
    talk.now += 10 * MS;
    talk.close(&mut sim, C2S);
    let judged = clean(&talk, sim);
    assert_eq!(judged.report.connections[0].directions.client_to_server.bytes, 10_000 * u64::from(size));
}

#[test]
fn both_ends_may_close_at_once() {
    let mut sim = Sim::new(54);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    talk.transfer(&mut sim, C2S, 10, 10);
    let ends = [talk.stacks[0].next, talk.stacks[1].next];
    // Both are made before either arrives.
    let fins = [talk.packet(C2S, FIN_ACK, ends[0], 0), talk.packet(S2C, FIN_ACK, ends[1], 0)];
    talk.put(&mut sim, C2S, fins[0], ends[0]);
    talk.put(&mut sim, S2C, fins[1], ends[1]);
    talk.now += 6 * MS;
    talk.ack(&mut sim, C2S);
    talk.ack(&mut sim, S2C);
    let judged = clean(&talk, sim);
    assert_eq!(judged.report.connections[0].closed_by, Some(ClosedBy::Both));
    assert_eq!(judged.report.connections[0].state, "closed");
}

#[test]
fn one_end_may_close_long_before_the_other() {
    let mut sim = Sim::new(55);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    let next = talk.stacks[0].next;
    let at = talk.send(&mut sim, C2S, FIN_ACK, next, 0).unwrap();
    talk.now = at + MS;
    talk.ack(&mut sim, S2C);
    talk.now += 9 * SEC;
    talk.transfer(&mut sim, S2C, 50, 10);
    let judged = clean(&talk, sim);
    assert_eq!(judged.report.connections[0].state, "half-closed");
    assert_eq!(judged.report.connections[0].closed_by, Some(ClosedBy::Client));
}

#[test]
fn keep_alives_and_zero_window_probes_are_neither_loss_nor_death() {
    for (octets, stamps) in [(0, true), (1, true), (0, false), (1, false)] {
        let mut sim = Sim::new(56);
        let mut talk = Talk::new(&mut sim, 40_000, 0);
        talk.stamps = stamps;
        talk.open(&mut sim);
        talk.transfer(&mut sim, C2S, 4, 4);
        talk.transfer(&mut sim, S2C, 4, 4);
        for _ in 0..20 {
            talk.now += 15 * SEC;
            let probe = talk.stacks[0].next - 1;
            let at = talk.send(&mut sim, C2S, ACK, probe, octets).unwrap();
            talk.now = at + MS;
            talk.ack(&mut sim, S2C);
        }
        talk.now += SEC;
        clean(&talk, sim);
    }
}

#[test]
fn a_connection_caught_in_mid_stream_is_judged_from_there() {
    let mut sim = Sim::new(57);
    let mut talk = Talk::new(&mut sim, 40_000, -5 * SEC);
    talk.open(&mut sim);
    talk.now = -20 * MS;
    sim.running = [(0, i64::MAX); 2];
    talk.transfer(&mut sim, C2S, 300, 10);
    talk.transfer(&mut sim, S2C, 300, 10);
    let judge = Judge { coverage: [Some((0, talk.now + 6 * SEC)); 2], ..Judge::default() };
    let judged = judge.of(sim);
    judged.accuses_nobody();
    assert_eq!(judged.lost(), [0, 0]);
    assert_eq!(judged.report.connections[0].state, "mid-stream");
}

#[test]
fn a_loss_in_mid_stream_is_found_all_the_same() {
    let mut sim = Sim::new(58).over(|wire, _| {
        let lose = wire.at > SEC && wire.direction == C2S && wire.payload_len > 0 && wire.index % 50 == 0;
        if lose { Passage::Lose } else { Passage::Pass }
    });
    let mut talk = Talk::new(&mut sim, 40_000, -5 * SEC);
    talk.open(&mut sim);
    sim.running = [(0, i64::MAX); 2];
    talk.now = 0;
    talk.transfer(&mut sim, C2S, 2000, 10);
    let made = sim.lost;
    assert!(made[0] > 5);
    let judge = Judge { coverage: [Some((0, talk.now + 6 * SEC)); 2], ..Judge::default() };
    assert_eq!(judge.of(sim).lost(), made);
}

#[test]
fn mid_stream_captures_with_clocks_an_hour_apart_are_no_loss() {
    for shift in [-3600 * SEC, 3600 * SEC] {
        let mut sim = Sim::new(2);
        sim.running = [(100 * MS, i64::MAX); 2];
        let mut talk = Talk::new(&mut sim, 40_000, 0);
        talk.open(&mut sim);
        talk.transfer(&mut sim, C2S, 6000, 100);
        Judge { shift: [0, shift], ..Judge::default() }.of(sim).accuses_nobody();
    }
}
