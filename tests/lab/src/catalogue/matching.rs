//! Nothing is wrong, but packets are hard to recognise at the other end.

use super::clean::{EXCHANGE, MB, NO_LOSS};
use crate::condition::Match;
use crate::expect::Expect;
use crate::plan::Translation;
use crate::rule::{Action, Recut, Rewrite, Rule, SackBlocks};
use crate::scenario::Scenario;
use crate::tap::TapInterface;
use crate::topology::{Layout, Offloads};
use crate::traffic::{Flow, Pace, Side, Step, Traffic};
use crate::truth::Truth;
use crate::wire::view::TIMESTAMPS;
use crate::wire::wrap::Wrap;
use correlate_proto::Direction;

/// Why nothing of this kind happens over IPv6.
const NO_ID: Option<&str> = Some("IPv6 packets bear no identification");

/// The scenarios of this family.
pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = vec![resegment(), coalesce(), fragments(), random_id(), zero_id()];
    all.extend([timestamps_shifted(), timestamps_stripped(), sequence_and_id(), nat_port_reuse()]);
    all.extend([several_interfaces(), offload_at_client(), offload_at_server()]);
    all.extend(tunnels());
    for scenario in &mut all {
        scenario.expect.never.extend(NO_LOSS);
        scenario.expect.never.extend(["payload-altered", "unpaired-connection", "rst-injected"]);
    }
    all
}

/// An exchange of small packets and one of many large ones.
fn exchanges() -> Traffic {
    let script = [EXCHANGE.as_slice(), &[Step::Exchange(300_000, 300_000)]].concat();
    Traffic::new(vec![Flow::new(8080, &script).times(4, Pace::Concurrent(20))])
}

fn resegment() -> Scenario {
    Scenario::new(
        "clean-resegment",
        "a device cuts segments into smaller ones",
        "The middle makes three segments of each that carries data, with identifications of its own. No segment that \
         was sent arrives, and no octet is lost.",
        exchanges(),
    )
    .rules(vec![Rule::new("cut", Match::tcp().data(), Action::Recut(Recut::Split(3)))])
}

fn coalesce() -> Scenario {
    let script = [Step::SendPaced(Side::Server, 150_000, 300), Step::SendPaced(Side::Client, 90_000, 300)];
    Scenario::new(
        "clean-coalesce",
        "a device joins small segments to larger ones",
        "The hosts send 300 octets a millisecond. The middle joins those that still wait for their way: fewer \
         segments arrive than were sent, and no octet is lost.",
        Traffic::new(vec![Flow::new(8080, &script).times(3, Pace::Concurrent(20))]),
    )
    .rules(vec![Rule::new("join", Match::tcp().data(), Action::Recut(Recut::Join(1_400)))])
}

fn fragments() -> Scenario {
    let mut scenario = Scenario::new(
        "clean-fragments",
        "packets arrive in fragments",
        "The hosts allow fragmentation, and the middle's way to the client carries no more than 1300 octets: what is \
         larger arrives in two fragments, which the client's stack puts together.",
        exchanges(),
    )
    .rules(vec![Rule::new("fragment", Match::s2c(), Action::Recut(Recut::Fragment(1_300)))]);
    scenario.sysctls = vec![("net/ipv4/ip_no_pmtu_disc", "1")];
    scenario.not_over_v6 = Some("no device on the path fragments IPv6 packets");
    scenario
}

fn random_id() -> Scenario {
    let mut scenario = Scenario::new(
        "clean-random-id",
        "a firewall throws dice for the identification of packets",
        "The middle gives every packet a random identification, as `random-id` of pf does: it can no \
         longer tell a retransmission from its original.",
        exchanges(),
    )
    .rules(vec![Rule::new("random-id", Match::tcp(), Action::RandomId)]);
    scenario.not_over_v6 = NO_ID;
    scenario
}

fn zero_id() -> Scenario {
    let mut scenario = Scenario::new(
        "clean-zero-id",
        "a device sets the identification of packets to zero",
        "The middle sets the identification of every packet to zero, as it may where fragmentation is forbidden.",
        exchanges(),
    )
    .rules(vec![Rule::new("zero-id", Match::tcp(), Action::Rewrite(Rewrite::SetId(0)))]);
    scenario.not_over_v6 = NO_ID;
    scenario
}

fn timestamps_shifted() -> Scenario {
    let shift = |of, by| Action::Rewrite(Rewrite::ShiftTimestamps { of, by });
    Scenario::new(
        "clean-timestamps-shifted",
        "a firewall shifts the timestamps of TCP",
        "The middle adds a constant to the timestamps of each direction and takes it from what the other echoes, as \
         pf's reassemble tcp does. The hosts notice nothing.",
        exchanges(),
    )
    .rules(vec![
        Rule::new("shift-client", Match::tcp(), shift(Direction::ClientToServer, 0x1234_5678)),
        Rule::new("shift-server", Match::tcp(), shift(Direction::ServerToClient, 0xfedc_0000)),
    ])
}

fn timestamps_stripped() -> Scenario {
    let strip = Action::Rewrite(Rewrite::StripOption(TIMESTAMPS));
    Scenario::new(
        "timestamps-stripped",
        "a firewall removes the timestamps of TCP",
        "The middle overwrites the timestamps option of the SYN with no-operations, so the connection does without: \
         nothing but the identification tells a retransmission from its original.",
        exchanges(),
    )
    .rules(vec![Rule::new("strip-timestamps", Match::c2s().syn(), strip)])
    .expecting(
        Expect::notable(&["option-stripped"]).of(Truth::Rule("strip-timestamps"), &["option-stripped"]),
    )
}

fn sequence_and_id() -> Scenario {
    let of = Direction::ClientToServer;
    let shift = Rewrite::ShiftSequence { of, by: 0xC0FF_EE00, sack: SackBlocks::Shifted };
    let mut scenario = Scenario::new(
        "sequence-rewritten-random-id",
        "a firewall randomises sequence numbers and identifications",
        "The middle adds a constant to the client's sequence numbers, and gives every packet a random \
         identification: neither is left to recognise a packet by.",
        exchanges(),
    )
    .rules(vec![
        Rule::new("shift", Match::tcp(), Action::Rewrite(shift)),
        Rule::new("random-id", Match::tcp(), Action::RandomId),
    ])
    .expecting(Expect::notable(&["sequence-rewritten"]).of(Truth::Rule("shift"), &["sequence-rewritten"]));
    scenario.not_over_v6 = NO_ID;
    scenario
}

fn nat_port_reuse() -> Scenario {
    let mut scenario = Scenario::new(
        "clean-nat-port-reuse",
        "a translating device gives one connection after the other the same port",
        "The middle gives the client another address and always the same port. To the server it is one four-tuple \
         again and again, to the client each connection has its own.",
        Traffic::new(vec![Flow::new(8080, &EXCHANGE).times(6, Pace::Sequential(80))]),
    )
    .expecting(Expect::notable(&["address-translated"]).of(Truth::Every, &["address-translated"]));
    scenario.plan.translation = Translation::SourceOnePort;
    scenario.plan.hops = 1;
    scenario
}

fn several_interfaces() -> Scenario {
    let mut scenario = Scenario::new(
        "clean-several-interfaces",
        "a capture on all interfaces shows each packet twice",
        "The client's interface is a port of a bridge, as with containers and virtual machines, and the capture runs on \
         all interfaces: each packet is seen on the bridge and on the port.",
        exchanges(),
    );
    scenario.client_layout = Layout::Bridged;
    scenario.client_tap.interface = TapInterface::All;
    scenario
}

fn tunnels() -> [Scenario; 4] {
    let wrapped = |name, title, wrap| {
        let mut scenario = Scenario::new(
            name,
            title,
            "The path is fine. The client's capture is made where packets are still wrapped, the server's where they no \
             longer are: lengths, and the outer addresses, are different at the two ends.",
            exchanges(),
        );
        scenario.client_tap.wrap = Some(wrap);
        scenario
    };
    [
        wrapped("clean-vlan-one-end", "one capture shows VLAN tags, the other does not", Wrap::Vlan(77)),
        wrapped("clean-ipip-one-end", "one capture shows IP in IP, the other what is inside", Wrap::IpInIp),
        wrapped("clean-gre-one-end", "one capture shows a GRE tunnel, the other what is inside", Wrap::Gre),
        wrapped(
            "clean-vxlan-one-end",
            "one capture shows VXLAN, the other what is inside",
            Wrap::Vxlan(4711),
        ),
    ]
}

fn offload_at_client() -> Scenario {
    let mut scenario = Scenario::new(
        "clean-offload-client-only",
        "super-packets at the client, wire packets at the server",
        "The path only delays. The client leaves segmentation to its hardware and captures super-packets; at the server \
         offloading is off and every packet is as on a wire.",
        bulk(),
    );
    scenario.offloads = Offloads::ClientOnly;
    scenario
}

fn offload_at_server() -> Scenario {
    let mut scenario = Scenario::new(
        "clean-offload-server-only",
        "wire packets at the client, super-packets at the server",
        "The path only delays. The server leaves segmentation to its hardware and captures super-packets; at the client \
         offloading is off and every packet is as on a wire.",
        bulk(),
    );
    scenario.offloads = Offloads::ServerOnly;
    scenario
}

/// Megabytes both ways.
fn bulk() -> Traffic {
    Traffic::new(vec![Flow::new(8080, &[Step::Exchange(2 * MB, 2 * MB)]).times(2, Pace::Concurrent(5))])
}
