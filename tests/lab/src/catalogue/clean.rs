//! Nothing is wrong.

use crate::scenario::Scenario;
use crate::traffic::{Flow, Side, Step, Traffic};

/// A small request and its answer, after some thought.
pub(super) const EXCHANGE: [Step; 3] =
    [Step::Send(Side::Client, 400), Step::Wait(Side::Server, 3), Step::Send(Side::Server, 9_000)];

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    vec![one()]
}

fn one() -> Scenario {
    Scenario::new(
        "clean-one",
        "one healthy connection",
        "The path only delays, 5 ms each way. A client asks, a server answers, both close.",
        Traffic::new(vec![Flow::new(8080, &EXCHANGE)]),
    )
}
