//! Connections that are reset, by a host or by someone else.

use super::clean::{EXCHANGE, background};
use crate::condition::{Count, Match};
use crate::expect::Expect;
use crate::rule::{Action, Rewrite, RstInjection, Rule, Toward, Trigger};
use crate::scenario::Scenario;
use crate::traffic::{Flow, Pace, Side, Step, Traffic};
use crate::truth::Truth;
use correlate_proto::Direction;

/// Those that the client's own stack reset.
const BY_CLIENT: Truth = Truth::ResetBy(Direction::ClientToServer);

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        rst_injected(),
        rst_injected_client_only(),
        rst_injected_ttl(),
        rst_injected_several(),
        rst_injected_in_path(),
        rst_injected_idle(),
        rst_lost(),
        reset_by_client(),
        reset_by_server(),
        reset_after_reroute(),
        idle_expiry_silent(),
        idle_expiry_rst(),
    ]
}

/// Two exchanges, the second with a long thought, into which a reset falls.
fn thoughtful() -> Vec<Step> {
    let second =
        [Step::Send(Side::Client, 300), Step::Wait(Side::Server, 120), Step::Send(Side::Server, 5_000)];
    [EXCHANGE.as_slice(), &second].concat()
}

/// 20 ms after the second request, when the path is quiet.
fn while_the_server_thinks(injection: RstInjection) -> Vec<Rule> {
    let second_request = Match::c2s().data().count(Count::Only(2));
    vec![Rule::new(
        "inject-rst",
        second_request,
        Action::InjectRst(RstInjection { after_us: 20_000, ..injection }),
    )]
}

fn rst_injected() -> Scenario {
    Scenario::new(
        "rst-injected",
        "a device resets healthy connections, each end in the other's name",
        "While the server thinks, the middle sends a reset to both ends. Each end's capture shows that the other \
         hung up, and each team blames the other; neither host sent a reset.",
        Traffic::new(vec![Flow::new(8080, &thoughtful()).times(3, Pace::Concurrent(50))]),
    )
    .rules(while_the_server_thinks(RstInjection::toward(Toward::Both)))
    .expecting(Expect::problem(&["rst-injected"]).of(Truth::Rule("inject-rst"), &["rst-injected"]).never(&["reset-by-client", "reset-by-server", "idle-expiry"]))
}

fn rst_injected_client_only() -> Scenario {
    Scenario::new(
        "rst-injected-client-only",
        "a device resets the client in the server's name",
        "While the server thinks, the middle sends a reset to the client only. The server goes on, and its answer \
         meets a client that is gone and resets for real.",
        Traffic::new(vec![Flow::new(8080, &thoughtful()).times(3, Pace::Concurrent(50))]),
    )
    .rules(while_the_server_thinks(RstInjection::toward(Toward::Client)))
    .expecting(Expect::problem(&["rst-injected"]).of(Truth::Rule("inject-rst"), &["rst-injected"]).may(&["reset-by-client"]).of(BY_CLIENT, &["reset-by-client"]).never(&["reset-by-server"]))
}

fn rst_injected_ttl() -> Scenario {
    let injection = RstInjection { ttl: Some(250), ip_id: 0x4242, ..RstInjection::toward(Toward::Both) };
    let mut scenario = Scenario::new(
        "rst-injected-ttl",
        "a device resets connections and its packets look foreign",
        "As rst-injected, but the forged resets bear a TTL and an identification that the hosts never use.",
        Traffic::new(vec![Flow::new(8080, &thoughtful()).times(3, Pace::Concurrent(50))]),
    )
    .rules(while_the_server_thinks(injection))
    .expecting(
        Expect::problem(&["rst-injected"]).of(Truth::Rule("inject-rst"), &["rst-injected"]).never(&[
            "reset-by-client",
            "reset-by-server",
            "idle-expiry",
        ]),
    );
    scenario.plan.hops = 3;
    scenario
}

fn rst_injected_several() -> Scenario {
    let at = |name, steps: u32, after_us| {
        let toward = RstInjection::toward(Toward::Both);
        let injection = RstInjection { seq_offset: steps * 1_460, after_us, ..toward };
        Rule::new(name, Match::c2s().data().count(Count::Only(2)), Action::InjectRst(injection))
    };
    Scenario::new(
        "rst-injected-several",
        "a device sends several resets, to hit whatever the window is by then",
        "While the server thinks, the middle sends three resets to each end in the other's name, the later ones one and \
         two segments further, as filters do that only listen.",
        Traffic::new(vec![Flow::new(8080, &thoughtful()).times(3, Pace::Concurrent(50))]),
    )
    .rules(vec![
        at("inject-rst", 0, 20_000),
        at("inject-rst-second", 1, 20_050),
        at("inject-rst-third", 2, 20_100),
    ])
    .expecting(Expect::problem(&["rst-injected"]).of(Truth::Rule("inject-rst"), &["rst-injected"]).never(&[
        "reset-by-client",
        "reset-by-server",
        "idle-expiry",
    ]))
}

fn rst_injected_in_path() -> Scenario {
    let injection = RstInjection { trigger: Trigger::Dropped, ..RstInjection::toward(Toward::Both) };
    let second_request = Match::c2s().data().count(Count::Only(2));
    Scenario::new(
        "rst-injected-in-path",
        "an inline device drops a request and resets both ends",
        "The middle does not like the second request: it drops it, sends a reset to both ends in the other's name, and \
         lets nothing of the connection pass any more, as intrusion prevention does.",
        Traffic::new(vec![Flow::new(8080, &thoughtful()).times(2, Pace::Concurrent(50)), background(1)]),
    )
    .rules(vec![
        Rule::new("block", second_request.clone().port(8080), Action::Mark),
        Rule::new("inject-rst", second_request.port(8080), Action::InjectRst(injection)),
        Rule::new("drop-blocked", Match::tcp().marked(), Action::Drop),
    ])
    .expecting(
        Expect::problem(&["rst-injected"])
            .may(&["packet-loss"])
            .of(Truth::Rule("inject-rst"), &["rst-injected", "packet-loss"])
            .never(&["reset-by-client", "reset-by-server", "idle-expiry"]),
    )
}

fn rst_injected_idle() -> Scenario {
    let note = [Step::Send(Side::Client, 10)];
    let script = [EXCHANGE.as_slice(), &note, &[Step::Wait(Side::Client, 2_500)], &EXCHANGE].concat();
    let injection = RstInjection { after_us: 1_500_000, ..RstInjection::toward(Toward::Both) };
    Scenario::new(
        "rst-injected-idle",
        "a device resets connections because they are idle",
        "After 1.5 s of silence the middle sends a reset to both ends, each in the other's name, though neither had said \
         anything. Each end thinks that the other hung up.",
        Traffic::new(vec![Flow::new(8080, &script).times(2, Pace::Concurrent(50)), background(3)]),
    )
    .rules(vec![Rule::new(
        "inject-rst",
        Match::c2s().data().port(8080).count(Count::Only(2)),
        Action::InjectRst(injection),
    )])
    .expecting(Expect::problem(&["rst-injected"]).of(Truth::Rule("inject-rst"), &["rst-injected"]).never(&[
        "reset-by-client",
        "reset-by-server",
        "idle-expiry",
    ]))
}

fn reset_after_reroute() -> Scenario {
    let wait = [Step::Wait(Side::Server, 50), Step::Reset(Side::Server)];
    let script = [EXCHANGE.as_slice(), &wait].concat();
    Scenario::new(
        "reset-after-reroute",
        "a real reset whose TTL is not that of the packets before it",
        "The server's application hangs up with a reset, and just then the way from the server has become three hops \
         longer. The reset's TTL is foreign, and it is the server's all the same.",
        Traffic::new(vec![Flow::new(8080, &script).times(3, Pace::Sequential(50))]),
    )
    .rules(vec![Rule::new(
        "longer-way",
        Match::s2c().rst(),
        Action::Rewrite(Rewrite::Age(3)),
    )])
    .expecting(
        Expect::notable(&["reset-by-server"])
            .of(Truth::ResetBy(Direction::ServerToClient), &["reset-by-server"])
            .never(&["rst-injected", "rst-lost", "reset-by-client"]),
    )
}

fn rst_lost() -> Scenario {
    let script = [EXCHANGE.as_slice(), &[Step::Reset(Side::Client)]].concat();
    let mut traffic = Traffic::new(vec![Flow::new(8080, &script).times(3, Pace::Sequential(50))]);
    traffic.settle_ms = 800;
    Scenario::new(
        "rst-lost",
        "the client resets, and the server never hears of it",
        "The client closes with a reset, as an application that crashes does; the middle drops it. The server holds \
         half a connection until it has something to say.",
        traffic,
    )
    .rules(vec![Rule::new("drop-rst", Match::c2s().rst(), Action::Drop)])
    .expecting(Expect::notable(&["rst-lost"]).may(&["reset-by-client", "packet-loss"]).of(Truth::Rule("drop-rst"), &["rst-lost", "packet-loss"]).of(BY_CLIENT, &["reset-by-client"]).never(&["rst-injected"]))
}

fn reset_by_client() -> Scenario {
    let script = [EXCHANGE.as_slice(), &[Step::Reset(Side::Client)]].concat();
    Scenario::new(
        "reset-by-client",
        "the client's application hangs up with a reset",
        "The path is fine. The client's own stack sends the reset, and the server's capture sees the same one.",
        Traffic::new(vec![Flow::new(8080, &script).times(3, Pace::Sequential(50))]),
    )
    .expecting(Expect::notable(&["reset-by-client"]).of(BY_CLIENT, &["reset-by-client"]).never(&["rst-injected", "rst-lost", "reset-by-server"]))
}

fn reset_by_server() -> Scenario {
    let script = [EXCHANGE.as_slice(), &[Step::Reset(Side::Server)]].concat();
    Scenario::new(
        "reset-by-server",
        "the server's application hangs up with a reset",
        "The path is fine. The server's own stack sends the reset, and the client's capture sees the same one.",
        Traffic::new(vec![Flow::new(8080, &script).times(3, Pace::Sequential(50))]),
    )
    .expecting(Expect::notable(&["reset-by-server"]).of(Truth::ResetBy(Direction::ServerToClient), &["reset-by-server"]).never(&["rst-injected", "rst-lost", "reset-by-client"]))
}

/// An exchange, 2 s of silence, and another.
fn idle_flow() -> Flow {
    let script = [EXCHANGE.as_slice(), &[Step::Wait(Side::Client, 2_000)], &EXCHANGE].concat();
    Flow::new(8080, &script).times(2, Pace::Concurrent(50)).timeouts_ms(3_500, 1_800)
}

fn idle_expiry_silent() -> Scenario {
    Scenario::new(
        "idle-expiry",
        "a device forgets idle connections and drops what comes after",
        "After 1.5 s of silence the middle drops everything of the connection, as a firewall does whose state timed \
         out. The client repeats its request in vain; the server thinks that the client has nothing to ask.",
        Traffic::new(vec![idle_flow(), background(4)]),
    )
    .rules(vec![
        Rule::new("expire", Match::tcp().port(8080).after_idle_ms(1_500), Action::Mark),
        Rule::new("drop-expired", Match::tcp().marked(), Action::Drop),
    ])
    .expecting(Expect::problem(&["idle-expiry"]).may(&["one-way-blackhole"]).of(Truth::Rule("drop-expired"), &["idle-expiry", "one-way-blackhole"]).never(&["rst-injected"]))
}

fn idle_expiry_rst() -> Scenario {
    let reset = RstInjection { trigger: Trigger::Dropped, ..RstInjection::toward(Toward::Client) };
    Scenario::new(
        "idle-expiry-rst",
        "a device forgets idle connections and resets what comes after",
        "After 1.5 s of silence the middle answers the client's next packet with a reset in the server's name and \
         drops it. The client blames the server, which heard nothing.",
        Traffic::new(vec![idle_flow(), background(4)]),
    )
    .rules(vec![
        Rule::new("expire", Match::c2s().port(8080).after_idle_ms(1_500), Action::Mark),
        Rule::new("reset-expired", Match::c2s().marked(), Action::InjectRst(reset)),
        Rule::new("drop-expired", Match::s2c().marked(), Action::Drop),
    ])
    .expecting(Expect::problem(&["idle-expiry"]).of(Truth::Rule("reset-expired"), &["idle-expiry"]).never(&["rst-injected", "reset-by-server"]))
}
