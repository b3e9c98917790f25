//! What a host's own counters say of a verdict about it: which of them moved at that time, or that none did.

use super::wording;
use crate::point::{Point, Window};
use std::collections::BTreeMap;

/// Counters of Linux that move when its stack drops a SYN, or a handshake's last ACK, for want of room: the accept
/// queue is full, the listener drops for that or another reason, the SYN queue is full and cookies are off
/// (`Documentation/networking/snmp_counter.rst`).
pub(super) const QUEUE_FULL: [&str; 3] =
    ["TcpExtListenOverflows", "TcpExtListenDrops", "TcpExtTCPReqQFullDrop"];

/// Counters that move when a host takes a packet from the wire and drops it before TCP answers: reverse-path filter,
/// bad checksums, no route back, timestamps too old (PAWS), connection tracking.
pub(super) const DROPPED_ON_ARRIVAL: [&str; 10] = [
    "TcpExtIPReversePathFilter",
    "TcpInCsumErrors",
    "IpInDiscards",
    "IpExtInNoRoutes",
    "IpInAddrErrors",
    "TcpExtPAWSActive",
    "TcpExtPAWSEstab",
    "conntrack:drop",
    "conntrack:insert_failed",
    "conntrack:early_drop",
];

/// What counters say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Witness {
    /// These moved, by so much.
    Moved(BTreeMap<&'static str, u64>),
    /// All that would tell were read, and stood still.
    Quiet,
    /// They were not read at that time.
    Unread,
}

impl Witness {
    /// What the counters `names` of `point`'s host say of `window`, by its clock.
    pub(super) fn of(point: &Point, window: Window, names: &[&'static str]) -> Self {
        let moved = |&name: &&'static str| point.moved(window, name).map(|by| (name, by));
        let moved: BTreeMap<&'static str, u64> =
            names.iter().filter_map(moved).filter(|&(_, by)| by > 0).collect();
        if !moved.is_empty() {
            Self::Moved(moved)
        } else if point.has_counters(window) {
            Self::Quiet
        } else {
            Self::Unread
        }
    }

    /// The largest increase; 0 if none moved.
    pub(super) fn most(&self) -> u64 {
        match self {
            Self::Moved(moved) => moved.values().copied().max().unwrap_or(0),
            Self::Quiet | Self::Unread => 0,
        }
    }

    /// In words, as a part of a sentence.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Moved(moved) => {
                let each: Vec<String> = moved.iter().map(|(name, by)| format!("{name} +{by}")).collect();
                format!("of the host's counters {} moved at that time", each.join(", "))
            }
            Self::Quiet => "none of the host's counters that would tell why moved".to_owned(),
            Self::Unread => wording::NO_COUNTERS.to_owned(),
        }
    }

    /// By name, for scripts; empty if none moved.
    pub(super) fn by_name(&self) -> BTreeMap<String, u64> {
        match self {
            Self::Moved(moved) => moved.iter().map(|(name, by)| ((*name).to_owned(), *by)).collect(),
            Self::Quiet | Self::Unread => BTreeMap::new(),
        }
    }
}
