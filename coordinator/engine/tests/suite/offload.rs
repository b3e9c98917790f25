//! Super-packets at either end: bytes are matched whatever the cut, and a lost part is lost alone.

use super::judge::Judge;
use super::sim::{Offload, Passage, SEC, Sim};
use super::talk::{C2S, S2C, Talk};
use correlate_engine::fate::Fate;
use proptest::prelude::*;

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

#[test]
fn segments_are_counted_alike_whether_the_capture_shows_super_packets_or_not() {
    let sent = |offload| {
        let mut sim = Sim::new(3);
        sim.offload = offload;
        let mut talk = Talk::new(&mut sim, 40_000, 0);
        talk.whole(&mut sim, 40, 200);
        let judged = Judge::until(talk.now + SEC).of(sim);
        judged.accuses_nobody();
        judged.report.paths.iter().map(|path| path.segments_sent).collect::<Vec<_>>()
    };
    let plain = sent([Offload::None; 2]);
    for near in [Offload::None, Offload::Known(10), Offload::Unknown(10)] {
        for far in [Offload::Known(7), Offload::Unknown(7)] {
            assert_eq!(sent([near, far]), plain, "{near:?} {far:?}");
        }
    }
}
