//! Paths that stop to carry, or that carry only some packets; and ends that are slow.

use super::clean::{EXCHANGE, MB, NO_LOSS};
use crate::condition::{Count, Match};
use crate::expect::Expect;
use crate::rule::{Action, IcmpMessage, Rule};
use crate::scenario::Scenario;
use crate::traffic::{Flow, Pace, Side, Step, Traffic};
use crate::truth::Truth;

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        one_way_blackhole(),
        outage(),
        outage_both(),
        mtu_blackhole(),
        mtu_blackhole_icmp_lost(),
        mtu_blackhole_icmp_ignored(),
        mtu_discovery(),
        slow_server(),
        slow_client(),
        zero_window(),
        window_update_lost(),
    ]
}

fn one_way_blackhole() -> Scenario {
    let doomed = Flow::new(9001, &[Step::SendPaced(Side::Server, MB, 2_000)]).timeouts_ms(3_500, 2_500);
    let healthy = Flow::new(9002, &EXCHANGE).times(20, Pace::Sequential(100));
    Scenario::new(
        "one-way-blackhole",
        "from one moment on nothing of a connection comes back",
        "After forty packets the middle drops everything that the server sends on one connection. Other connections \
         of the two hosts go on; what the client sends still arrives.",
        Traffic::new(vec![doomed, healthy]),
    )
    .rules(vec![Rule::new("swallow", Match::s2c().port(9001).count(Count::After(40)), Action::Drop)])
    .expecting(Expect::problem(&["one-way-blackhole"]).may(&["packet-loss"]).of(Truth::Rule("swallow"), &["one-way-blackhole", "packet-loss"]).never(&["path-mtu-blackhole"]))
}

fn outage() -> Scenario {
    let flow = Flow::new(8080, &[Step::SendPaced(Side::Server, 2 * MB, 1_000)]).times(4, Pace::Concurrent(5));
    Scenario::new(
        "outage",
        "for 600 ms nothing gets through from the server",
        "The middle drops everything from the server to the client from 700 to 1300 ms after the first packet, on \
         all connections; then all is well again.",
        Traffic::new(vec![flow]),
    )
    .rules(vec![Rule::new("outage", Match::s2c().between_ms(700, 1_300), Action::Drop)])
    .expecting(
        Expect::problem(&["outage"]).may(&["packet-loss", "asymmetric-loss", "spurious-retransmission"])
            .of(Truth::Rule("outage"), &["outage", "packet-loss", "asymmetric-loss"])
            .of(Truth::SentInVain, &["spurious-retransmission"])
            .cause("outage"),
    )
}

fn outage_both() -> Scenario {
    let script = [Step::SendPaced(Side::Server, MB, 500)];
    let other = [Step::SendPaced(Side::Client, MB, 500)];
    let flows = [Flow::new(8080, &script), Flow::new(8081, &other)];
    let flows = flows.map(|flow| flow.times(3, Pace::Concurrent(5))).to_vec();
    Scenario::new(
        "outage-both",
        "for 600 ms nothing gets through either way",
        "The middle drops everything in both directions from 700 to 1300 ms after the first packet, on all \
         connections, as when a cable is pulled and plugged; then all is well again.",
        Traffic::new(flows),
    )
    .rules(vec![Rule::new("outage", Match::tcp().between_ms(700, 1_300), Action::Drop)])
    .expecting(
        Expect::problem(&["outage"])
            .may(&["packet-loss", "asymmetric-loss", "spurious-retransmission", "ack-loss"])
            .of(Truth::Rule("outage"), &["outage", "packet-loss", "asymmetric-loss"])
            .of(Truth::RuleOnAck("outage"), &["ack-loss"])
            .of(Truth::SentInVain, &["spurious-retransmission"])
            .cause("outage"),
    )
}

/// A side sends little, which passes, and then much.
fn small_then_large(side: Side) -> Traffic {
    let script = [
        Step::Send(Side::Client, 300),
        Step::Send(Side::Server, 300),
        Step::Send(Side::Client, 300),
        Step::Send(side, 30_000),
    ];
    Traffic::new(vec![Flow::new(8080, &script).times(2, Pace::Concurrent(100)).timeouts_ms(3_500, 2_500)])
}

/// A path that carries only small packets, by this rule.
fn too_big(rule: &'static str) -> Expect {
    Expect::problem(&["path-mtu-blackhole"])
        .may(&["packet-loss"])
        .of(Truth::Rule(rule), &["path-mtu-blackhole", "packet-loss"])
}

fn mtu_blackhole() -> Scenario {
    Scenario::new(
        "path-mtu-blackhole",
        "large packets vanish, small ones pass",
        "The middle drops packets of more than 1400 octets from the server and says nothing, as a tunnel does behind \
         a firewall that filters ICMP. Handshake and small answers work, so every ping and health check is green.",
        small_then_large(Side::Server),
    )
    .rules(vec![Rule::new("too-big", Match::s2c().longer_than(1_400), Action::Drop)])
    .expecting(too_big("too-big").never(&["one-way-blackhole"]))
}

fn mtu_blackhole_icmp_lost() -> Scenario {
    Scenario::new(
        "path-mtu-blackhole-icmp-lost",
        "large packets of an upload vanish, and the router's word about it too",
        "The middle drops packets of more than 1400 octets from the client. Its router says so by ICMP, but a filter \
         before it eats the message: nothing of it reaches the client.",
        small_then_large(Side::Client),
    )
    .rules(vec![Rule::new("too-big-icmp-filtered", Match::c2s().longer_than(1_400), Action::Drop)])
    .expecting(too_big("too-big-icmp-filtered").never(&["one-way-blackhole"]))
}

fn mtu_blackhole_icmp_ignored() -> Scenario {
    let useless = IcmpMessage::TooBig { mtu: 1_500 };
    Scenario::new(
        "path-mtu-blackhole-icmp-ignored",
        "large packets vanish, and the router's word about it is of no use",
        "The middle drops packets of more than 1400 octets from the server and reports a wrong MTU of 1500, which the \
         server cannot follow.",
        small_then_large(Side::Server),
    )
    .rules(vec![Rule::new("too-big", Match::s2c().longer_than(1_400), Action::RejectIcmp(useless))])
    .expecting(too_big("too-big").never(&["one-way-blackhole"]))
}

fn mtu_discovery() -> Scenario {
    let told = IcmpMessage::TooBig { mtu: 1_400 };
    Scenario::new(
        "path-mtu-discovery",
        "large packets are refused, the router says so and the server obeys",
        "The middle drops packets of more than 1400 octets from the server and reports the right MTU. The server \
         sends smaller ones at once: this is how it should work.",
        small_then_large(Side::Server),
    )
    .rules(vec![Rule::new("too-big", Match::s2c().longer_than(1_400), Action::RejectIcmp(told))])
    .expecting(Expect {
        // The packets refused at first are lost, and a count may say so.
        exit: vec![0, 1],
        ..Expect::clean()
            .may(&["packet-loss", "asymmetric-loss"])
            .of(Truth::Rule("too-big"), &["packet-loss", "asymmetric-loss"])
            .never(&["path-mtu-blackhole", "one-way-blackhole", "outage"])
    })
}

fn slow_server() -> Scenario {
    let script =
        [Step::Send(Side::Client, 300), Step::Wait(Side::Server, 700), Step::Send(Side::Server, 2_000)];
    Scenario::new(
        "slow-server",
        "the server takes its time",
        "The path is fine. The answer leaves the server 700 ms after the request has arrived.",
        Traffic::new(vec![Flow::new(8080, &script).times(4, Pace::Concurrent(50))]),
    )
    .expecting(Expect::notable(&["slow-server"]).of(Truth::Port(8080), &["slow-server"]).never(&NO_LOSS))
}

fn slow_client() -> Scenario {
    let asks = [Step::Send(Side::Client, 300), Step::Send(Side::Server, 2_000)];
    let script = [asks.as_slice(), &[Step::Wait(Side::Client, 700)]].concat().repeat(4);
    Scenario::new(
        "slow-client",
        "the client takes its time between its requests",
        "The path is fine, and the server answers at once. The next request leaves the client 700 ms after the answer \
         to the one before has arrived.",
        Traffic::new(vec![Flow::new(8080, &script).times(4, Pace::Concurrent(50))]),
    )
    .expecting(
        Expect::notable(&["slow-client"])
            .of(Truth::Port(8080), &["slow-client"])
            .never(&NO_LOSS)
            .never(&["slow-server"]),
    )
}

fn window_update_lost() -> Scenario {
    let script = [Step::Wait(Side::Server, 900), Step::Send(Side::Client, 8 * MB)];
    Scenario::new(
        "window-update-lost",
        "the server reads again, and its word of it is lost",
        "The server reads nothing for 900 ms and its window closes. When it reads again it says so, and the middle \
         drops just that. The client waits until its next probe, which backs off: from its side the server reads \
         slowly, and the server waits for data.",
        Traffic::new(vec![Flow::new(8080, &script)]),
    )
    .rules(vec![Rule::new("lose-update", Match::s2c().pure_ack().reopening(), Action::Drop)])
    .expecting(
        Expect::notable(&["window-update-lost"])
            .may(&["zero-window", "slow-server", "ack-loss", "packet-loss", "asymmetric-loss"])
            .of(Truth::Rule("lose-update"), &["window-update-lost", "ack-loss", "packet-loss", "asymmetric-loss"])
            .of(Truth::Port(8080), &["zero-window", "slow-server"])
            .never(&["one-way-blackhole", "outage"]),
    )
}

fn zero_window() -> Scenario {
    let script = [Step::Wait(Side::Server, 1_500), Step::Send(Side::Client, 8 * MB)];
    Scenario::new(
        "zero-window",
        "the server's application does not read",
        "The path is fine. The server reads nothing for 1.5 s; its buffer fills and its window closes.",
        Traffic::new(vec![Flow::new(8080, &script)]),
    )
    .expecting(
        Expect::notable(&["zero-window"])
            .may(&["slow-server"])
            .of(Truth::Port(8080), &["zero-window", "slow-server"])
            .never(&NO_LOSS),
    )
}
