//! What dissection gives.

use crate::capture::LinkType;
use correlate_proto::Record;

/// The outcome for one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dissected {
    /// The frame is evidence.
    Record(Record),
    /// It is not, and why.
    Skipped(SkipReason),
}

/// Why a frame gives no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The link type is not one that this program dissects.
    LinkType(LinkType),
    /// Neither IPv4 nor IPv6: ARP, spanning tree and their like.
    NotIp,
    /// IP that carries neither TCP nor an ICMP error.
    NotTcp,
    /// A fragment other than a datagram's first: it has no TCP header.
    Fragment,
    /// An ICMP error that quotes something other than TCP, or too little of it.
    IcmpQuote,
    /// The capture cut the frame before the fields that a record needs.
    Truncated,
    /// A header contradicts itself, or the frame ended on the wire before a header did.
    Malformed,
    /// More headers inside each other than dissection follows (sixteen).
    TooDeep,
}

impl SkipReason {
    /// How many kinds of reasons there are, for counting by [`index`](Self::index).
    pub const COUNT: usize = 8;

    /// The kind's place in an array of counters.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::LinkType(_) => 0,
            Self::NotIp => 1,
            Self::NotTcp => 2,
            Self::Fragment => 3,
            Self::IcmpQuote => 4,
            Self::Truncated => 5,
            Self::Malformed => 6,
            Self::TooDeep => 7,
        }
    }

    /// The name under which skipped frames are counted in a report.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::LinkType(link) => format!("link type {}", link.name()),
            Self::NotIp => "not IP".to_owned(),
            Self::NotTcp => "not TCP".to_owned(),
            Self::Fragment => "fragment without TCP header".to_owned(),
            Self::IcmpQuote => "ICMP error that quotes no TCP".to_owned(),
            Self::Truncated => "cut before the TCP header's end".to_owned(),
            Self::Malformed => "malformed".to_owned(),
            Self::TooDeep => "too many nested headers".to_owned(),
        }
    }
}
