//! Nothing is wrong but the capture, or less is captured than there is.

use super::clean::{EXCHANGE, MB, NO_LOSS, chatter};
use crate::clock::{self, ClockError};
use crate::expect::Expect;
use crate::plan::Translation;
use crate::scenario::Scenario;
use crate::tap::{TapInterface, TapPlan};
use crate::traffic::{Flow, Pace, Side, Step, Traffic};
use crate::truth::Truth;

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = vec![drops(), late_start(), early_stop(), wrong_interface(), one_of_two_backends()];
    all.extend([two_backends(), clock(), clock_step(), clock_slew()]);
    for scenario in &mut all {
        scenario.expect.never.extend(NO_LOSS);
        scenario.expect.never.extend([
            "syn-lost",
            "syn-ack-lost",
            "syn-unanswered",
            "rst-lost",
            "rst-injected",
        ]);
    }
    all
}

fn drops() -> Scenario {
    Scenario::new(
        "capture-drops",
        "the server's capture misses packets, the path does not",
        "The path is fine. The capture at the server leaves out 2 % of the packets, as an overloaded host does, and \
         no counter tells. That the packets arrived shows in what the server acknowledges.",
        Traffic::new(vec![Flow::new(8080, &[Step::Exchange(3 * MB, 3 * MB)]).times(2, Pace::Concurrent(5))]),
    )
    .server_tap(TapPlan { miss: 0.02, ..TapPlan::default() })
    .expecting(Expect { exit: vec![0, 3], ..Expect::clean().may(&["capture-loss"]) })
}

/// Short connections for a second and a half, and one that lasts.
fn ongoing() -> Traffic {
    let lasting = [Step::SendPaced(Side::Server, MB, 700)];
    Traffic::new(vec![Flow::new(8080, &EXCHANGE).times(25, Pace::Sequential(40)), Flow::new(9000, &lasting)])
}

fn late_start() -> Scenario {
    Scenario::new(
        "late-start",
        "the server's capture begins later than the client's",
        "The path is fine. The server's capture begins half a second after the client's, in the middle of a \
         connection and after others have ended.",
        ongoing(),
    )
    .server_tap(TapPlan { start_ms: 500, ..TapPlan::default() })
    .expecting(Expect { exit: vec![0, 3], ..Expect::clean().may(&["unpaired-connection"]) })
}

fn early_stop() -> Scenario {
    Scenario::new(
        "early-stop",
        "the server's capture ends before the client's",
        "The path is fine. The server's capture ends 700 ms after it began; the connections go on.",
        ongoing(),
    )
    .server_tap(TapPlan { stop_ms: Some(700), ..TapPlan::default() })
    .expecting(Expect { exit: vec![0, 3], ..Expect::clean().may(&["unpaired-connection"]) })
}

fn wrong_interface() -> Scenario {
    Scenario::new(
        "wrong-interface",
        "the server's capture listens on another interface",
        "The path is fine. The capture at the server runs on an interface that carries none of the traffic, so its \
         silence proves nothing.",
        Traffic::new(vec![Flow::new(8080, &EXCHANGE).times(5, Pace::Sequential(50))]),
    )
    .server_tap(TapPlan { interface: TapInterface::Spare, ..TapPlan::default() })
    .expecting(Expect::inconclusive(&["not-captured"]).may(&["unpaired-connection"]))
}

fn backends(name: &'static str, title: &'static str, says: &'static str) -> Scenario {
    let flow = Flow::new(8080, &EXCHANGE).times(12, Pace::Concurrent(30));
    let mut scenario = Scenario::new(name, title, says, Traffic::new(vec![flow]));
    scenario.plan.translation = Translation::Service;
    scenario.servers = 2;
    scenario
}

fn one_of_two_backends() -> Scenario {
    backends(
        "one-of-two-backends",
        "a service has two servers and only one is captured",
        "The path is fine. The client calls the service's address and the middle spreads the connections over two \
         servers. Half of them are seen at the client only.",
    )
    .expecting(Expect::notable(&["unpaired-connection"]).may(&["address-translated"]).of(Truth::Server(1), &["unpaired-connection"]).of(Truth::Server(0), &["address-translated"]))
}

fn two_backends() -> Scenario {
    let mut scenario = backends(
        "two-backends",
        "a service has two servers and both are captured",
        "The path is fine. The middle spreads the connections over two servers; each connection pairs with one.",
    )
    .expecting(Expect::notable(&["address-translated"]).of(Truth::Every, &["address-translated"]).never(&["unpaired-connection"]));
    scenario.server_taps.push(TapPlan::default());
    scenario
}

fn clock() -> Scenario {
    Scenario::new(
        "clock-37s-50ppm",
        "the server's clock is 37 seconds ahead and runs fast",
        "The path is fine. The server's stamps are 37 s ahead, as after a missed leap-second table, and gain 50 µs \
         each second.",
        Traffic::new(vec![
            Flow::new(8080, &EXCHANGE).times(80, Pace::Sequential(20)),
            Flow::new(9000, &[Step::SendPaced(Side::Server, 2 * MB, 700)]),
        ]),
    )
    .server_tap(TapPlan {
        clock: ClockError { offset_ns: 37_000_000_000, skew_ppb: 50_000, ..ClockError::default() },
        ..TapPlan::default()
    })
}

fn clock_step() -> Scenario {
    let steps = &[clock::Step { at_ms: 10_000, by_ns: 40_000_000 }];
    Scenario::new(
        "clock-step",
        "the server's clock jumps",
        "The path is fine and takes 25 ms each way. Ten seconds after its capture began the server's clock jumps ahead by \
         40 ms: from then on its stamps say that packets to the client arrive before they were sent.",
        Traffic::new(vec![chatter(22)]),
    )
    .delay_us(25_000)
    .server_tap(TapPlan { clock: ClockError { steps, ..ClockError::default() }, ..TapPlan::default() })
    .expecting(Expect::notable(&["clock-step"]))
}

fn clock_slew() -> Scenario {
    let slews = &[
        clock::Slew { at_ms: 4_000, ppb: 15_000 },
        clock::Slew { at_ms: 8_000, ppb: -10_000 },
        clock::Slew { at_ms: 12_000, ppb: 5_000 },
    ];
    Scenario::new(
        "clean-clock-slew",
        "the server's clock is disciplined while it is captured",
        "The path is fine and takes 25 ms each way. The rate of the server's clock is changed every four seconds, by up \
         to 25 parts per million, as NTP does it.",
        Traffic::new(vec![chatter(18)]),
    )
    .delay_us(25_000)
    .server_tap(TapPlan { clock: ClockError { slews, ..ClockError::default() }, ..TapPlan::default() })
    .expecting(Expect::clean().never(&["clock-step"]))
}
