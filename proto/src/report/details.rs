//! What scripts compute with, by code.

use super::{EndpointReport, ReportTime};
use std::collections::BTreeMap;

/// Figures of a finding. In JSON the fields stand directly under `details`, without a tag: `code` says which.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema), serde(untagged))]
pub enum Details {
    /// `packet-loss`, `asymmetric-loss`.
    Loss {
        /// Wire segments sent.
        sent: u64,
        /// Copies lost.
        lost: u64,
        /// Lost by sent.
        ratio: f64,
        /// 95 % Wilson interval of the ratio.
        ci95: [f64; 2],
        /// Mean number of segments lost in a row.
        mean_burst: f64,
        /// Why, where it shows.
        cause: LossCause,
    },
    /// `ack-loss`.
    AckLoss {
        /// Pure ACKs sent.
        sent: u64,
        /// Of them, lost. Where the receiver's capture lacks packets itself: beyond what it lacks.
        lost: u64,
        /// Lost by sent.
        ratio: f64,
        /// 95 % Wilson interval of the ratio.
        ci95: [f64; 2],
    },
    /// `reordering`.
    Reordering {
        /// Segments that arrived.
        delivered: u64,
        /// Of them, those that arrived behind one that was sent after them (RFC 4737).
        reordered: u64,
        /// Reordered by delivered.
        ratio: f64,
        /// Largest extent: how many places lay at most between a late segment and the first that had overtaken it.
        largest_extent: u64,
    },
    /// `duplication`.
    Duplication {
        /// Segments that arrived, the second copies left out.
        delivered: u64,
        /// Second copies that arrived.
        duplicated: u64,
        /// Duplicated by delivered.
        ratio: f64,
    },
    /// `outage`.
    Outage {
        /// Segments lost in all outages of the direction.
        lost: u64,
        /// How many there were.
        outages: u64,
        /// The longest, from its first loss to its last: it lasted at least so long.
        longest_ms: i64,
        /// The longest, from the last segment that had arrived before to the first that arrived after it: it lasted
        /// at most so long.
        at_most_ms: i64,
        /// The other direction was out at the same time.
        both_directions: bool,
    },
    /// `spurious-retransmission`: why the sender repeated what had arrived.
    Spurious {
        /// Segments that were sent again in vain.
        spurious: u64,
        /// The first copy was overtaken on the way, so that it seemed lost.
        reordering: u64,
        /// It had been acknowledged long enough: the ACKs were lost or late on the way back.
        ack_loss: u64,
        /// It repeats the end of what had been sent, as a tail-loss probe does, before the ACK could come.
        tail_probe: u64,
        /// The first copy, or its ACK, was under way for longer than the sender waited.
        delay: u64,
        /// What led to it is not known.
        unknown: u64,
    },
    /// `path-mtu-blackhole`.
    PathMtu {
        /// Largest IP packet that arrived.
        largest_delivered_ip_bytes: u32,
        /// Smallest IP packet that was lost each time.
        smallest_lost_ip_bytes: u32,
        /// What became of the router's message.
        icmp_too_big: IcmpTooBig,
    },
    /// `rst-injected`.
    Injected {
        /// TTL that the forged packet arrived with.
        ttl: u8,
        /// TTL of the peer's own packets there; absent if none was seen.
        usual_ttl: Option<u8>,
        /// How long the connection had been idle.
        idle_ms: i64,
        /// Both ends were reset.
        both_ends: bool,
        /// The device also keeps packets from passing; absent if it cannot be told.
        #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
        in_path: Option<bool>,
    },
    /// `syn-lost`, `syn-ack-lost`, `handshake-ack-lost`, `rst-lost`, `one-way-blackhole`, `syn-unanswered`,
    /// `syn-ack-ignored`: packets sent by one end and received at the other.
    Counts {
        /// Sent.
        sent: u64,
        /// Received.
        received: u64,
    },
    /// `address-translated`.
    Translated {
        /// The four-tuple at the client's capture point.
        client_side: TranslatedSide,
        /// The four-tuple at the server's capture point.
        server_side: TranslatedSide,
    },
    /// `capture-loss`.
    CaptureLoss {
        /// Packets that the kernel or the agent counted as dropped.
        counted: u64,
        /// Packets that are proven to have passed and are not in the capture.
        evidenced: u64,
    },
    /// `idle-expiry`.
    Idle {
        /// How long the connection had been idle when it turned out to be forgotten.
        idle_ms: i64,
    },
    /// `mss-clamped`, `dscp-rewritten`, `ecn-bleached`: a field before the device and behind it.
    Changed {
        /// As sent; absent if the field was not there.
        before: Option<u32>,
        /// As received.
        after: Option<u32>,
    },
    /// `option-stripped`.
    Stripped {
        /// Names of the options that were removed.
        options: Vec<String>,
    },
    /// `window-scale-mismatch`: the shifts of the window scale option; null where the option was not there.
    WindowScale {
        /// In the SYN as its sender sent it.
        opener_sent: Option<u8>,
        /// In the SYN as it arrived.
        responder_received: Option<u8>,
        /// In the SYN-ACK as its sender sent it.
        responder_sent: Option<u8>,
        /// In the SYN-ACK as it arrived.
        opener_received: Option<u8>,
    },
    /// `sequence-rewritten`: by how much sequence numbers at the server's capture point are greater than at the
    /// client's, modulo 2³².
    Shifted {
        /// Of octets from client to server.
        client_to_server: u32,
        /// Of octets from server to client.
        server_to_client: u32,
    },
    /// `sack-not-rewritten`: packets with SACK blocks that arrived behind the device.
    Sack {
        /// Whose blocks speak of octets that were never sent.
        forgotten: u64,
        /// Whose blocks were shifted as they should be.
        shifted: u64,
    },
    /// `payload-altered`.
    Altered {
        /// Segments that arrived with another sum of their payload.
        segments: u64,
        /// Segments of the same direction that arrived as they were sent, as far as that can be told.
        unchanged: u64,
    },
    /// `accept-queue-full`: packets that reached a host and that it dropped.
    HostDrop {
        /// SYNs that were not answered, or SYN-ACKs repeated although the last ACK had arrived.
        packets: u64,
        /// Counters of the host that moved meanwhile and would tell why, by the kernel's names; empty if none did, or
        /// if they were not read.
        counters: BTreeMap<String, u64>,
    },
    /// `slow-server`, `slow-client`.
    Think {
        /// What the host took for itself, in all exchanges of the connection that shows it best.
        think_ns: i64,
        /// What the network took of them.
        network_ns: i64,
        /// How many exchanges there were.
        exchanges: u64,
    },
    /// `zero-window`, `window-update-lost`.
    Stall {
        /// How long the transfer stood still, all stalls of the connection that shows it best together.
        stall_ns: i64,
        /// How long the longest stall was.
        longest_ns: i64,
        /// How many stalls there were.
        stalls: u64,
    },
    /// `clock-step`.
    ClockStep {
        /// When, by the clock that jumped.
        at: ReportTime,
        /// By how much: positive if it jumped forward.
        step_ns: i64,
    },
    /// Nothing beyond the sentence.
    Plain {},
}

/// A connection as one side of a translation sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct TranslatedSide {
    /// The client host's end.
    pub client: EndpointReport,
    /// The server host's end.
    pub server: EndpointReport,
}

/// Why packets were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "json",
    derive(serde::Serialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum LossCause {
    /// The evidence does not show it.
    Unknown,
    /// Independent of load and of each other.
    Random,
    /// In bursts.
    Bursty,
    /// What exceeds a rate is dropped at once, without a queue.
    Policer,
    /// A queue on the way runs over.
    TailDrop,
}

/// What became of an ICMP "too big" message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "json",
    derive(serde::Serialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum IcmpTooBig {
    /// None was seen at either end.
    NotSeen,
    /// It reached the sender in time to act on it.
    Sent,
    /// It was sent and did not reach the sender.
    Lost,
    /// It reached the sender, which went on as before.
    Ignored,
}
