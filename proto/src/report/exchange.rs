//! Where the time of requests and answers went.
//!
//! An exchange is what one end sends, the request, and what the other sends then, the answer. The end that opened
//! the connection asks. Where the other end speaks first, the handshake is the request to its greeting.

use super::ReportTime;

/// The exchanges of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct ExchangesReport {
    /// Exchanges measured.
    pub count: u64,
    /// Exchanges that are in no figure because a capture lacks a part of them.
    pub incomplete: u64,
    /// Exchanges that are in no figure because request and answer overlap.
    pub overlapping: u64,
    /// Time of all measured exchanges.
    pub total: TimeSplit,
    /// The exchange that took longest from the first octet of the request to the last of the answer.
    pub slowest: SlowestExchange,
}

/// One exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct SlowestExchange {
    /// First octet of the request at the end that sent it, by the reference clock.
    pub started_at: ReportTime,
    /// Where its time went. What its end thought before it asked is part of it.
    pub time: TimeSplit,
}

/// Time in nanoseconds, split by where it went. The parts add up to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct TimeSplit {
    /// From the end of the answer before, or from the first octet of the request, to the last octet of the
    /// answer, in order, at the end that asked.
    pub whole_ns: i64,
    /// At the client host.
    pub client: HostTime,
    /// At the server host.
    pub server: HostTime,
    /// Between them.
    pub network: NetworkTime,
}

/// Time that a host took, each by its own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct HostTime {
    /// From the last octet received, in order, to the first octet sent. Of the end that asks also when it simply
    /// had nothing to ask.
    pub think_ns: i64,
    /// Within a request or an answer: nothing was on its way, the other end had room, and nothing was sent.
    pub pause_ns: i64,
}

/// Time between the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct NetworkTime {
    /// All of it.
    pub total_ns: i64,
    /// What the path takes at its fastest, there and back.
    pub propagation_ns: i64,
    /// Beyond that, on the way to the server.
    pub client_to_server: WayTime,
    /// Beyond that, on the way to the client.
    pub server_to_client: WayTime,
}

/// Time in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
pub struct WayTime {
    /// The packet that completed the request or the answer was under way for so much longer than the fastest.
    pub queueing_ns: i64,
    /// Nothing new was sent, or could be used, until what was lost had been sent again.
    pub recovery_ns: i64,
    /// The receiver's window was closed, or full.
    pub window_ns: i64,
    /// The sending itself: what congestion window, the pace of the ACKs and the sender's rate made of it.
    pub sending_ns: i64,
}

impl HostTime {
    /// All of it.
    #[must_use]
    pub const fn total_ns(&self) -> i64 {
        self.think_ns.saturating_add(self.pause_ns)
    }
}

impl WayTime {
    /// All of it.
    #[must_use]
    pub const fn total_ns(&self) -> i64 {
        self.queueing_ns
            .saturating_add(self.recovery_ns)
            .saturating_add(self.window_ns)
            .saturating_add(self.sending_ns)
    }
}

impl TimeSplit {
    /// The sum of the parts; [`TimeSplit::whole_ns`] of a sound split.
    #[must_use]
    pub const fn parts_ns(&self) -> i64 {
        let ways = self.network.client_to_server.total_ns() + self.network.server_to_client.total_ns();
        self.client.total_ns() + self.server.total_ns() + self.network.propagation_ns + ways
    }
}
