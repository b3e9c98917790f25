//! Connections that a device forgets while they are idle.

use super::judge::{Judge, Judgement};
use super::sim::{MS, Passage, SEC, Sim};
use super::talk::{ACK, C2S, RST, S2C, Talk};
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, Details, Location};

/// The connection that is forgotten.
const PORT: u16 = 40_000;

/// A connection that exchanges something, is silent for `idle`, and then sends in vain from `sender`, while the
/// path carries everything else, if `beside`.
fn silent_for(idle: i64, sender: Direction, beside: bool) -> Judgement {
    let wakes = 2 * SEC + idle;
    let mut sim = Sim::new(71).over(move |wire, _| {
        let forgotten = wire.at >= wakes && wire.payload_len == 300;
        if forgotten { Passage::Lose } else { Passage::Pass }
    });
    let mut talk = Talk::new(&mut sim, PORT, 0);
    talk.open(&mut sim);
    for direction in [C2S, S2C] {
        let next = talk.stacks[direction.index()].next;
        talk.send(&mut sim, direction, ACK, next, 200);
        talk.now += 20 * MS;
        talk.ack(&mut sim, direction.reversed());
        talk.now += 20 * MS;
    }
    talk.now = wakes;
    let next = talk.stacks[sender.index()].next;
    let mut wait = 200 * MS;
    for _ in 0..6 {
        talk.send(&mut sim, sender, ACK, next, 300);
        talk.now += wait;
        wait *= 2;
    }
    if beside {
        for number in 1u16..30 {
            let at = i64::from(number) * (talk.now / 30);
            Talk::new(&mut sim, PORT + number, at).whole(&mut sim, 2, 2);
        }
    }
    Judge::until(talk.now + 6 * SEC).of(sim)
}

#[test]
fn what_vanishes_after_a_silence_while_others_pass_was_forgotten() {
    for sender in Direction::BOTH {
        let judged = silent_for(5 * SEC, sender, true);
        judged.accuses_of(&[Code::IdleExpiry]);
        let found = judged.the(Code::IdleExpiry);
        assert_eq!((found.location, found.direction), (Location::PathDevice, Some(sender)));
        assert_eq!(found.confidence, Confidence::Strong);
        assert!(matches!(found.details, Details::Idle { idle_ms: 4_900..=7_000 }), "{:?}", found.details);
    }
}

#[test]
fn alone_on_its_path_no_silence_tells() {
    for idle in [5 * SEC, 300 * SEC] {
        let judged = silent_for(idle, C2S, false);
        assert!(judged.find(Code::IdleExpiry).is_none(), "{:?}", judged.codes());
    }
}

#[test]
fn what_vanishes_without_a_silence_before_it_was_not_forgotten() {
    let judged = silent_for(300 * MS - 2 * SEC, C2S, true);
    assert!(judged.find(Code::IdleExpiry).is_none(), "{:?}", judged.codes());
}

/// The connection is silent for a minute; then the client sends, and a RST in the server's name answers, or the RST
/// comes without a word from the client.
fn reset_after_a_silence(provoked: bool) -> Judgement {
    let mut sim = Sim::new(72).over(move |wire, _| {
        if wire.at >= 60 * SEC && wire.payload_len == 300 { Passage::Lose } else { Passage::Pass }
    });
    let mut talk = Talk::new(&mut sim, PORT, 0);
    talk.open(&mut sim);
    talk.now = 62 * SEC;
    if provoked {
        let next = talk.stacks[0].next;
        talk.send(&mut sim, C2S, ACK, next, 300);
        talk.now += 10 * MS;
    }
    let next = talk.stacks[1].next;
    let mut forged = talk.packet(S2C, RST, next, 0);
    forged.ip.ttl = 250;
    forged.ip.id = Some(0x4242);
    sim.forge(S2C, forged);
    Judge::until(talk.now + 6 * SEC).of(sim)
}

#[test]
fn a_reset_that_the_first_packet_after_a_silence_provokes_tells_of_a_device_that_forgot() {
    let judged = reset_after_a_silence(true);
    judged.accuses_of(&[Code::IdleExpiry]);
    let found = judged.the(Code::IdleExpiry);
    assert_eq!(found.direction, Some(C2S));
    assert!(matches!(found.details, Details::Idle { idle_ms: 60_000..=62_000 }), "{:?}", found.details);
}

#[test]
fn a_reset_that_nothing_provokes_is_forged_however_long_the_silence() {
    let judged = reset_after_a_silence(false);
    judged.accuses_of(&[Code::RstInjected]);
}
