//! Connections that do not come about.

use super::clean::EXCHANGE;
use crate::rule::{Action, Match, Rule};
use crate::scenario::{Expect, Scenario};
use crate::traffic::{Flow, Traffic};

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    vec![syn_ack_lost()]
}

fn syn_ack_lost() -> Scenario {
    let traffic = Traffic::new(vec![Flow::new(5432, &EXCHANGE)]);
    let mut scenario = Scenario::new(
        "syn-ack-lost",
        "the server answers, and its answers vanish on the way back",
        "The middle drops every SYN-ACK. The client sees its SYNs unanswered and blames the server; the server \
         sees SYNs, answers each, and blames the client. Only both captures together show the way back is cut.",
        traffic,
    );
    scenario.plan.rules = vec![Rule::new("drop-syn-ack", Match::s2c().syn_ack(), Action::Drop)];
    scenario.expect = Expect::problem(&["syn-ack-lost"]);
    scenario
}
