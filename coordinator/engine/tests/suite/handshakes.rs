//! Every row of the handshake's grid, opened from either host, with captures that cover it and with captures that
//! do not.

use super::judge::{Judge, Judgement};
use super::sim::{MS, Passage, SEC, Sim, US};
use super::talk::{ACK, C2S, RST, RST_ACK, S2C, SYN, SYN_ACK, Talk};
use correlate_proto::report::{Code, Confidence, Details, Location, Severity, Status};
use correlate_proto::{Direction, IcmpKind, TcpFlags};

fn path_of(direction: Direction) -> Location {
    if direction == C2S { Location::ClientToServerPath } else { Location::ServerToClientPath }
}

fn host_of(direction: Direction) -> Location {
    if direction == C2S { Location::ClientHost } else { Location::ServerHost }
}

/// The far end of a connection that `opener`'s host opens.
fn far(opener: Direction) -> usize {
    opener.reversed().index()
}

/// One healthy connection, so that both captures show frames of both hosts, and then a connection of `opener` that
/// loses each packet with one of `flags`.
fn losing(opener: Direction, flags: TcpFlags) -> (Sim, Talk) {
    let mut sim =
        Sim::new(21).over(
            move |wire, _| {
                if wire.at >= SEC && wire.flags == flags { Passage::Lose } else { Passage::Pass }
            },
        );
    Talk::new(&mut sim, 39_999, 0).whole(&mut sim, 2, 2);
    let mut talk = Talk::new(&mut sim, 40_000, SEC).opened_by(opener);
    talk.open(&mut sim);
    (sim, talk)
}

/// Both captures ran throughout.
fn covered(talk: &Talk) -> Judge {
    Judge::until(talk.now + 6 * SEC)
}

/// Nothing tells that the capture of `end` ran after its first connection.
fn uncovered(talk: &Talk, end: usize) -> Judge {
    let mut judge = covered(talk);
    judge.coverage[end] = Some((-SEC, SEC / 2));
    judge
}

/// No verdict above info, and the connection named as seen at one end only.
fn is_unpaired(judged: &Judgement) {
    judged.accuses_nobody();
    assert_eq!(judged.the(Code::UnpairedConnection).severity, Severity::Info);
}

#[test]
fn syns_that_never_arrive_are_lost_on_the_path() {
    for opener in Direction::BOTH {
        let (sim, talk) = losing(opener, SYN);
        let judged = covered(&talk).of(sim);
        judged.accuses_of(&[Code::SynLost]);
        let found = judged.the(Code::SynLost);
        assert_eq!((found.location, found.direction), (path_of(opener), Some(opener)));
        assert_eq!(found.confidence, Confidence::Proven);
        assert_eq!(found.details, Details::Counts { sent: 6, received: 0 });
    }
}

#[test]
fn syns_that_never_arrive_at_a_capture_that_may_not_have_run_prove_nothing() {
    for opener in Direction::BOTH {
        let (sim, talk) = losing(opener, SYN);
        is_unpaired(&uncovered(&talk, far(opener)).of(sim));
    }
}

#[test]
fn syns_to_a_capture_that_shows_no_frame_at_all_are_not_captured() {
    let mut sim = Sim::new(22).over(|_, _| Passage::Lose);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    let judged = covered(&talk).of(sim);
    judged.accuses_nobody();
    assert_eq!(judged.the(Code::NotCaptured).severity, Severity::Info);
    assert_eq!(judged.report.verdict.status, Status::Inconclusive);
}

#[test]
fn the_same_is_lost_if_the_user_vouches_for_that_capture() {
    let mut sim = Sim::new(22).over(|_, _| Passage::Lose);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    let judged = Judge { vouched: [false, true], ..covered(&talk) }.of(sim);
    judged.accuses_of(&[Code::SynLost]);
}

#[test]
fn the_same_is_lost_if_the_file_shows_frames_of_both_hosts() {
    let mut sim = Sim::new(22).over(|_, _| Passage::Lose);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    let seen = talk.ends.0.map(|end| end.addr).to_vec();
    let judged = Judge { seen, ..covered(&talk) }.of(sim);
    judged.accuses_of(&[Code::SynLost]);
}

#[test]
fn syn_acks_that_never_arrive_are_lost_on_the_way_back() {
    for opener in Direction::BOTH {
        let (sim, talk) = losing(opener, SYN_ACK);
        let judged = covered(&talk).of(sim);
        judged.accuses_of(&[Code::SynAckLost]);
        let found = judged.the(Code::SynAckLost);
        let back = opener.reversed();
        assert_eq!((found.location, found.direction), (path_of(back), Some(back)));
        assert_eq!((found.confidence, found.count), (Confidence::Proven, 6));
    }
}

#[test]
fn syn_acks_to_a_capture_that_may_not_have_run_prove_nothing() {
    for opener in Direction::BOTH {
        let (mut sim, talk) = losing(opener, SYN_ACK);
        // The opener's capture stops behind its first SYN.
        sim.running[opener.index()] = (-SEC, SEC + MS);
        let mut judge = covered(&talk);
        judge.coverage[opener.index()] = Some((-SEC, SEC + MS));
        judge.of(sim).accuses_nobody();
    }
}

#[test]
fn syns_that_arrive_and_get_no_answer_are_unanswered() {
    for opener in Direction::BOTH {
        for syns in [1, 3] {
            let mut sim = Sim::new(23);
            let mut talk = Talk::new(&mut sim, 40_000, 0).opened_by(opener);
            for _ in 0..syns {
                talk.send(&mut sim, opener, SYN, 0, 0);
                talk.now += SEC;
            }
            let judged = covered(&talk).of(sim);
            judged.accuses_of(&[Code::SynUnanswered]);
            let found = judged.the(Code::SynUnanswered);
            assert_eq!(found.location, host_of(opener.reversed()));
            let grade = if syns > 1 { Confidence::Proven } else { Confidence::Strong };
            assert_eq!(found.confidence, grade);
        }
    }
}

#[test]
fn a_syn_in_the_last_second_of_a_capture_is_not_unanswered() {
    for opener in Direction::BOTH {
        let mut sim = Sim::new(23);
        let mut talk = Talk::new(&mut sim, 40_000, 0).opened_by(opener);
        talk.send(&mut sim, opener, SYN, 0, 0);
        let judged = Judge::until(SEC / 2).of(sim);
        judged.accuses_nobody();
    }
}

#[test]
fn an_opener_that_asks_again_after_the_answer_came_ignored_it() {
    for opener in Direction::BOTH {
        let mut sim = Sim::new(24);
        let mut talk = Talk::new(&mut sim, 40_000, 0).opened_by(opener);
        for _ in 0..3 {
            talk.send(&mut sim, opener, SYN, 0, 0);
            talk.now += 6 * MS;
            talk.send(&mut sim, opener.reversed(), SYN_ACK, 0, 0);
            talk.now += SEC;
        }
        let judged = covered(&talk).of(sim);
        judged.accuses_of(&[Code::SynAckIgnored]);
        assert_eq!(judged.the(Code::SynAckIgnored).location, host_of(opener));
    }
}

#[test]
fn a_last_ack_that_is_lost_is_a_warning_if_the_answer_was_repeated() {
    for opener in Direction::BOTH {
        let mut sim = Sim::new(25).over(move |wire, _| {
            if wire.direction == opener && wire.index == 1 { Passage::Lose } else { Passage::Pass }
        });
        let mut talk = Talk::new(&mut sim, 40_000, 0).opened_by(opener);
        talk.open(&mut sim);
        talk.now += SEC;
        if let Some(at) = talk.send(&mut sim, opener.reversed(), SYN_ACK, 0, 0) {
            talk.now = at + 30 * US;
        }
        talk.ack(&mut sim, opener);
        talk.now += 20 * MS;
        talk.transfer(&mut sim, opener, 20, 10);
        talk.transfer(&mut sim, opener.reversed(), 20, 10);
        let judged = covered(&talk).of(sim);
        judged.accuses_of(&[Code::HandshakeAckLost]);
        let found = judged.the(Code::HandshakeAckLost);
        assert_eq!((found.severity, found.direction), (Severity::Warning, Some(opener)));
    }
}

/// A SYN of `opener` that the far host answers with a RST, which `arrives` or not.
fn refusal(opener: Direction, arrives: bool) -> (Sim, Talk) {
    let mut sim = Sim::new(26)
        .over(move |wire, _| if wire.flags == RST_ACK && !arrives { Passage::Lose } else { Passage::Pass });
    let mut talk = Talk::new(&mut sim, 40_000, 0).opened_by(opener);
    talk.send(&mut sim, opener, SYN, 0, 0);
    talk.now += 6 * MS;
    let mut reset = talk.packet(opener.reversed(), RST_ACK, 0, 0);
    reset.seq = correlate_proto::SeqNum(0);
    reset.options.timestamps = None;
    sim.send(opener.reversed(), reset);
    talk.now += 10 * MS;
    (sim, talk)
}

#[test]
fn a_rst_of_the_called_host_is_its_refusal() {
    for opener in Direction::BOTH {
        for arrives in [true, false] {
            let (sim, talk) = refusal(opener, arrives);
            let judged = covered(&talk).of(sim);
            assert_eq!(judged.the(Code::ConnectionRefused).location, host_of(opener.reversed()));
            assert_eq!(judged.the(Code::ConnectionRefused).confidence, Confidence::Proven);
            assert!(judged.find(Code::RefusedInPath).is_none());
            assert!(judged.find(Code::RstInjected).is_none());
        }
    }
}

#[test]
fn an_icmp_error_of_the_called_host_is_its_refusal_and_a_routers_is_not() {
    for opener in Direction::BOTH {
        let mut sim = Sim::new(27);
        let mut talk = Talk::new(&mut sim, 40_000, 0).opened_by(opener);
        talk.send(&mut sim, opener, SYN, 0, 0);
        talk.now += 6 * MS;
        let (_, called) = talk.ends.of(opener);
        sim.icmp(opener.reversed(), talk.icmp_about(opener, called.addr, IcmpKind::PortUnreachable));
        talk.now += 6 * MS;
        sim.icmp(opener, talk.icmp_about(opener, called.addr, IcmpKind::PortUnreachable));
        let judged = covered(&talk).of(sim);
        judged.accuses_of(&[Code::ConnectionRefused]);

        let (mut sim, mut talk) = losing(opener, SYN);
        talk.now = SEC + 3 * MS;
        let router = "10.9.9.9".parse().unwrap();
        sim.icmp(opener, talk.icmp_about(opener, router, IcmpKind::Prohibited));
        let judged = Judge::until(20 * SEC).of(sim);
        judged.accuses_of(&[Code::RefusedInPath]);
        assert_eq!(judged.the(Code::RefusedInPath).location, Location::PathDevice);
    }
}

/// A SYN that a device answers with a RST in the called host's name; it passes on to that host or not.
fn refused_by_a_device(opener: Direction, passes: bool) -> (Sim, Talk) {
    let mut sim = Sim::new(28).over(move |wire, _| {
        if wire.at >= SEC && wire.flags == SYN && !passes { Passage::Lose } else { Passage::Pass }
    });
    Talk::new(&mut sim, 39_999, 0).whole(&mut sim, 2, 2);
    let mut talk = Talk::new(&mut sim, 40_000, SEC).opened_by(opener);
    talk.send(&mut sim, opener, SYN, 0, 0);
    talk.now += 4 * MS;
    talk.stacks[far(opener)].received = 1;
    let mut reset = talk.packet(opener.reversed(), RST_ACK, 0, 0);
    reset.seq = correlate_proto::SeqNum(0);
    reset.ip.ttl = 250;
    sim.forge(opener.reversed(), reset);
    (sim, talk)
}

#[test]
fn a_rst_that_the_called_host_never_sent_is_a_refusal_in_the_path() {
    for opener in Direction::BOTH {
        let (sim, talk) = refused_by_a_device(opener, false);
        let judged = covered(&talk).of(sim);
        judged.accuses_of(&[Code::RefusedInPath]);
        assert_eq!(judged.the(Code::RefusedInPath).confidence, Confidence::Strong);
    }
}

/// A host that a SYN reaches answers it, so that its capture may just lack the answer.
#[test]
fn a_rst_that_a_file_lacks_where_the_syn_is_in_it_is_a_suspicion() {
    for opener in Direction::BOTH {
        let (sim, talk) = refused_by_a_device(opener, true);
        let judged = covered(&talk).of(sim);
        assert_eq!(judged.the(Code::RefusedInPath).confidence, Confidence::Unconfirmed);
        assert_eq!(judged.report.verdict.status, Status::Inconclusive);
    }
}

#[test]
fn an_icmp_error_that_left_the_called_host_is_its_own_though_its_capture_lacks_the_syn() {
    for opener in Direction::BOTH {
        let (mut sim, mut talk) = losing(opener, SYN);
        let (_, called) = talk.ends.of(opener);
        for end in [opener.reversed(), opener] {
            talk.now += 6 * MS;
            sim.icmp(end, talk.icmp_about(opener, called.addr, IcmpKind::PortUnreachable));
        }
        let judged = Judge::until(20 * SEC).of(sim);
        judged.accuses_of(&[Code::ConnectionRefused]);
    }
}

#[test]
fn a_rst_from_beyond_a_capture_that_may_not_have_run_accuses_nobody() {
    for opener in Direction::BOTH {
        let (sim, talk) = refused_by_a_device(opener, false);
        uncovered(&talk, far(opener)).of(sim).accuses_nobody();
    }
}

#[test]
fn a_connection_that_fails_once_and_then_works_is_not_refused() {
    for opener in Direction::BOTH {
        let mut sim =
            Sim::new(29).over(|wire, _| if wire.index == 0 { Passage::Lose } else { Passage::Pass });
        let mut talk = Talk::new(&mut sim, 40_000, 0).opened_by(opener);
        talk.whole(&mut sim, 80, 80);
        let judged = covered(&talk).of(sim);
        judged.accuses_nobody();
        assert_eq!(judged.lost(), [1, 1]);
    }
}

#[test]
fn an_opener_that_rejects_the_answer_did_not_ignore_it() {
    let mut sim = Sim::new(30);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.send(&mut sim, C2S, SYN, 0, 0);
    talk.now += 6 * MS;
    talk.send(&mut sim, S2C, SYN_ACK, 0, 0);
    talk.now += 6 * MS;
    talk.send(&mut sim, C2S, RST, 1, 0);
    covered(&talk).of(sim).accuses_nobody();
}

#[test]
fn a_syn_that_meets_an_old_connection_and_gets_an_ack_is_not_unanswered() {
    let mut sim = Sim::new(31);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.send(&mut sim, C2S, SYN, 0, 0);
    talk.now += 6 * MS;
    talk.send(&mut sim, S2C, ACK, 5000, 0);
    talk.now += 6 * MS;
    let judged = covered(&talk).of(sim);
    assert!(judged.find(Code::SynUnanswered).is_none());
    assert!(judged.find(Code::SynLost).is_none());
}

/// A firewall that shifts sequence numbers; the SYN-ACK is what is lost.
#[test]
fn a_syn_whose_number_a_firewall_changed_is_not_lost() {
    let mut sim =
        Sim::new(9).over(|wire, _| if wire.flags == SYN_ACK { Passage::Lose } else { Passage::Pass });
    sim.rewrite[0] = Box::new(|segment| segment.seq = segment.seq.add(77_777));
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    let judged = Judge::until(talk.now + 4 * SEC).of(sim);
    assert!(judged.find(Code::SynLost).is_none(), "{:#?}", judged.report.findings);
}
