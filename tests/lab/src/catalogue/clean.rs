//! Nothing is wrong: whatever is accused here is accused falsely.

use crate::address::IpVersion;
use crate::condition::Match;
use crate::expect::Expect;
use crate::plan::Translation;
use crate::rule::{Action, Rule};
use crate::scenario::Scenario;
use crate::topology::Offloads;
use crate::traffic::{Caller, Flow, Pace, Side, Step, Traffic};
use crate::truth::Truth;

/// A small request and its answer, after some thought.
pub(super) const EXCHANGE: [Step; 3] =
    [Step::Send(Side::Client, 400), Step::Wait(Side::Server, 3), Step::Send(Side::Server, 9_000)];

/// Healthy connections to port 443 beside the others, for so long: they show that the captures run.
pub(super) fn background(seconds: u32) -> Flow {
    Flow::new(443, &EXCHANGE).times(seconds * 5, Pace::Sequential(170))
}

/// One megabyte.
pub(super) const MB: usize = 1_000_000;

/// Nothing of these may be said of a path that loses nothing.
pub(super) const NO_LOSS: [&str; 4] = ["packet-loss", "asymmetric-loss", "one-way-blackhole", "outage"];

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = vec![one(), many(), lan(), bulk(), bulk_offload(), ipv6(), nat(), reorder_dup()];
    all.extend([half_close(), server_first(), keepalive_idle(), port_reuse()]);
    all.extend([simultaneous_close(), long_idle(), route_change(), stalled()]);
    for scenario in &mut all {
        scenario.expect.never.extend(NO_LOSS);
    }
    all
}

fn one() -> Scenario {
    Scenario::new(
        "clean-one",
        "one healthy connection",
        "The path only delays, 5 ms each way. A client asks, a server answers, both close.",
        Traffic::new(vec![Flow::new(8080, &EXCHANGE)]),
    )
}

fn many() -> Scenario {
    Scenario::new(
        "clean-many",
        "forty healthy connections at once",
        "The path only delays. Forty clients ask at the same time; each gets its answer.",
        Traffic::new(vec![Flow::new(8080, &EXCHANGE).times(40, Pace::Concurrent(2))]),
    )
}

fn lan() -> Scenario {
    Scenario::new(
        "clean-lan",
        "healthy connections over a path as short as a local network",
        "The path delays 0.2 ms each way: round trips are shorter than a tick of TCP's own timestamps.",
        Traffic::new(vec![Flow::new(8080, &EXCHANGE).times(30, Pace::Sequential(2))]),
    )
    .delay_us(200)
}

fn bulk() -> Scenario {
    Scenario::new(
        "clean-bulk",
        "megabytes both ways",
        "The path only delays. Two connections carry three megabytes each way at the same time.",
        Traffic::new(vec![Flow::new(8080, &[Step::Exchange(3 * MB, 3 * MB)]).times(2, Pace::Concurrent(5))]),
    )
}

fn bulk_offload() -> Scenario {
    let mut scenario = Scenario::new(
        "clean-bulk-offload",
        "megabytes both ways, with segmentation left to the hardware",
        "The path only delays, but the captures show super-packets of up to 64 KiB with unfinished checksums, cut \
         at different places at each end. Compared packet by packet, nearly everything would look lost.",
        Traffic::new(vec![Flow::new(8080, &[Step::Exchange(3 * MB, 3 * MB)]).times(2, Pace::Concurrent(5))]),
    );
    scenario.offloads = Offloads::On;
    scenario
}

fn ipv6() -> Scenario {
    let script = [EXCHANGE.as_slice(), &[Step::Exchange(300_000, 300_000)]].concat();
    Scenario::new(
        "clean-ipv6",
        "healthy connections over IPv6",
        "The path only delays. IPv6 packets carry no identification, so they are told apart by other fields.",
        Traffic::new(vec![Flow::new(8080, &script).times(8, Pace::Concurrent(10))]),
    )
    .over(IpVersion::V6)
}

fn nat() -> Scenario {
    let mut scenario = Scenario::new(
        "clean-nat",
        "healthy connections through address translation",
        "The middle gives the client another address and other ports, and takes one from the TTL. The two ends see \
         different four-tuples of the same connections.",
        Traffic::new(vec![Flow::new(8080, &EXCHANGE).times(10, Pace::Concurrent(10))]),
    )
    .expecting(Expect::notable(&["address-translated"]).of(Truth::Every, &["address-translated"]));
    scenario.plan.translation = Translation::Source;
    scenario.plan.hops = 1;
    scenario
}

fn reorder_dup() -> Scenario {
    let flow = Flow::new(8080, &[Step::Exchange(2 * MB, 2 * MB)]).times(2, Pace::Concurrent(5));
    Scenario::new(
        "clean-reorder-dup",
        "packets overtake each other and arrive twice, none is lost",
        "The middle holds back 2 % of the packets for 3 ms and sends 1 % twice. The sender retransmits what was only \
         late, and one end alone would call that loss.",
        Traffic::new(vec![flow]),
    )
    .rules(vec![
        Rule::new("duplicate", Match::tcp().data(), Action::Duplicate { probability: 0.01, gap_us: 500 }),
        Rule::new("hold", Match::tcp().data(), Action::Hold { probability: 0.02, extra_us: 3_000 }),
    ])
    .expecting(
        Expect::notable(&["reordering", "duplication"])
            .may(&["spurious-retransmission"])
            .of(Truth::Overtaken, &["reordering"])
            .of(Truth::Rule("duplicate"), &["duplication"])
            .of(Truth::SentInVain, &["spurious-retransmission"]),
    )
}

fn stalled() -> Scenario {
    let flow =
        |port, side| Flow::new(port, &[Step::SendPaced(side, MB / 2, 500)]).timeouts_ms(10_000, 10_000);
    let flows = [flow(8080, Side::Server), flow(8081, Side::Client)];
    Scenario::new(
        "clean-stalled",
        "a path that holds everything back for seconds and then delivers it",
        "700 ms after the first packet the middle begins to hold back what passes, in both directions, for 5 s; then \
         all of it goes on in order, as when a virtual host is moved. The senders repeat themselves meanwhile. Nothing \
         is lost.",
        Traffic::new(flows.map(|flow| flow.times(2, Pace::Concurrent(5))).to_vec()),
    )
    .rules(vec![Rule::new(
        "stall",
        Match::tcp().between_ms(700, 900),
        Action::Delay { fixed_us: 5_000_000, jitter_us: 0 },
    )])
    .expecting(
        Expect::clean()
            .may(&["spurious-retransmission"])
            .of(Truth::SentInVain, &["spurious-retransmission"]),
    )
}

fn half_close() -> Scenario {
    let script = [
        Step::Send(Side::Client, 20_000),
        Step::ShutDown(Side::Client),
        Step::Wait(Side::Server, 200),
        Step::Send(Side::Server, 400_000),
    ];
    Scenario::new(
        "clean-half-close",
        "the client closes its direction and still gets its answer",
        "The path only delays. After the client's FIN one direction is silent but for ACKs, as it should be.",
        Traffic::new(vec![Flow::new(8080, &script).times(3, Pace::Concurrent(10))]),
    )
}

fn server_first() -> Scenario {
    let script = [Step::Send(Side::Server, 120), Step::Send(Side::Client, 60), Step::ShutDown(Side::Server)];
    Scenario::new(
        "clean-server-first",
        "the server speaks first and closes first",
        "The path only delays. As with SMTP or MySQL the server greets; as with HTTP/1.0 it closes.",
        Traffic::new(vec![Flow::new(8025, &script).times(5, Pace::Sequential(20))]),
    )
}

fn keepalive_idle() -> Scenario {
    let wait = [Step::Wait(Side::Client, 2_600)];
    let script = [EXCHANGE.as_slice(), &wait, &EXCHANGE].concat();
    Scenario::new(
        "clean-keepalive-idle",
        "an idle connection kept alive",
        "The path only delays. The client is silent for 2.6 s but for keep-alives, which repeat an octet that was \
         acknowledged long ago and look like retransmissions.",
        Traffic::new(vec![Flow::new(8080, &script).caller(Caller::KeepsAlive(1))]),
    )
}

fn port_reuse() -> Scenario {
    let script = [EXCHANGE.as_slice(), &[Step::ShutDown(Side::Server)]].concat();
    Scenario::new(
        "clean-port-reuse",
        "one port used for several connections in turn",
        "The path only delays. The client calls four times from the same port: four connections with one \
         four-tuple, told apart by their initial sequence numbers.",
        Traffic::new(vec![Flow::new(8080, &script).client_port(45_000).times(4, Pace::Sequential(60))]),
    )
}

fn simultaneous_close() -> Scenario {
    // The client reads the last octet 25 ms after the server does.
    let script = [Step::Exchange(2_000, 2_000), Step::Wait(Side::Server, 25), Step::ShutDownBoth];
    Scenario::new(
        "clean-simultaneous-close",
        "both ends close at the same moment",
        "The path only delays. Each end sends its FIN before it has seen the other's: the two cross on their way, and \
         both ends wait out the connection.",
        Traffic::new(vec![Flow::new(8080, &script).times(5, Pace::Sequential(50))]),
    )
    .delay_us(25_000)
}

fn long_idle() -> Scenario {
    let script = [EXCHANGE.as_slice(), &[Step::Wait(Side::Client, 6_000)], &EXCHANGE].concat();
    Scenario::new(
        "clean-long-idle",
        "a connection that rests for six seconds and goes on",
        "The path only delays. For six seconds there is not one packet of the connections, and then all is as before.",
        Traffic::new(vec![Flow::new(8080, &script).times(2, Pace::Concurrent(100)), background(6)]),
    )
}

/// Small questions and answers for so many seconds over a path of 25 ms each way, on several connections: about ninety
/// packets a second in each direction.
pub(super) fn chatter(seconds: usize) -> Flow {
    let turn = [Step::Send(Side::Client, 200), Step::Send(Side::Server, 400), Step::Wait(Side::Client, 40)];
    let turns_per_second = 11;
    Flow::new(8080, &turn.repeat(seconds * turns_per_second)).times(4, Pace::Concurrent(23))
}

fn route_change() -> Scenario {
    Scenario::new(
        "clean-route-change",
        "the way back becomes three milliseconds longer",
        "From eight seconds after the first packet the way from the server takes 3 ms more, as when a route changes. \
         Half of that looks like a clock that jumped, but only in one direction.",
        Traffic::new(vec![chatter(20)]),
    )
    .delay_us(25_000)
    .rules(vec![Rule::new(
        "longer-way",
        Match::s2c().between_ms(8_000, u64::MAX),
        Action::Delay { fixed_us: 3_000, jitter_us: 0 },
    )])
    .expecting(Expect::clean().never(&["clock-step", "reordering"]))
}
