//! Devices that rewrite sequence numbers: what they add changes nothing of what is counted.

use super::clean::traffic;
use super::judge::{Judge, Judgement};
use super::sim::{MS, Passage, SEC, Sim};
use super::talk::{C2S, S2C, Talk};
use correlate_proto::report::{Code, Confidence, Details, Severity};
use correlate_proto::{Record, SackBlocks, Segment, TcpFlags};
use proptest::prelude::*;

/// A firewall before the server that adds a constant to the numbers of each direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Firewall {
    /// What numbers at the server have more than at the client, by direction.
    pub(super) adds: [u32; 2],
    pub(super) forgets_sack: bool,
}

impl Firewall {
    /// What the two captures show if it stands between them.
    pub(super) fn guard(self, mut captures: [Vec<Record>; 2]) -> [Vec<Record>; 2] {
        for (end, records) in captures.iter_mut().enumerate() {
            for record in records {
                if let Record::Segment(segment) = record {
                    self.change(end, segment);
                }
            }
        }
        captures
    }

    fn change(self, end: usize, segment: &mut Segment) {
        let way = if segment.tuple.dst.port == 443 { C2S } else { S2C };
        let [own, other] = [way, way.reversed()].map(|way| self.adds[way.index()]);
        let is_sender = way.index() == end;
        let at_server = end == 1;
        if at_server {
            segment.seq = segment.seq.add(own);
            if segment.flags.has(TcpFlags::ACK) {
                segment.ack = segment.ack.add(other);
            }
        }
        // Blocks that are forgotten are numbered everywhere as their sender, the receiver of the data, numbers them.
        let shifted = if self.forgets_sack { is_sender == at_server } else { at_server };
        if shifted {
            let mut sack = SackBlocks::default();
            for &(left, right) in segment.options.sack.as_slice() {
                sack.push(left.add(other), right.add(other));
            }
            segment.options.sack = sack;
        }
    }
}

fn lossy(seed: u64, loss: u64) -> Sim {
    Sim::new(seed).over(
        move |wire, rng| {
            if wire.payload_len > 0 && rng.chance(loss) { Passage::Lose } else { Passage::Pass }
        },
    )
}

fn above_info(judged: &Judgement) -> Vec<Code> {
    let codes = judged.codes().into_iter();
    codes.filter(|&(_, severity)| severity > Severity::Info).map(|(code, _)| code).collect()
}

#[test]
fn a_firewall_that_randomises_numbers_is_a_note() {
    for adds in [[0x5a5a_1234, 0], [0, 77], [1 << 31, 3_000_000_000]] {
        let mut sim = Sim::new(101);
        let mut talk = Talk::new(&mut sim, 40_000, 0);
        talk.whole(&mut sim, 40, 80);
        let captures = Firewall { adds, forgets_sack: false }.guard(sim.captures());
        let judged = Judge::until(talk.now + 6 * SEC).of_captures(captures);
        judged.accuses_nobody();
        assert_eq!(judged.fates, [], "{adds:?}");
        let details = Details::Shifted { client_to_server: adds[0], server_to_client: adds[1] };
        assert_eq!(judged.the(Code::SequenceRewritten).details, details);
        assert_eq!(judged.report.connection_totals.total, 1);
        assert!(judged.report.paths.iter().all(|path| path.segments_sent > 40), "{:?}", judged.report.paths);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn what_a_firewall_adds_to_numbers_changes_no_count(
        seed: u64, adds: [u32; 2], forgets_sack: bool, loss in 0u64..60, order: u64, v6: bool,
    ) {
        let run = |firewall: Option<Firewall>| {
            let mut sim = lossy(seed, loss);
            let mut end = 0;
            for number in 0..5 {
                let mut talk = Talk::new(&mut sim, 40_000 + number, i64::from(number) * 70 * MS);
                talk = if v6 { talk.over_v6() } else { talk };
                talk.stamps = v6 || number != 2;
                talk.whole(&mut sim, 20, 40);
                end = end.max(talk.now);
            }
            let made = sim.lost;
            let captures = sim.captures();
            let captures = firewall.map_or(captures.clone(), |firewall| firewall.guard(captures));
            (Judge { order, ..Judge::until(end + 6 * SEC) }.of_captures(captures), made)
        };
        let (plain, made) = run(None);
        let (shifted, _) = run(Some(Firewall { adds, forgets_sack }));
        prop_assert_eq!(plain.lost(), made);
        prop_assert_eq!(shifted.lost(), made);
        prop_assert_eq!(shifted.fates.len(), plain.fates.len());
        let mut above = above_info(&shifted);
        prop_assert!(forgets_sack || !above.contains(&Code::SackNotRewritten));
        above.retain(|&code| code != Code::SackNotRewritten);
        prop_assert_eq!(above, above_info(&plain));
    }

    #[test]
    fn clean_traffic_through_a_firewall_accuses_nobody(
        seed: u64, adds: [u32; 2], order: u64, from in prop::array::uniform2(0i64..600),
    ) {
        let mut sim = Sim::new(seed);
        sim.running = from.map(|from| (from * MS, i64::MAX));
        let end = traffic(&mut sim, 8, 60);
        let coverage = from.map(|from| Some((from * MS, end)));
        let captures = Firewall { adds, forgets_sack: false }.guard(sim.captures());
        let judged = Judge { coverage, order, ..Judge::default() }.of_captures(captures);
        judged.accuses_nobody();
        prop_assert_eq!(judged.lost(), [0, 0]);
    }
}

/// Both captures begin in mid-stream, so no SYN tells what was added; the run of the segments does.
#[test]
fn a_stream_caught_in_its_middle_is_recognised_by_its_segments() {
    for v6 in [false, true] {
        let mut sim = Sim::new(103).over(|wire, _| {
            let lose = wire.direction == C2S && wire.payload_len > 0 && wire.index % 50 == 49;
            if lose { Passage::Lose } else { Passage::Pass }
        });
        let mut talk = Talk::new(&mut sim, 40_000, -5 * SEC);
        talk = if v6 { talk.over_v6() } else { talk };
        talk.open(&mut sim);
        sim.running = [(0, i64::MAX); 2];
        talk.now = 0;
        talk.transfer(&mut sim, C2S, 1000, 10);
        talk.transfer(&mut sim, S2C, 500, 10);
        let made = sim.lost;
        assert!(made[0] > 5);
        let firewall = Firewall { adds: [0x4000_0000, 0x9000_0000], forgets_sack: false };
        let judge = Judge { coverage: [Some((0, talk.now + 6 * SEC)); 2], ..Judge::default() };
        let judged = judge.of_captures(firewall.guard(sim.captures()));
        assert_eq!(judged.report.connection_totals.total, 1);
        assert_eq!(judged.lost(), made);
        judged.accuses_of(&[Code::PacketLoss, Code::AsymmetricLoss]);
    }
}

#[test]
fn sack_blocks_that_the_firewall_forgets_are_an_error() {
    let mut sim = lossy(104, 30);
    let mut talk = Talk::new(&mut sim, 40_000, 0);
    talk.whole(&mut sim, 300, 1);
    let firewall = Firewall { adds: [0x5a5a_1234, 0], forgets_sack: true };
    let judged = Judge::until(talk.now + 6 * SEC).of_captures(firewall.guard(sim.captures()));
    let found = judged.the(Code::SackNotRewritten);
    assert_eq!((found.direction, found.confidence), (Some(S2C), Confidence::Proven));
    assert!(matches!(found.details, Details::Sack { forgotten: 3.., shifted: 0 }), "{:?}", found.details);
    assert!(judged.find(Code::CaptureLoss).is_none());
}
