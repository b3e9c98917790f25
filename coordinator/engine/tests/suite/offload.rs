//! Super-packets at either end: bytes are matched whatever the cut, and a lost part is lost alone.

use super::judge::Judge;
use super::sim::{Offload, SEC, Sim};
use super::talk::Talk;

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
