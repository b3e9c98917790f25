//! Words that several findings share.

use correlate_proto::Direction;
use correlate_proto::report::{Code, Location};

/// `a`, or `many` with its number.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// "no SYN": what a capture point lacks.
pub(super) fn none_of(what: &str) -> String {
    format!("no {what}")
}

/// A data segment or an acknowledgement in a few words.
pub(super) fn describe_segment(len: u32, ip_len: u32) -> String {
    if len == 0 {
        format!("ACK, {ip_len}-byte IP packet")
    } else {
        format!("{len} bytes, {ip_len}-byte IP packet")
    }
}

/// A direction in words.
pub(super) const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::ClientToServer => "from client to server",
        Direction::ServerToClient => "from server to client",
    }
}

/// A host in words.
pub(super) const fn host(location: Location) -> &'static str {
    match location {
        Location::ClientHost => "the client host",
        Location::ServerHost => "the server host",
        Location::ClientToServerPath
        | Location::ServerToClientPath
        | Location::PathDevice
        | Location::Capture
        | Location::Unknown => "a host",
    }
}

/// Nanoseconds for a person.
pub(super) fn span(ns: i64) -> String {
    let (s, ms, us) = (ns / 1_000_000_000, ns / 1_000_000, ns / 1_000);
    match ns {
        _ if s >= 100 => format!("{s} s"),
        _ if s >= 1 => format!("{s}.{} s", (ms / 100) % 10),
        _ if ms >= 1 => format!("{ms} ms"),
        _ => format!("{us} µs"),
    }
}

/// What a packet that left one capture point and did not reach the other can also have met.
pub(super) const HOST_EDGE: &str =
    "the network card or driver of either host, outside its capture point, rather than the network between";

/// What a verdict about a host lacks where nobody read its counters.
pub(super) const NO_COUNTERS: &str = "the host's counters, which would tell why, were not read";

/// What to do next, by code.
#[expect(clippy::too_many_lines, reason = "one sentence for each code and nothing else")]
pub(super) const fn next_step(code: Code) -> &'static str {
    match code {
        Code::SynLost => {
            "look for a filter or a missing route for this port on the way to the server; capture at the first and last device between the two to halve the path"
        }
        Code::SynAckLost => {
            "look at the way back: a stateful firewall that never saw the SYN (asymmetric routing), a reverse filter, or a wrong return route"
        }
        Code::HandshakeAckLost => {
            "see whether the path loses other packets in this direction; one alone is no cause for action"
        }
        Code::SynUnanswered => {
            "on the server host look at the local firewall and at the listener's queues: `nft list ruleset`, `nstat -az TcpExtListenOverflows TcpExtListenDrops`"
        }
        Code::SynAckIgnored => {
            "on the client host look at the local firewall, reverse-path filtering and connection tracking: the packet was on its interface"
        }
        Code::ConnectionRefused => {
            "on the server host see whether anything listens on that address and port: `ss -ltn`"
        }
        Code::RefusedInPath => {
            "find the firewall between the two that rejects this port; the TTL or the ICMP sender tells how far away it is"
        }
        Code::RstInjected => {
            "find the device: compare the forged packet's TTL with hop counts, and look at firewalls and IPS logs at that time"
        }
        Code::RstLost => {
            "expect the peer to hold a half-open connection until its keep-alive or timeout ends it"
        }
        Code::PathMtuBlackhole => {
            "let ICMP \"too big\" pass, lower the MTU or clamp the MSS to what the tunnel carries; `tracepath` names the hop"
        }
        Code::OneWayBlackhole => {
            "look at what changed in this direction at that moment: a route, a firewall's state table, a failed link of a bundle"
        }
        Code::PacketLoss => "look at the drop counters of the devices in this direction",
        Code::AsymmetricLoss => {
            "look only at this direction: the devices, queues and links that the other direction does not share"
        }
        Code::ResetByClient => {
            "ask the client's application: it closed the socket with data unread, with SO_LINGER 0, or was killed"
        }
        Code::ResetByServer => {
            "ask the server's application: it closed the socket with data unread, with SO_LINGER 0, or was killed"
        }
        Code::AddressTranslated => {
            "nothing to do: both ends' names of the connection are given for looking it up in each capture"
        }
        Code::CaptureLoss => {
            "capture less (a narrower filter, a smaller snaplen) or give the capture a larger buffer, and repeat before trusting a weak verdict"
        }
        Code::NotCaptured => {
            "see that the capture is on the right interface and host, and that the filter fits the addresses there; vouch for a file with --vouch if it ran all the time"
        }
        Code::UnpairedConnection => {
            "capture every host that may serve this address: repeat --server for each"
        }
        Code::ClockUnaligned => {
            "capture traffic in both directions between the two hosts; until then times of the two ends are not comparable"
        }
        Code::AcceptQueueFull => {
            "on the server host see why the application does not accept: `ss -ltn` shows the queue and its limit; raise the listen backlog and `net.core.somaxconn` only if it keeps up on average"
        }
        Code::SynAckInjected => {
            "nothing to mend if a SYN proxy or load balancer is meant to be there; else find the device that answers for the server"
        }
        Code::ChallengeAck => {
            "see why the client reuses the port so soon while the server still holds the old connection: a lost RST or FIN, a NAT with few ports, or a restart of the client host"
        }
        Code::IdleExpiry => {
            "make the application's keep-alive shorter than the idle time given, or the device's time-out longer"
        }
        Code::Outage => {
            "ask what failed or was changed in this direction between the two times: a link, a route, a failover"
        }
        Code::AckLoss => {
            "nothing to do by itself: later ACKs make up for lost ones; see whether data is lost in the same direction"
        }
        Code::SackNotRewritten => {
            "turn sequence number randomisation off on the firewall between the two, or upgrade it: selective acknowledgement does not work through it"
        }
        Code::WindowScaleMismatch => {
            "find the device that removes the window scale option and let it pass; the MSS and other options that it changes name it"
        }
        Code::PayloadAltered => {
            "find the device that edits the stream (an application gateway, a proxy, a faulty card) by capturing between the two points"
        }
        Code::OptionStripped => "find the firewall or normaliser that removes the option, and let it pass",
        Code::ZeroWindow => {
            "ask the receiving application why it does not read: it is the one that holds the transfer up"
        }
        Code::WindowUpdateLost => {
            "look at loss in the direction of the ACKs; the stall ends only with the sender's next probe"
        }
        Code::ClockStep => {
            "see what set the clock at that time (`chronyc tracking`, `journalctl -u chronyd`), and use times across it with care"
        }
        Code::SequenceRewritten => {
            "nothing to do by itself: the shift is given for looking a packet up in the other capture"
        }
        Code::MssClamped => {
            "nothing to do if a tunnel or PPPoE link on the path needs it; both values are given"
        }
        Code::DscpRewritten => {
            "see whether the change is meant: from there on packets are queued by another class"
        }
        Code::EcnBleached => {
            "let the device leave the two ECN bits alone when it rewrites the class of service"
        }
        Code::Proxied => {
            "capture at the proxy as well: what is lost between its two connections cannot be seen from their far ends"
        }
        Code::SpuriousRetransmission => {
            "see what misled the sender: lost ACKs, reordering, or a sudden delay; the details count each"
        }
        Code::Reordering => {
            "look for parallel links or queues that share this direction's packets without regard to connections"
        }
        Code::Duplication => "look for a loop, a mirrored port or a bonded link in this direction",
        Code::SlowServer => {
            "ask the server's application: the request had arrived and the answer had not been sent for the time given"
        }
        Code::SlowClient => {
            "ask the client's application: the answer had arrived and it asked nothing for the time given"
        }
    }
}
