//! Packets that are lost at random.

use super::clean::MB;
use crate::address::IpVersion;
use crate::condition::{Count, Match};
use crate::expect::Expect;
use crate::rule::{Action, Rule};
use crate::scenario::Scenario;
use crate::traffic::{Flow, Pace, Side, Step, Traffic};
use crate::truth::Truth;

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        one_way(),
        both(),
        bursty(),
        with_reorder_dup(),
        ipv6(),
        acks_only(),
        policer(),
        tail_drop(),
        two_packets(),
        heavy(),
        lan(),
    ]
}

/// Eight connections that carry so much in all: client to server, server to client.
fn bulk(client: usize, server: usize) -> Traffic {
    Traffic::new(vec![
        Flow::new(8080, &[Step::Exchange(client / 8, server / 8)]).times(8, Pace::Concurrent(3)),
    ])
}

/// A problem, told by these findings, that a rule called `lose` makes.
fn losing(must: &[&'static str]) -> Expect {
    Expect::problem(must)
        .of(Truth::Rule("lose"), &["packet-loss", "asymmetric-loss", "outage"])
        .of(Truth::RuleOnAck("lose"), &["ack-loss"])
        .of(Truth::SentInVain, &["spurious-retransmission"])
        .of(Truth::GreetedTwice, &["handshake-ack-lost"])
        .cause("random")
}

fn one_way() -> Scenario {
    Scenario::new(
        "loss-1pct-one-way",
        "one packet in eighty is lost on the way back",
        "The middle drops 1.25 % of what the server sends and nothing of what the client sends. Transfers are slow, \
         and the client's side sees only gaps, the server's only retransmissions.",
        bulk(100_000, 12 * MB),
    )
    .rules(vec![Rule::new("lose", Match::s2c(), Action::DropOneIn { packets: 80 })])
    .expecting(
        losing(&["packet-loss", "asymmetric-loss"]).may(&["spurious-retransmission", "ack-loss"]),
    )
}

fn both() -> Scenario {
    Scenario::new(
        "loss-3pct-both",
        "one packet in thirty-three is lost, both ways alike",
        "The middle drops 3 % of everything in each direction, data and ACKs alike.",
        bulk(6 * MB, 6 * MB),
    )
    .rules(vec![Rule::new("lose", Match::tcp(), Action::DropOneIn { packets: 33 })])
    .expecting(
        losing(&["packet-loss"])
            .may(&["spurious-retransmission", "ack-loss", "handshake-ack-lost"])
            .never(&["asymmetric-loss"]),
    )
}

fn bursty() -> Scenario {
    Scenario::new(
        "loss-bursty",
        "packets are lost in bursts of four",
        "The middle drops runs of four packets or so of what the server sends, 2 % in all.",
        bulk(100_000, 10 * MB),
    )
    .rules(vec![Rule::new("lose", Match::s2c().data(), Action::DropBurst { enter: 0.005, leave: 0.25 })])
    .expecting(
        losing(&["packet-loss"])
            .may(&["asymmetric-loss", "spurious-retransmission", "outage"])
            .cause("bursty"),
    )
}

fn with_reorder_dup() -> Scenario {
    Scenario::new(
        "loss-with-reorder-dup",
        "loss, reordering and duplication together",
        "The middle drops 2 % of what the server sends, holds back 2 % for 3 ms and sends 1 % twice: late, twice and \
         lost look alike from one end.",
        bulk(100_000, 10 * MB),
    )
    .rules(vec![
        Rule::new("lose", Match::s2c(), Action::DropOneIn { packets: 50 }),
        Rule::new("duplicate", Match::s2c().data(), Action::Duplicate { probability: 0.01, gap_us: 500 }),
        Rule::new("hold", Match::s2c().data(), Action::Hold { probability: 0.02, extra_us: 3_000 }),
    ])
    .expecting(
        losing(&["packet-loss", "asymmetric-loss"])
            .may(&["reordering", "duplication", "spurious-retransmission"])
            .of(Truth::Overtaken, &["reordering"])
            .of(Truth::Rule("duplicate"), &["duplication"]),
    )
}

fn ipv6() -> Scenario {
    Scenario::new(
        "loss-ipv6",
        "packets are lost on an IPv6 path",
        "The middle drops 2 % of what the client sends. IPv6 packets carry no identification, so a retransmission \
         is told from its original by the timestamps option.",
        bulk(10 * MB, 100_000),
    )
    .over(IpVersion::V6)
    .rules(vec![Rule::new("lose", Match::c2s(), Action::DropOneIn { packets: 50 })])
    .expecting(losing(&["packet-loss", "asymmetric-loss"]).may(&["spurious-retransmission", "ack-loss"]))
}

/// Three connections that each carry a file to the client.
fn downloads() -> Traffic {
    let script = [Step::Send(Side::Client, 300), Step::Send(Side::Server, 4 * MB)];
    Traffic::new(vec![Flow::new(8080, &script).times(3, Pace::Concurrent(200)).timeouts_ms(3_500, 9_000)])
}

fn two_packets() -> Scenario {
    let at = |name, number| {
        let when = Match::s2c().data().count(Count::Only(number)).over_everything();
        Rule::new(name, when, Action::Drop)
    };
    Scenario::new(
        "loss-two-packets",
        "two packets of thousands are lost",
        "The middle drops the 700th and the 2100th packet with data from the server, as any network may.",
        bulk(50_000, 4 * MB),
    )
    .rules(vec![at("lose", 700), at("lose-another", 2_100)])
    .expecting(
        Expect::notable(&["packet-loss"])
            .may(&["spurious-retransmission"])
            .of(Truth::Rule("lose"), &["packet-loss"])
            .of(Truth::Rule("lose-another"), &["packet-loss"])
            .of(Truth::SentInVain, &["spurious-retransmission"])
            .never(&["asymmetric-loss", "outage", "one-way-blackhole"]),
    )
}

fn heavy() -> Scenario {
    Scenario::new(
        "loss-10pct-one-way",
        "every tenth packet is lost on the way to the server",
        "The middle drops a tenth of what the client sends. Retransmissions are lost too, and some of them again.",
        bulk(3 * MB, 50_000),
    )
    .rules(vec![Rule::new("lose", Match::c2s(), Action::DropOneIn { packets: 10 })])
    .expecting(losing(&["packet-loss", "asymmetric-loss"]).may(&[
        "spurious-retransmission",
        "ack-loss",
        "handshake-ack-lost",
    ]))
}

fn lan() -> Scenario {
    Scenario::new(
        "loss-lan-ipv6",
        "packets are lost in a local network, over IPv6",
        "The path takes 0.2 ms each way and drops 2 % of what the server sends. Retransmissions follow within a tick of \
         the timestamps, and no identification tells them from their originals.",
        bulk(50_000, 8 * MB),
    )
    .over(IpVersion::V6)
    .delay_us(200)
    .rules(vec![Rule::new("lose", Match::s2c(), Action::DropOneIn { packets: 50 })])
    .expecting(losing(&["packet-loss", "asymmetric-loss"]).may(&["spurious-retransmission", "ack-loss"]))
}

fn policer() -> Scenario {
    Scenario::new(
        "loss-policer",
        "a provider polices the way back to 16 Mb/s",
        "The middle lets 2 MB a second pass to the client, all connections together, and 100 kB at once after a rest. \
         What exceeds that is dropped at once: there is no queue, so the delay tells nothing.",
        downloads(),
    )
    .delay_us(10_000)
    .rules(vec![Rule::new("lose", Match::s2c(), Action::Police { octets_per_ms: 2_000, burst: 100_000 })])
    .expecting(
        losing(&["packet-loss", "asymmetric-loss"]).may(&["spurious-retransmission"]).cause("policer"),
    )
}

fn tail_drop() -> Scenario {
    Scenario::new(
        "loss-tail-drop",
        "a link on the way back is too slow and its queue runs over",
        "The middle's link to the client carries 2 MB a second, and 100 kB may wait for it. The senders fill the queue: \
         packets are up to 50 ms late, and each that finds it full is dropped.",
        downloads(),
    )
    .delay_us(10_000)
    .rules(vec![Rule::new("lose", Match::s2c(), Action::Queue { octets_per_ms: 2_000, limit: 100_000 })])
    .expecting(
        losing(&["packet-loss", "asymmetric-loss"]).may(&["spurious-retransmission"]).cause("tail-drop"),
    )
}

fn acks_only() -> Scenario {
    Scenario::new(
        "loss-acks-only",
        "only acknowledgements are lost",
        "The middle drops a fifth of the client's pure ACKs and no data. The next ACK makes up for a lost one, so \
         the transfer hardly suffers.",
        bulk(0, 6 * MB),
    )
    .rules(vec![Rule::new("lose-acks", Match::c2s().pure_ack(), Action::DropOneIn { packets: 5 })])
    .expecting(Expect {
        exit: vec![0, 1],
        ..Expect::notable(&["ack-loss"])
            .may(&["packet-loss", "asymmetric-loss", "handshake-ack-lost", "spurious-retransmission"])
            .of(Truth::Rule("lose-acks"), &["ack-loss", "packet-loss", "asymmetric-loss"])
            .of(Truth::SentInVain, &["spurious-retransmission"])
            .of(Truth::GreetedTwice, &["handshake-ack-lost"])
    })
}
