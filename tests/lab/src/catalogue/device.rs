//! Devices that end connections and begin others.

use super::clean::{EXCHANGE, NO_LOSS};
use crate::expect::Expect;
use crate::scenario::Scenario;
use crate::traffic::{Flow, Pace, Step, Traffic};
use crate::truth::Truth;

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    vec![syn_proxy()]
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
