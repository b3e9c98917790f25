//! A called host whose queue is full drops what reached it; its counters tell, or its repeated SYN-ACK.

use super::judge::Judge;
use super::sim::{MS, Passage, SEC, Sim};
use super::talk::{ACK, C2S, S2C, SYN, SYN_ACK, Talk};
use correlate_proto::report::{Code, Confidence, Details, Location};

/// Three SYNs that reach the server and get no answer.
fn unanswered() -> (Sim, Talk) {
    let mut sim = Sim::new(61);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    for _ in 0..3 {
        talk.send(&mut sim, C2S, SYN, 0, 0);
        talk.now += SEC;
    }
    (sim, talk)
}

/// The server's counters read each second; the one of that name moves between the first two readings.
fn readings(name: &'static str, by: u64) -> Vec<(i64, &'static str, u64)> {
    (-1..6).map(|second| (second * SEC, name, if second == 1 { by } else { 0 })).collect()
}

fn judge(talk: &Talk, counters: Vec<(i64, &'static str, u64)>) -> Judge {
    Judge { counters: [Vec::new(), counters], ..Judge::until(talk.now + 6 * SEC) }
}

#[test]
fn syns_that_the_host_counts_as_dropped_met_a_full_queue() {
    for name in ["TcpExtListenOverflows", "TcpExtListenDrops", "TcpExtTCPReqQFullDrop"] {
        let (sim, talk) = unanswered();
        let judged = judge(&talk, readings(name, 3)).of(sim);
        judged.accuses_of(&[Code::AcceptQueueFull]);
        let found = judged.the(Code::AcceptQueueFull);
        assert_eq!((found.location, found.confidence), (Location::ServerHost, Confidence::Proven));
        let expected = Details::HostDrop { packets: 3, counters: [(name.to_owned(), 3)].into() };
        assert_eq!(found.details, expected);
        assert!(found.sentence.contains(&format!("{name} +3")), "{}", found.sentence);
    }
}

#[test]
fn fewer_drops_than_syns_may_be_another_listeners() {
    let (sim, talk) = unanswered();
    let judged = judge(&talk, readings("TcpExtListenOverflows", 1)).of(sim);
    assert_eq!(judged.the(Code::AcceptQueueFull).confidence, Confidence::Likely);
}

#[test]
fn a_silent_host_is_told_with_what_its_counters_say() {
    let table = [
        (readings("TcpExtIPReversePathFilter", 3), "TcpExtIPReversePathFilter +3 moved"),
        (readings("TcpOutRsts", 3), "none of the host's counters that would tell why moved"),
        (Vec::new(), "were not read"),
    ];
    for (counters, words) in table {
        let (sim, talk) = unanswered();
        let judged = judge(&talk, counters).of(sim);
        judged.accuses_of(&[Code::SynUnanswered]);
        let sentence = &judged.the(Code::SynUnanswered).sentence;
        assert!(sentence.contains(words), "{sentence}");
    }
}

/// The handshake's last ACK arrives, and the server repeats its SYN-ACK so often.
fn repeated_after_the_ack(times: u32) -> (Sim, Talk) {
    let mut sim = Sim::new(62);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.send(&mut sim, C2S, SYN, 0, 0);
    talk.now += 10 * MS;
    talk.stacks[1].received = 1;
    talk.send(&mut sim, S2C, SYN_ACK, 0, 0);
    talk.now += 10 * MS;
    talk.stacks[0].received = 1;
    talk.send(&mut sim, C2S, ACK, 1, 0);
    for _ in 0..times {
        talk.now += SEC;
        talk.send(&mut sim, S2C, SYN_ACK, 0, 0);
        talk.now += 10 * MS;
        talk.send(&mut sim, C2S, ACK, 1, 0);
    }
    (sim, talk)
}

#[test]
fn a_syn_ack_repeated_although_the_ack_arrived_met_a_full_queue() {
    let (sim, talk) = repeated_after_the_ack(3);
    let judged = judge(&talk, Vec::new()).of(sim);
    judged.accuses_of(&[Code::AcceptQueueFull]);
    assert_eq!(judged.the(Code::AcceptQueueFull).confidence, Confidence::Strong);
    let (sim, talk) = repeated_after_the_ack(3);
    let judged = judge(&talk, readings("TcpExtListenOverflows", 3)).of(sim);
    assert_eq!(judged.the(Code::AcceptQueueFull).confidence, Confidence::Proven);
}

#[test]
fn a_listener_that_defers_accepting_is_accused_of_nothing() {
    let (sim, talk) = repeated_after_the_ack(1);
    let judged = judge(&talk, Vec::new()).of(sim);
    assert_eq!(judged.the(Code::AcceptQueueFull).confidence, Confidence::Unconfirmed);
}

#[test]
fn a_syn_ack_repeated_because_the_ack_was_lost_is_no_full_queue() {
    let mut sim = Sim::new(63).over(|wire, _| {
        let first_ack = wire.flags == ACK && wire.at < SEC;
        if first_ack { Passage::Lose } else { Passage::Pass }
    });
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.send(&mut sim, C2S, SYN, 0, 0);
    talk.now += 10 * MS;
    talk.stacks[1].received = 1;
    talk.send(&mut sim, S2C, SYN_ACK, 0, 0);
    talk.now += 10 * MS;
    talk.stacks[0].received = 1;
    talk.send(&mut sim, C2S, ACK, 1, 0);
    talk.now += SEC;
    talk.send(&mut sim, S2C, SYN_ACK, 0, 0);
    talk.now += 10 * MS;
    talk.send(&mut sim, C2S, ACK, 1, 0);
    let judged = judge(&talk, Vec::new()).of(sim);
    assert!(judged.find(Code::AcceptQueueFull).is_none(), "{:?}", judged.codes());
}
