//! Devices that change what passes.

use super::clean::{EXCHANGE, MB, NO_LOSS};
use crate::condition::{Count, Match};
use crate::expect::Expect;
use crate::rule::{Action, Rewrite, Rule, SackBlocks};
use crate::scenario::Scenario;
use crate::traffic::{Flow, Pace, Side, Step, Traffic};
use crate::truth::Truth;
use correlate_proto::Direction;

/// Kinds of TCP options.
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;

/// By how much the firewall of these scenarios shifts sequence numbers.
const SHIFT: u32 = 0x5A5A_1234;

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        sequence_rewritten(),
        sack_not_rewritten(),
        mss_clamped(),
        option_stripped(),
        window_scale_mismatch(),
        dscp_rewritten(),
        ecn_bleached(),
        payload_altered(),
        challenge_ack(),
    ]
}

/// A few exchanges with a larger answer.
fn exchanges() -> Traffic {
    let script = [EXCHANGE.as_slice(), &[Step::Exchange(100_000, 100_000)]].concat();
    Traffic::new(vec![Flow::new(8080, &script).times(4, Pace::Concurrent(20))])
}

fn rewriting(name: &'static str, when: Match, change: Rewrite) -> Vec<Rule> {
    vec![Rule::new(name, when, Action::Rewrite(change))]
}

fn shift(sack: SackBlocks) -> Rewrite {
    Rewrite::ShiftSequence { of: Direction::ClientToServer, by: SHIFT, sack }
}

fn sequence_rewritten() -> Scenario {
    Scenario::new(
        "sequence-rewritten",
        "a firewall randomises the client's sequence numbers",
        "The middle adds a constant to the client's sequence numbers and takes it from what the server acknowledges. \
         The two captures have no sequence number in common, and nothing is wrong.",
        exchanges(),
    )
    .rules(rewriting("shift", Match::tcp(), shift(SackBlocks::Shifted)))
    .expecting(Expect::notable(&["sequence-rewritten"]).of(Truth::Rule("shift"), &["sequence-rewritten"]).never(&NO_LOSS).never(&["sack-not-rewritten"]))
}

fn sack_not_rewritten() -> Scenario {
    let flow = Flow::new(8080, &[Step::Send(Side::Client, MB / 2), Step::Send(Side::Server, 500)]);
    let lose = Rule::new("lose", Match::c2s().data(), Action::DropOneIn { packets: 60 });
    let mut rules = vec![lose];
    rules.extend(rewriting("shift", Match::tcp(), shift(SackBlocks::Left)));
    Scenario::new(
        "sack-not-rewritten",
        "a firewall randomises sequence numbers and forgets the SACK blocks",
        "The middle shifts sequence numbers but not the SACK blocks, and loses a packet in sixty. The client finds \
         the server's SACK blocks absurd and must do without them: each loss costs far more than it should.",
        Traffic::new(vec![flow.times(3, Pace::Concurrent(10))]),
    )
    .rules(rules)
    .expecting(
        Expect::problem(&["sack-not-rewritten", "packet-loss"]).may(&["asymmetric-loss", "sequence-rewritten"])
            .of(Truth::Sacked(Direction::ServerToClient), &["sack-not-rewritten"])
            .of(Truth::Rule("lose"), &["packet-loss", "asymmetric-loss"])
            .of(Truth::Rule("shift"), &["sequence-rewritten"]),
    )
}

fn mss_clamped() -> Scenario {
    Scenario::new(
        "mss-clamped",
        "a router lowers the MSS that the hosts announce",
        "The middle lowers the MSS option of both SYNs to 1200, as before a tunnel. Segments are smaller than the \
         hosts would like, and nothing is wrong.",
        exchanges(),
    )
    .rules(rewriting("clamp-mss", Match::tcp(), Rewrite::ClampMss(1_200)))
    .expecting(Expect::notable(&["mss-clamped"]).of(Truth::Rule("clamp-mss"), &["mss-clamped"]).never(&NO_LOSS))
}

fn option_stripped() -> Scenario {
    Scenario::new(
        "option-stripped",
        "a firewall removes an option from the handshake",
        "The middle overwrites SACK-permitted in the SYN with no-operations. Each host thinks that the other does \
         not know SACK.",
        exchanges(),
    )
    .rules(rewriting("strip-sack", Match::c2s().syn(), Rewrite::StripOption(SACK_PERMITTED)))
    .expecting(Expect::notable(&["option-stripped"]).of(Truth::Rule("strip-sack"), &["option-stripped"]).never(&NO_LOSS))
}

fn window_scale_mismatch() -> Scenario {
    Scenario::new(
        "window-scale-mismatch",
        "a firewall removes the window scale from the answer only",
        "The middle overwrites the window scale in the SYN-ACK. The server scales its windows and the client does \
         not know: it takes 64 KiB for 64 octets and sends in crumbs, one each 200 ms.",
        Traffic::new(vec![Flow::new(8080, &[EXCHANGE.as_slice(), &[Step::Send(Side::Client, 700)]].concat())]),
    )
    .rules(rewriting("strip-scale", Match::s2c().syn_ack(), Rewrite::StripOption(WINDOW_SCALE)))
    .expecting(Expect::problem(&["window-scale-mismatch"]).may(&["option-stripped"]).of(Truth::Rule("strip-scale"), &["window-scale-mismatch", "option-stripped"]).never(&NO_LOSS))
}

fn dscp_rewritten() -> Scenario {
    Scenario::new(
        "dscp-rewritten",
        "a router marks packets with another class of service",
        "The middle sets the DSCP of all packets from the client to 10 (AF11).",
        exchanges(),
    )
    .rules(rewriting("mark-af11", Match::c2s(), Rewrite::Dscp(10)))
    .expecting(
        Expect::notable(&["dscp-rewritten"])
            .of(Truth::Rule("mark-af11"), &["dscp-rewritten"])
            .never(&NO_LOSS),
    )
}

fn ecn_bleached() -> Scenario {
    let mut scenario = Scenario::new(
        "ecn-bleached",
        "a router clears the ECN bits",
        "The hosts agree on ECN, and the middle clears its bits in the IP header: congestion can be signalled by \
         loss only.",
        exchanges(),
    )
    .rules(rewriting("bleach", Match::tcp(), Rewrite::BleachEcn))
    .expecting(Expect::notable(&["ecn-bleached"]).of(Truth::Rule("bleach"), &["ecn-bleached"]).never(&NO_LOSS));
    scenario.sysctls = vec![("net/ipv4/tcp_ecn", "1")];
    scenario
}

fn payload_altered() -> Scenario {
    let mut scenario = Scenario::new(
        "payload-altered",
        "a device changes the data and mends the checksum",
        "The middle turns over the first octet of the server's third data packet of each connection. Both hosts find \
         the checksums right.",
        exchanges(),
    )
    .rules(rewriting("alter", Match::s2c().data().count(Count::Only(3)), Rewrite::AlterPayload))
    .expecting(Expect::problem(&["payload-altered"]).of(Truth::Rule("alter"), &["payload-altered"]).never(&NO_LOSS));
    scenario.not_with_offloads = Some("checksums that are left to the hardware tell nothing of the data");
    scenario
}

fn challenge_ack() -> Scenario {
    let script = [EXCHANGE.as_slice(), &[Step::Reset(Side::Client)]].concat();
    let flow = Flow::new(8080, &script).client_port(45_000).times(2, Pace::Sequential(300));
    Scenario::new(
        "challenge-ack",
        "a new connection meets an old one at the server",
        "The middle loses the client's reset, so the server keeps half a connection. The client calls again from the \
         same port; the server answers the SYN with a plain ACK, and only a second SYN succeeds.",
        Traffic::new(vec![flow]),
    )
    .rules(vec![Rule::new("drop-rst", Match::c2s().rst().between_ms(0, 250), Action::Drop)])
    .expecting(Expect::notable(&["challenge-ack"]).may(&["rst-lost", "reset-by-client", "packet-loss"]).of(Truth::Port(8080), &["challenge-ack"]).of(Truth::Rule("drop-rst"), &["rst-lost", "packet-loss"]).of(Truth::ResetBy(Direction::ClientToServer), &["reset-by-client"]))
}
