//! Capture points, and what travels beside their packets: coverage, counters, clock samples.

use crate::time::{Local, Timestamp};
use crate::tuple::Role;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Identifies a capture point within a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CapturePointId(pub u16);

/// Where frames of one host are taken (IPFIX: observation point, RFC 7011 §2). Known before the first packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapturePoint {
    /// Its id.
    pub id: CapturePointId,
    /// Its role on the path.
    pub role: Role,
    /// The host as the user named it, or the file.
    pub host: String,
    /// A live capture or a file.
    pub kind: CaptureKind,
    /// The interfaces captured on; for a file those it names, possibly none.
    pub interfaces: Vec<Interface>,
    /// Name of the link type, as `pcap-linktype(7)` spells it without the prefix: `EN10MB`, `LINUX_SLL2`.
    pub link_type: String,
    /// The user vouches that the capture ran all the time (`--vouch`).
    pub vouched: bool,
}

/// What kind of capture a point has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CaptureKind {
    /// Packets taken from interfaces as they pass; the capture knows when it ran.
    Live {
        /// Every interface of the host is captured, not chosen ones.
        all_interfaces: bool,
    },
    /// A capture file or stream.
    File,
}

/// A network interface of a capturing host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// Name, as `eth0`; empty if the file does not tell.
    pub name: String,
    /// Kernel index; 0 if unknown.
    pub index: u32,
    /// Its addresses; empty if unknown.
    pub addresses: Vec<IpAddr>,
    /// Largest IP packet it sends; 0 if unknown.
    pub mtu: u32,
    /// Offloads; absent if unknown.
    pub offloads: Option<Offloads>,
    /// Whether this interface is captured. A live agent lists all interfaces of its host, for their addresses.
    pub captured: bool,
}

/// Segmentation offloads of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent switches of the driver, as ethtool names them"
)]
pub struct Offloads {
    /// TCP segmentation offload.
    pub tso: bool,
    /// Generic segmentation offload.
    pub gso: bool,
    /// Generic receive offload.
    pub gro: bool,
    /// Large receive offload.
    pub lro: bool,
}

/// An interval in which a capture is proven to have run: both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// First instant covered.
    pub from: Timestamp<Local>,
    /// Last instant covered.
    pub to: Timestamp<Local>,
}

/// Counters of a capture, cumulative since it began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PointStats {
    /// Frames read, whatever they were.
    pub frames: u64,
    /// Octets of those frames on the wire.
    pub bytes: u64,
    /// Frames that matched the filter but that the kernel dropped before the agent could read them.
    pub dropped_by_kernel: u64,
    /// Frames that the agent itself dropped.
    pub dropped_by_agent: u64,
    /// Frames cut by the snaplen.
    pub truncated: u64,
    /// Frames that gave no record, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Frames that passed the captured interfaces while the capture ran, matching or not, by the interfaces'
    /// own counters. Absent for files.
    pub interface_frames: Option<u64>,
    /// First frame of any protocol; absent if there was none.
    pub first_at: Option<Timestamp<Local>>,
    /// Last frame of any protocol.
    pub last_at: Option<Timestamp<Local>>,
    /// Intervals of proven capture, in order, without overlap.
    pub coverage: Vec<Coverage>,
    /// Addresses of hosts whose frames of any protocol were read, sorted; at most [`MAX_ADDRESSES_SEEN`].
    pub addresses_seen: Vec<IpAddr>,
    /// Intervals of the capture's clock in which the kernel reported drops.
    pub drop_windows: Vec<Coverage>,
    /// Why reading ended early, if it did: a truncated or damaged file.
    pub ended_early: Option<String>,
}

/// How many addresses [`PointStats::addresses_seen`] holds; more are not remembered. Enough for a host that
/// talks to a few thousand others, and 80 KiB at the most.
pub const MAX_ADDRESSES_SEEN: usize = 4096;

impl PointStats {
    /// These counters and those of a capture that began in place of this one, as one capture's.
    #[must_use]
    pub fn and_then(&self, later: &Self) -> Self {
        let mut skipped = self.skipped.clone();
        for (reason, count) in &later.skipped {
            let sum = skipped.entry(reason.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        let mut addresses_seen = [&self.addresses_seen[..], &later.addresses_seen].concat();
        addresses_seen.sort_unstable();
        addresses_seen.dedup();
        addresses_seen.truncate(MAX_ADDRESSES_SEEN);
        let mut drop_windows = [&self.drop_windows[..], &later.drop_windows].concat();
        if drop_windows.len() > MAX_WINDOWS
            && let Some(last) = drop_windows.last().copied()
        {
            drop_windows.truncate(MAX_WINDOWS);
            if let Some(kept) = drop_windows.last_mut() {
                kept.to = kept.to.max(last.to);
            }
        }
        // By a clock that was set back meanwhile the later ones may seem to come first.
        let last = self.coverage.last().map(|covered| covered.to);
        let apart = later.coverage.iter().filter(|covered| Some(covered.from) >= last);
        Self {
            frames: self.frames.saturating_add(later.frames),
            bytes: self.bytes.saturating_add(later.bytes),
            dropped_by_kernel: self.dropped_by_kernel.saturating_add(later.dropped_by_kernel),
            dropped_by_agent: self.dropped_by_agent.saturating_add(later.dropped_by_agent),
            truncated: self.truncated.saturating_add(later.truncated),
            skipped,
            interface_frames: match (self.interface_frames, later.interface_frames) {
                (Some(one), Some(other)) => Some(one.saturating_add(other)),
                (one, other) => one.or(other),
            },
            first_at: self.first_at.or(later.first_at),
            last_at: later.last_at.or(self.last_at),
            coverage: self.coverage.iter().chain(apart).copied().collect(),
            addresses_seen,
            drop_windows,
            ended_early: later.ended_early.clone(),
        }
    }
}

/// Intervals of drops that are told apart where captures are taken together; the last one is stretched over further
/// ones.
const MAX_WINDOWS: usize = 4096;

/// One reading of a host's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSample {
    /// `CLOCK_MONOTONIC_RAW` plus the time that the host was suspended, in nanoseconds.
    pub raw_ns: i64,
    /// `CLOCK_REALTIME` at that moment.
    pub realtime: Timestamp<Local>,
    /// How long the reading took: the two clocks were read within so many nanoseconds.
    pub width_ns: u32,
    /// The clock was set between this sample and the one before.
    pub stepped: bool,
}

/// A reading of a host's counters: what moved since the reading before, possibly nothing. Names are the kernel's
/// (`TcpExtListenOverflows`, `eth0:rx_dropped`). The first reading of a capture lists every counter there is, with 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostCounters {
    /// When they were read.
    pub at_ns: i64,
    /// Name and increase.
    pub deltas: BTreeMap<String, u64>,
}
