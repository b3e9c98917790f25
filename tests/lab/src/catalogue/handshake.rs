//! Connections that do not come about.

use super::clean::{EXCHANGE, background};
use crate::condition::{Count, Match};
use crate::expect::Expect;
use crate::firewall::Refusal;
use crate::rule::{Action, IcmpMessage, Rule};
use crate::scenario::Scenario;
use crate::traffic::{Caller, Flow, Listener, Pace, Side, Step, Traffic};
use crate::truth::Truth;

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        syn_lost(),
        syn_ack_lost(),
        handshake_ack_lost(),
        syn_unanswered(),
        syn_ack_ignored(),
        accept_queue_full(),
        connection_refused(),
        connection_refused_by_firewall(),
        connection_refused_icmp(),
        refused_in_path(),
        refused_in_path_icmp(),
    ]
}

/// Three calls, 100 ms apart, when other traffic has shown that the captures run.
fn calls() -> Flow {
    Flow::new(5432, &EXCHANGE).times(3, Pace::Concurrent(100)).starting_at_ms(300)
}

fn syn_lost() -> Scenario {
    Scenario::new(
        "syn-lost",
        "connection attempts vanish on the way to the server",
        "The middle drops every SYN. The client sees no answer and cannot know whether the server got anything; the \
         server's capture runs and sees nothing of the kind.",
        Traffic::new(vec![calls(), background(4)]),
    )
    .rules(vec![Rule::new("drop-syn", Match::c2s().syn().port(5432), Action::Drop)])
    .expecting(Expect::problem(&["syn-lost"]).of(Truth::Rule("drop-syn"), &["syn-lost"]).never(&["syn-ack-lost", "syn-unanswered"]))
}

fn syn_ack_lost() -> Scenario {
    Scenario::new(
        "syn-ack-lost",
        "the server answers, and its answers vanish on the way back",
        "The middle drops every SYN-ACK. The client sees its SYNs unanswered and blames the server; the server sees \
         SYNs, answers each, and blames the client. Only both captures together show that the way back is cut.",
        Traffic::new(vec![calls(), background(4)]),
    )
    .rules(vec![Rule::new("drop-syn-ack", Match::s2c().syn_ack().port(5432), Action::Drop)])
    .expecting(Expect::problem(&["syn-ack-lost"]).of(Truth::Rule("drop-syn-ack"), &["syn-ack-lost"]).never(&["syn-lost", "syn-unanswered", "syn-ack-ignored"]))
}

fn handshake_ack_lost() -> Scenario {
    let script = [Step::Send(Side::Server, 200), Step::Send(Side::Client, 200)];
    Scenario::new(
        "handshake-ack-lost",
        "the last packet of the handshake is lost and the server greets a second late",
        "The middle drops the client's first ACK of each connection. The client believes it is connected and waits; \
         the server waits too, and repeats its SYN-ACK after a second.",
        Traffic::new(vec![Flow::new(8025, &script).times(3, Pace::Concurrent(50))]),
    )
    .rules(vec![Rule::new(
        "drop-handshake-ack",
        Match::c2s().pure_ack().count(Count::Only(1)),
        Action::Drop,
    )])
    .expecting(
        Expect::notable(&["handshake-ack-lost"])
            .may(&["ack-loss", "packet-loss"])
            .of(Truth::GreetedTwice, &["handshake-ack-lost"])
.of(Truth::Rule("drop-handshake-ack"), &["ack-loss", "packet-loss"])
.never(&["syn-ack-lost", "accept-queue-full"]),
    )
}

fn syn_unanswered() -> Scenario {
    Scenario::new(
        "syn-unanswered",
        "connection attempts reach the server and its host says nothing",
        "The path is fine. The server's host drops the SYNs behind its capture point, as a local firewall does. From \
         the client it looks exactly as if the network had lost them.",
        Traffic::new(vec![calls().listener(Listener::Deaf)]),
    )
    .expecting(Expect::problem(&["syn-unanswered"]).of(Truth::Port(5432), &["syn-unanswered"]).never(&["syn-lost", "syn-ack-lost"]))
}

fn syn_ack_ignored() -> Scenario {
    Scenario::new(
        "syn-ack-ignored",
        "the server's answer reaches the client's host, which acts as if it had not",
        "The path is fine. The client's host drops the SYN-ACKs behind its capture point. The application sees a \
         time-out, the server an endless handshake.",
        Traffic::new(vec![calls().caller(Caller::Deaf)]),
    )
    .expecting(Expect::problem(&["syn-ack-ignored"]).of(Truth::Port(5432), &["syn-ack-ignored"]).never(&["syn-lost", "syn-ack-lost", "syn-unanswered"]))
}

fn accept_queue_full() -> Scenario {
    let script = [Step::Wait(Side::Client, 2_500)];
    let flow = Flow::new(5432, &script).times(4, Pace::Concurrent(50)).listener(Listener::NeverAccepts);
    Scenario::new(
        "accept-queue-full",
        "the server's application does not accept, and its queue is full",
        "The path is fine. The queue takes the first connection; the SYNs of the others arrive and the stack drops \
         them. The packets look as if a firewall had; the host's counters tell.",
        Traffic::new(vec![flow.timeouts_ms(2_500, 500)]),
    )
    .expecting(Expect {
        // From packets alone the two are the same; the counters of a live capture make the difference.
        may: vec!["accept-queue-full", "syn-unanswered"],
        ..Expect::problem(&[]).of(Truth::Unanswered(5432), &["accept-queue-full", "syn-unanswered"]).never(&["syn-lost", "syn-ack-lost"])
    })
}

fn connection_refused() -> Scenario {
    Scenario::new(
        "connection-refused",
        "nothing listens at the server's port",
        "The path is fine. The server's host answers each SYN with a reset.",
        Traffic::new(vec![calls().listener(Listener::Closed)]),
    )
    .expecting(
        Expect::problem(&["connection-refused"]).of(Truth::Port(5432), &["connection-refused"]).never(&[
            "refused-in-path",
            "rst-injected",
            "syn-lost",
        ]),
    )
}

/// The server's own host refuses, in this way.
fn refusing(name: &'static str, title: &'static str, says: &'static str, how: Refusal) -> Scenario {
    Scenario::new(name, title, says, Traffic::new(vec![calls().listener(Listener::Refused(how))])).expecting(
        Expect::problem(&["connection-refused"]).of(Truth::Port(5432), &["connection-refused"]).never(&[
            "refused-in-path",
            "rst-injected",
            "syn-lost",
            "syn-unanswered",
        ]),
    )
}

fn connection_refused_by_firewall() -> Scenario {
    refusing(
        "connection-refused-firewall",
        "the server's own firewall answers that nothing listens",
        "The path is fine. The application listens, but the firewall of its host answers each SYN with a reset: the \
         stack's counters do not know of it, and yet it was the host.",
        Refusal::Reset,
    )
}

fn connection_refused_icmp() -> Scenario {
    refusing(
        "connection-refused-icmp",
        "the server's own firewall tells by ICMP that the port is closed",
        "The path is fine. The firewall of the server's host answers each SYN with an ICMP error.",
        Refusal::Unreachable,
    )
}

fn refused_in_path() -> Scenario {
    Scenario::new(
        "refused-in-path",
        "a device answers in the server's name that nothing listens",
        "The middle drops each SYN and answers it with a reset under the server's address. The client is sure that \
         the server refused; the server never heard of it.",
        Traffic::new(vec![calls(), background(1)]),
    )
    .rules(vec![Rule::new("refuse", Match::c2s().syn().port(5432), Action::Refuse)])
    .expecting(Expect::problem(&["refused-in-path"]).of(Truth::Rule("refuse"), &["refused-in-path"]).never(&["connection-refused", "syn-lost"]))
}

fn refused_in_path_icmp() -> Scenario {
    Scenario::new(
        "refused-in-path-icmp",
        "a router forbids the connection",
        "The middle drops each SYN and tells the client by ICMP that a filter forbids it.",
        Traffic::new(vec![calls(), background(1)]),
    )
    .rules(vec![Rule::new(
        "prohibit",
        Match::c2s().syn().port(5432),
        Action::RejectIcmp(IcmpMessage::Prohibited),
    )])
    .expecting(
        Expect::problem(&["refused-in-path"])
            .of(Truth::Rule("prohibit"), &["refused-in-path"])
            .never(&["connection-refused", "syn-lost"]),
    )
}
