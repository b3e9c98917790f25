//! Devices that end connections and begin others.

use super::clean::{EXCHANGE, NO_LOSS};
use crate::expect::Expect;
use crate::plan::Relay;
use crate::scenario::Scenario;
use crate::traffic::{Flow, Pace, Step, Traffic};
use crate::truth::Truth;

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    vec![syn_proxy(), proxied(), proxied_transparent()]
}

/// What is not lost, though it never arrives at the other end.
const NOTHING_LOST: [&str; 5] =
    ["syn-lost", "syn-ack-lost", "handshake-ack-lost", "syn-unanswered", "syn-ack-ignored"];

fn syn_proxy() -> Scenario {
    let script = [EXCHANGE.as_slice(), &[Step::Exchange(100_000, 100_000)]].concat();
    let mut scenario = Scenario::new(
        "syn-proxy",
        "a firewall greets the client before it calls the server",
        "The middle answers each SYN itself, with a closed window. Only a client that answers gets to the server: the \
         middle calls it in the client's name, then opens the window, and from then on turns the server's sequence \
         numbers and timestamps into those that it had made up. Nothing is wrong.",
        Traffic::new(vec![Flow::new(8080, &script).times(5, Pace::Concurrent(30))]),
    )
    .expecting(
        Expect::notable(&["syn-ack-injected"])
            .may(&["sequence-rewritten"])
            .of(Truth::Rule("syn-proxy"), &["syn-ack-injected", "sequence-rewritten"])
            .never(&NO_LOSS)
            .never(&NOTHING_LOST)
            .never(&["sack-not-rewritten", "rst-injected", "zero-window", "window-update-lost"]),
    );
    scenario.plan.syn_proxy = Some(8080);
    // The window scale that the proxy promises in the servers' name.
    scenario.sysctls = vec![("net/ipv4/tcp_rmem", "4096 131072 6291456")];
    scenario
}

fn relaying(name: &'static str, title: &'static str, says: &'static str, relay: Relay) -> Scenario {
    let script = [EXCHANGE.as_slice(), &[Step::Exchange(100_000, 100_000)]].concat();
    let flow = Flow::new(8080, &script).times(5, Pace::Concurrent(40));
    let mut scenario = Scenario::new(name, title, says, Traffic::new(vec![flow])).expecting(
        Expect::notable(&["proxied"])
            .of(Truth::Every, &["proxied"])
            .never(&NO_LOSS)
            .never(&NOTHING_LOST)
            .never(&["sequence-rewritten", "rst-injected", "payload-altered", "one-way-blackhole"]),
    );
    scenario.plan.relay = Some(relay);
    scenario
}

fn proxied() -> Scenario {
    relaying(
        "proxied",
        "the client talks to a proxy, and the proxy to the server",
        "A proxy in the middle accepts the client's connections at the service's address and makes its own to the server. \
         The two ends have connections of their own, with other addresses, numbers and packets: nothing between them \
         can be lost.",
        Relay::Addressed,
    )
}

fn proxied_transparent() -> Scenario {
    relaying(
        "proxied-transparent",
        "a proxy stands in the way and shows itself to nobody",
        "A proxy in the middle answers in the server's name and calls the server in the client's, from the same port. Both \
         ends show the same addresses and ports, and yet it is two connections: the client is greeted before the server \
         has heard of it.",
        Relay::Transparent,
    )
}
