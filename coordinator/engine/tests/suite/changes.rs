//! What a device changes in packets that pass, told by comparing both ends.

use super::judge::{Judge, Judgement};
use super::sim::{MS, Passage, SEC, Sim};
use super::talk::{C2S, S2C, Talk};
use correlate_proto::report::{Code, Confidence, Details};
use correlate_proto::{Direction, Segment, TcpFlags};

/// One connection through a device that makes `rewrite` of the packets of `direction`.
fn through(direction: Direction, rewrite: impl FnMut(&mut Segment) + 'static) -> Judgement {
    let mut sim = Sim::new(91);
    sim.rewrite[direction.index()] = Box::new(rewrite);
    talk_over(sim, |_| {})
}

fn talk_over(mut sim: Sim, prepare: impl FnOnce(&mut Talk)) -> Judgement {
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    prepare(&mut talk);
    talk.whole(&mut sim, 20, 60);
    let judged = Judge::until(talk.now + 6 * SEC).of(sim);
    assert_eq!(judged.lost(), [0, 0]);
    judged
}

fn is_syn(segment: &Segment) -> bool {
    segment.flags.has(TcpFlags::SYN)
}

#[test]
fn a_lowered_mss_is_told_with_both_values() {
    let judged = through(S2C, |segment| {
        if is_syn(segment) {
            segment.options.mss = Some(1200);
        }
    });
    judged.accuses_nobody();
    let found = judged.the(Code::MssClamped);
    assert_eq!(found.details, Details::Changed { before: Some(1460), after: Some(1200) });
    assert_eq!(found.direction, Some(S2C));
    assert_eq!(found.evidence.len(), 2);
}

#[test]
fn removed_options_are_told_by_name() {
    let judged = through(C2S, |segment| {
        if is_syn(segment) {
            segment.options.sack_permitted = false;
            segment.options.timestamps = None;
        }
    });
    judged.accuses_of(&[Code::OptionStripped]);
    let options = ["SACK-permitted", "timestamps"].map(str::to_owned).into();
    assert_eq!(judged.the(Code::OptionStripped).details, Details::Stripped { options });
}

/// Linux leaves ECN out of a SYN that it repeats, others leave more out: each copy is compared with itself.
#[test]
fn a_repeated_syn_with_other_options_is_compared_with_its_own_copy() {
    for stamps in [true, false] {
        for v6 in [true, false] {
            let mut sim = Sim::new(92).over(|wire, _| {
                let first = wire.flags.is_syn() && wire.at < 500 * MS;
                if first { Passage::Lose } else { Passage::Pass }
            });
            let mut talk = Talk::new(&mut sim, 40_000, 0);
            talk = if v6 { talk.over_v6() } else { talk };
            talk.stamps = stamps;
            let mut syn = talk.packet(C2S, TcpFlags::SYN, 0, 0);
            syn.flags.0 |= TcpFlags::ECE.0 | TcpFlags::CWR.0;
            syn.options.window_scale = Some(9);
            talk.put(&mut sim, C2S, syn, 0);
            talk.now += SEC;
            talk.whole(&mut sim, 4, 4);
            let judged = Judge::until(talk.now + 6 * SEC).of(sim);
            let changes = [Code::EcnBleached, Code::WindowScaleMismatch, Code::OptionStripped];
            assert!(changes.iter().all(|&code| judged.find(code).is_none()), "{:?}", judged.codes());
        }
    }
}

#[test]
fn a_window_scale_that_is_taken_from_the_answer_alone_is_an_error() {
    let judged = through(S2C, |segment| {
        if is_syn(segment) {
            segment.options.window_scale = None;
        }
    });
    judged.accuses_of(&[Code::WindowScaleMismatch]);
    let details = Details::WindowScale {
        opener_sent: Some(7),
        responder_received: Some(7),
        responder_sent: Some(7),
        opener_received: None,
    };
    assert_eq!(judged.the(Code::WindowScaleMismatch).details, details);
}

#[test]
fn a_window_scale_that_neither_end_believes_in_is_merely_an_option_less() {
    let mut sim = Sim::new(93);
    let strip = |segment: &mut Segment| segment.options.window_scale = None;
    sim.rewrite = [Box::new(strip), Box::new(strip)];
    // The server's stack does not answer with what it was not asked for.
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.whole(&mut sim, 4, 4);
    let mut captures = sim.captures();
    for record in &mut captures[1] {
        if let correlate_proto::Record::Segment(segment) = record
            && segment.flags.is_syn_ack()
        {
            segment.options.window_scale = None;
        }
    }
    let judged = Judge::until(talk.now + 6 * SEC).of_captures(captures);
    judged.accuses_of(&[Code::OptionStripped]);
}

#[test]
fn a_changed_class_of_service_is_a_note() {
    let judged = through(C2S, |segment| segment.ip.tos = (segment.ip.tos & 3) | (10 << 2));
    judged.accuses_nobody();
    let found = judged.the(Code::DscpRewritten);
    assert_eq!(found.details, Details::Changed { before: Some(0), after: Some(10) });
    assert_eq!(found.direction, Some(C2S));
}

/// Packets with payload are sent as ECT(0), all but repetitions, as Linux does.
fn ecn_capable(sim: &mut Sim, segments: u32) -> Talk {
    let mut talk = Talk::new(sim, 40_000, 0);
    talk.ecn = true;
    talk.whole(sim, segments, segments);
    talk
}

#[test]
fn cleared_ecn_bits_are_a_warning() {
    let mut sim = Sim::new(94);
    sim.rewrite[1] = Box::new(|segment| segment.ip.tos &= !3);
    let talk = ecn_capable(&mut sim, 20);
    let judged = Judge::until(talk.now + 6 * SEC).of(sim);
    judged.accuses_of(&[Code::EcnBleached]);
    let found = judged.the(Code::EcnBleached);
    assert_eq!((found.direction, found.count), (Some(S2C), 20));
    assert_eq!(found.details, Details::Changed { before: Some(2), after: Some(0) });
}

#[test]
fn congestion_marks_are_what_ecn_is_for() {
    let mut sim = Sim::new(95);
    sim.rewrite[1] = Box::new(|segment| {
        if segment.ip.tos == 2 {
            segment.ip.tos = 3;
        }
    });
    let talk = ecn_capable(&mut sim, 40);
    Judge::until(talk.now + 6 * SEC).of(sim).accuses_nobody();
}

/// Without timestamps and IP IDs an arrival may be taken for the wrong copy, and repetitions are sent without ECN.
#[test]
fn repetitions_without_ecn_are_not_bleached() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed).over(|wire, rng| {
            if wire.payload_len > 0 && rng.chance(200) { Passage::Lose } else { Passage::Pass }
        });
        let mut talk = Talk::new(&mut sim, 40_000, 0).over_v6().without_stamps();
        talk.ecn = true;
        if talk.open(&mut sim) {
            for _ in 0..60 {
                talk.transfer(&mut sim, S2C, 1, 1);
            }
        }
        let judged = Judge::until(talk.now + 6 * SEC).of(sim);
        assert!(judged.find(Code::EcnBleached).is_none(), "{seed}: {:#?}", judged.the(Code::EcnBleached));
    }
}

#[test]
fn payload_that_arrives_with_another_sum_is_an_error() {
    let mut count = 0;
    let judged = through(S2C, move |segment| {
        count += u32::from(segment.payload_len > 0);
        if segment.payload_len > 0 && count == 7 {
            segment.payload_sum = segment.payload_sum.map(|sum| sum ^ 0x0100);
        }
    });
    judged.accuses_of(&[Code::PayloadAltered]);
    let found = judged.the(Code::PayloadAltered);
    assert_eq!((found.direction, found.confidence), (Some(S2C), Confidence::Proven));
    // The FIN has a sum as well: that of nothing.
    assert_eq!(found.details, Details::Altered { segments: 1, unchanged: 60 });
}

#[test]
fn both_zeros_of_ones_complement_are_one() {
    for (sent, received) in [(0, 0xffff), (0xffff, 0)] {
        let mut sim = Sim::new(96);
        sim.rewrite[0] = Box::new(move |segment| segment.payload_sum = Some(received));
        let mut talk = Talk::new(&mut sim, 40_000, 0);
        talk.whole(&mut sim, 20, 1);
        let mut captures = sim.captures();
        for record in &mut captures[0] {
            if let correlate_proto::Record::Segment(segment) = record {
                segment.payload_sum = Some(sent);
            }
        }
        Judge::until(talk.now + 6 * SEC).of_captures(captures).accuses_nobody();
    }
}

/// What a card leaves in the checksum of packets that it has merged, or has yet to cut, differs all the time.
#[test]
fn a_capture_whose_checksums_never_fit_accuses_nobody() {
    let mut noise = 0u16;
    let judged = through(C2S, move |segment| {
        noise = noise.wrapping_add(4711);
        segment.payload_sum = Some(noise);
    });
    judged.accuses_nobody();
}

/// A damaged packet has the checksum that it was sent with; the receiver's stack drops it, and it is sent again.
#[test]
fn a_damaged_packet_that_is_sent_again_is_not_altered() {
    let mut sim = Sim::new(97);
    let mut count = 0;
    sim.rewrite[0] = Box::new(move |segment| {
        count += u32::from(segment.payload_len > 0);
        if segment.payload_len > 0 && count == 5 {
            segment.payload_sum = Some(0x1234);
        }
    });
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.open(&mut sim);
    let first = talk.stacks[0].next;
    talk.transfer(&mut sim, C2S, 20, 10);
    talk.send(&mut sim, C2S, TcpFlags::ACK, first + 4 * 1448, 1448);
    talk.now += 20 * MS;
    talk.close(&mut sim, C2S);
    Judge::until(talk.now + 6 * SEC).of(sim).accuses_nobody();
}
