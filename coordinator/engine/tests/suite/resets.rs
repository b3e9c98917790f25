//! Resets: genuine, lost, forged, and how sure the engine is of each.

use super::judge::{Judge, Judgement};
use super::sim::{MS, Passage, SEC, Sim};
use super::talk::{ACK, C2S, RST, RST_ACK, S2C, Talk};
use correlate_proto::report::{ClosedBy, Code, Confidence, Details, Severity, Toward};
use correlate_proto::{Direction, Segment};

/// A connection that has carried something both ways.
fn established(sim: &mut Sim) -> Talk {
    let mut talk = Talk::new(sim, 40_000, 0);
    talk.open(sim);
    talk.transfer(sim, C2S, 20, 10);
    talk.transfer(sim, S2C, 20, 10);
    talk
}

fn judge(talk: &Talk, sim: Sim) -> Judgement {
    Judge::until(talk.now + 6 * SEC).of(sim)
}

#[test]
fn a_reset_of_a_hosts_own_stack_is_a_note() {
    for sender in Direction::BOTH {
        let mut sim = Sim::new(41);
        let mut talk = established(&mut sim);
        let next = talk.stacks[sender.index()].next;
        talk.send(&mut sim, sender, RST_ACK, next, 0);
        let judged = judge(&talk, sim);
        judged.accuses_nobody();
        let code = if sender == C2S { Code::ResetByClient } else { Code::ResetByServer };
        assert_eq!(judged.the(code).severity, Severity::Info);
        assert_eq!(judged.report.connections[0].closed_by, Some(ClosedBy::Reset));
    }
}

#[test]
fn a_reset_that_never_arrives_is_lost() {
    for sender in Direction::BOTH {
        let mut sim =
            Sim::new(42).over(|wire, _| if wire.flags == RST_ACK { Passage::Lose } else { Passage::Pass });
        let mut talk = established(&mut sim);
        let next = talk.stacks[sender.index()].next;
        talk.send(&mut sim, sender, RST_ACK, next, 0);
        let judged = judge(&talk, sim);
        judged.accuses_of(&[Code::RstLost]);
        assert_eq!(judged.the(Code::RstLost).direction, Some(sender));
    }
}

#[test]
fn a_reset_at_the_very_end_of_the_other_capture_is_not_lost() {
    let mut sim =
        Sim::new(42).over(|wire, _| if wire.flags == RST_ACK { Passage::Lose } else { Passage::Pass });
    let mut talk = established(&mut sim);
    let next = talk.stacks[0].next;
    talk.send(&mut sim, C2S, RST_ACK, next, 0);
    Judge::until(talk.now + 20 * MS).of(sim).accuses_nobody();
}

/// How a forged RST gives itself away.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent mistakes of a forger")]
struct Clumsy {
    ttl: bool,
    stamps: bool,
    seq: bool,
    peer_goes_on: bool,
    /// It does not: it guesses the nominal sender's next identification.
    copies_id: bool,
}

/// Forges a RST of `sender` toward the other end.
fn forge(sim: &mut Sim, talk: &mut Talk, sender: Direction, clumsy: Clumsy) {
    let next = talk.stacks[sender.index()].next;
    // The forger does not make the host count its packets on.
    let forged = talk.clone().packet(sender, RST, next, 0);
    let mut ip = forged.ip;
    ip.ttl = if clumsy.ttl { 255 } else { forged.ip.ttl - 3 };
    if !clumsy.copies_id {
        ip.id = ip.id.map(|id| id ^ 0x4000);
    }
    let mut options = forged.options;
    if clumsy.stamps {
        options.timestamps = None;
    }
    let seq = if clumsy.seq { forged.seq.add(1460) } else { forged.seq };
    sim.forge(sender, Segment { ip, options, seq, ..forged });
}

fn forged_toward(end: Direction, clumsy: Clumsy, dropped: u64) -> Judgement {
    let mut sim = Sim::new(43);
    let mut talk = established(&mut sim);
    talk.now += SEC;
    let sender = end.reversed();
    forge(&mut sim, &mut talk, sender, clumsy);
    if clumsy.peer_goes_on {
        for _ in 0..3 {
            talk.now += 300 * MS;
            let next = talk.stacks[sender.index()].next;
            talk.send(&mut sim, sender, ACK, next, 200);
        }
    }
    let mut judge = Judge::until(talk.now + 6 * SEC);
    judge.dropped_by_kernel[sender.index()] = dropped;
    judge.of(sim)
}

#[test]
fn a_forged_reset_is_graded_by_what_gives_it_away() {
    let nothing = Clumsy::default();
    let table = [
        // A file may lack a packet; and a reset of which nothing is odd is real more often than not.
        (nothing, 0, Confidence::Unconfirmed),
        (Clumsy { seq: true, ..nothing }, 0, Confidence::Strong),
        (Clumsy { ttl: true, ..nothing }, 0, Confidence::Strong),
        (Clumsy { seq: true, stamps: true, ..nothing }, 0, Confidence::Strong),
        (Clumsy { peer_goes_on: true, ..nothing }, 0, Confidence::Strong),
        (Clumsy { ttl: true, peer_goes_on: true, ..nothing }, 0, Confidence::Proven),
        (Clumsy { seq: true, stamps: true, copies_id: true, ..nothing }, 0, Confidence::Likely),
        // Where the sender's capture counted drops, the RST may be among them.
        (nothing, 5, Confidence::Unconfirmed),
        (Clumsy { ttl: true, ..nothing }, 5, Confidence::Likely),
        (Clumsy { ttl: true, peer_goes_on: true, ..nothing }, 5, Confidence::Strong),
    ];
    for end in Direction::BOTH {
        for (place, &(clumsy, dropped, confidence)) in table.iter().enumerate() {
            let judged = forged_toward(end, clumsy, dropped);
            let found = judged.the(Code::RstInjected);
            assert_eq!(found.confidence, confidence, "row {place}");
            let toward = if end == C2S { Toward::Client } else { Toward::Server };
            assert_eq!(found.toward, Some(toward), "toward {end:?}");
        }
    }
}

#[test]
fn resets_forged_toward_both_ends_are_one_finding() {
    let mut sim = Sim::new(44);
    let mut talk = established(&mut sim);
    talk.now += 70 * SEC;
    for sender in Direction::BOTH {
        forge(&mut sim, &mut talk, sender, Clumsy::default());
    }
    let judged = judge(&talk, sim);
    judged.accuses_of(&[Code::RstInjected]);
    let found = judged.the(Code::RstInjected);
    assert_eq!((found.toward, found.confidence), (Some(Toward::Both), Confidence::Proven));
    assert!(
        matches!(found.details, Details::Injected { idle_ms: 70_000.., both_ends: true, .. }),
        "{:?}",
        found.details
    );
}

#[test]
fn a_forged_reset_from_beyond_a_capture_that_may_not_have_run_accuses_nobody() {
    let mut sim = Sim::new(45);
    let mut talk = established(&mut sim);
    let until = talk.now;
    talk.now += 20 * SEC;
    forge(&mut sim, &mut talk, S2C, Clumsy { ttl: true, ..Clumsy::default() });
    sim.running[1] = (-SEC, until);
    let judge = Judge { coverage: [Some((-SEC, until + 30 * SEC)), Some((-SEC, until))], ..Judge::default() };
    judge.of(sim).accuses_nobody();
}

#[test]
fn a_reset_behind_an_orderly_close_is_no_news() {
    let mut sim = Sim::new(46);
    let mut talk = established(&mut sim);
    talk.close(&mut sim, S2C);
    let next = talk.stacks[0].next;
    talk.send(&mut sim, C2S, RST, next, 0);
    let judged = judge(&talk, sim);
    judged.accuses_nobody();
    assert!(judged.find(Code::ResetByClient).is_none());
}
