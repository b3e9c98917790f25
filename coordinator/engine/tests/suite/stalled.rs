//! Paths that hold everything back for long, and then deliver it all.

use super::judge::Judge;
use super::sim::{MS, Passage, SEC, Sim};
use super::talk::{ACK, C2S, S2C, Talk};
use correlate_proto::Direction;
use correlate_proto::report::Severity;

/// A path that holds back what is sent in `[SEC, over)`, in the given directions.
fn stalled(over: i64, directions: &'static [Direction]) -> Sim {
    Sim::new(21).over(move |wire, _| {
        if directions.contains(&wire.direction) && (SEC..over).contains(&wire.at) {
            Passage::Late(over - wire.at)
        } else {
            Passage::Pass
        }
    })
}

#[test]
fn what_arrives_after_all_was_not_lost() {
    for stall in [2, 4, 8, 25] {
        for directions in [&[C2S][..], &[S2C], &[C2S, S2C]] {
            let mut sim = stalled(SEC + stall * SEC, directions);
            let mut talk = Talk::new(&mut sim, 40_000, 0);
            talk.open(&mut sim);
            talk.transfer(&mut sim, C2S, 50, 10);
            talk.now = SEC + 10 * MS;
            let had = [talk.stacks[0].received, talk.stacks[1].received];
            for _ in 0..10 {
                for &sender in directions {
                    let next = talk.stacks[sender.index()].next;
                    talk.send(&mut sim, sender, ACK, next, 1448);
                    // Nothing is acknowledged before it came.
                    let receiver = sender.reversed().index();
                    talk.stacks[receiver].received = had[receiver];
                }
                talk.now += 100 * MS;
            }
            talk.now = SEC + stall * SEC + 100 * MS;
            for &sender in directions {
                talk.stacks[sender.reversed().index()].received = talk.stacks[sender.index()].next;
            }
            talk.ack(&mut sim, S2C);
            talk.ack(&mut sim, C2S);
            talk.transfer(&mut sim, C2S, 50, 10);
            talk.close(&mut sim, C2S);
            let judged = Judge::until(talk.now + 10 * SEC).of(sim);
            let codes = judged.codes();
            assert!(
                codes.iter().all(|(_, severity)| *severity < Severity::Warning),
                "{stall} {directions:?} {codes:?}"
            );
        }
    }
}
