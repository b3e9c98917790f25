//! Capture points, interfaces and counters.

use super::address::{from_octets, to_octets};
use super::error::{ConvertError, narrow};
use crate::point::{
    CaptureKind, CapturePoint, CapturePointId, Coverage, Interface, MAX_ADDRESSES_SEEN, Offloads, PointStats,
};
use crate::time::Timestamp;
use crate::tuple::Role;
use crate::wire;

/// Reasons for skipping, coverage intervals and the like that one message may hold. A hundred times what is
/// ever seen; bounds what is kept of a hostile one.
const MAX_ITEMS: usize = 10_000;

/// The message for a capture point.
#[must_use]
pub fn capture_point_to_wire(point: &CapturePoint) -> wire::CapturePoint {
    let role = match point.role {
        Role::Client => wire::Role::Client,
        Role::Via => wire::Role::Via,
        Role::Server => wire::Role::Server,
    };
    wire::CapturePoint {
        id: point.id.0.into(),
        role: role.into(),
        host: point.host.clone(),
        kind: capture_kind_to_wire(point.kind).into(),
        interfaces: point.interfaces.iter().map(interface_to_wire).collect(),
        link_type: point.link_type.clone(),
        vouched: point.vouched,
    }
}

/// The inverse of [`capture_point_to_wire`].
pub fn capture_point_from_wire(point: &wire::CapturePoint) -> Result<CapturePoint, ConvertError> {
    let role = match wire::Role::try_from(point.role) {
        Ok(wire::Role::Client) => Role::Client,
        Ok(wire::Role::Via) => Role::Via,
        Ok(wire::Role::Server) => Role::Server,
        Ok(wire::Role::Unspecified) | Err(_) => return Err(unknown("capture_point.role", point.role)),
    };
    Ok(CapturePoint {
        id: CapturePointId(narrow("capture_point.id", point.id)?),
        role,
        host: point.host.clone(),
        kind: capture_kind_from_wire(point.kind)?,
        interfaces: interfaces(&point.interfaces)?,
        link_type: point.link_type.clone(),
        vouched: point.vouched,
    })
}

/// The message for a kind of capture.
#[must_use]
pub fn capture_kind_to_wire(kind: CaptureKind) -> wire::CaptureKind {
    match kind {
        CaptureKind::Live { all_interfaces: true } => wire::CaptureKind::LiveAllInterfaces,
        CaptureKind::Live { all_interfaces: false } => wire::CaptureKind::Live,
        CaptureKind::File => wire::CaptureKind::File,
    }
}

/// The inverse of [`capture_kind_to_wire`].
pub fn capture_kind_from_wire(kind: i32) -> Result<CaptureKind, ConvertError> {
    match wire::CaptureKind::try_from(kind) {
        Ok(wire::CaptureKind::LiveAllInterfaces) => Ok(CaptureKind::Live { all_interfaces: true }),
        Ok(wire::CaptureKind::Live) => Ok(CaptureKind::Live { all_interfaces: false }),
        Ok(wire::CaptureKind::File) => Ok(CaptureKind::File),
        Ok(wire::CaptureKind::Unspecified) | Err(_) => Err(unknown("capture_kind", kind)),
    }
}

/// The message for an interface.
#[must_use]
pub fn interface_to_wire(interface: &Interface) -> wire::Interface {
    wire::Interface {
        name: interface.name.clone(),
        index: interface.index,
        addresses: interface.addresses.iter().map(|address| to_octets(*address)).collect(),
        mtu: interface.mtu,
        offloads: interface.offloads.map(|on| wire::Offloads {
            tso: on.tso,
            gso: on.gso,
            gro: on.gro,
            lro: on.lro,
        }),
        captured: interface.captured,
    }
}

/// The inverse of [`interface_to_wire`].
pub fn interface_from_wire(interface: &wire::Interface) -> Result<Interface, ConvertError> {
    at_most("addresses of an interface", interface.addresses.len(), MAX_ITEMS)?;
    let addresses = interface.addresses.iter().map(|octets| from_octets("interface.addresses", octets));
    Ok(Interface {
        name: interface.name.clone(),
        index: interface.index,
        addresses: addresses.collect::<Result<_, _>>()?,
        mtu: interface.mtu,
        offloads: interface.offloads.map(|on| Offloads {
            tso: on.tso,
            gso: on.gso,
            gro: on.gro,
            lro: on.lro,
        }),
        captured: interface.captured,
    })
}

fn interfaces(list: &[wire::Interface]) -> Result<Vec<Interface>, ConvertError> {
    at_most("interfaces of a host", list.len(), MAX_ITEMS)?;
    list.iter().map(interface_from_wire).collect()
}

/// The message for a capture's counters.
#[must_use]
pub fn stats_to_wire(stats: &PointStats) -> wire::PointStats {
    wire::PointStats {
        frames: stats.frames,
        bytes: stats.bytes,
        dropped_by_kernel: stats.dropped_by_kernel,
        dropped_by_agent: stats.dropped_by_agent,
        truncated: stats.truncated,
        skipped: stats.skipped.clone(),
        interface_frames: stats.interface_frames,
        first_at_ns: stats.first_at.map(Timestamp::as_ns),
        last_at_ns: stats.last_at.map(Timestamp::as_ns),
        coverage: intervals_to_wire(&stats.coverage),
        addresses_seen: stats.addresses_seen.iter().map(|address| to_octets(*address)).collect(),
        drop_windows: intervals_to_wire(&stats.drop_windows),
        ended_early: stats.ended_early.clone(),
    }
}

/// The inverse of [`stats_to_wire`].
pub fn stats_from_wire(stats: &wire::PointStats) -> Result<PointStats, ConvertError> {
    at_most("reasons for skipping", stats.skipped.len(), MAX_ITEMS)?;
    at_most("addresses seen", stats.addresses_seen.len(), MAX_ADDRESSES_SEEN)?;
    let coverage = intervals_from_wire("point_stats.coverage", &stats.coverage)?;
    if coverage.windows(2).any(|pair| pair[1].from < pair[0].to) {
        return Err(ConvertError::Disorder { field: "point_stats.coverage" });
    }
    let addresses =
        stats.addresses_seen.iter().map(|octets| from_octets("point_stats.addresses_seen", octets));
    Ok(PointStats {
        frames: stats.frames,
        bytes: stats.bytes,
        dropped_by_kernel: stats.dropped_by_kernel,
        dropped_by_agent: stats.dropped_by_agent,
        truncated: stats.truncated,
        skipped: stats.skipped.clone(),
        interface_frames: stats.interface_frames,
        first_at: stats.first_at_ns.map(Timestamp::from_ns),
        last_at: stats.last_at_ns.map(Timestamp::from_ns),
        coverage,
        addresses_seen: addresses.collect::<Result<_, _>>()?,
        drop_windows: intervals_from_wire("point_stats.drop_windows", &stats.drop_windows)?,
        ended_early: stats.ended_early.clone(),
    })
}

fn intervals_to_wire(intervals: &[Coverage]) -> Vec<wire::Interval> {
    intervals
        .iter()
        .map(|interval| wire::Interval { from_ns: interval.from.as_ns(), to_ns: interval.to.as_ns() })
        .collect()
}

fn intervals_from_wire(
    field: &'static str,
    intervals: &[wire::Interval],
) -> Result<Vec<Coverage>, ConvertError> {
    at_most("intervals", intervals.len(), MAX_ITEMS)?;
    intervals
        .iter()
        .map(|interval| {
            if interval.to_ns < interval.from_ns {
                return Err(ConvertError::Disorder { field });
            }
            Ok(Coverage {
                from: Timestamp::from_ns(interval.from_ns),
                to: Timestamp::from_ns(interval.to_ns),
            })
        })
        .collect()
}

fn at_most(what: &'static str, count: usize, limit: usize) -> Result<(), ConvertError> {
    if count > limit { Err(ConvertError::TooMany { what, count, limit }) } else { Ok(()) }
}

fn unknown(field: &'static str, value: i32) -> ConvertError {
    ConvertError::OutOfRange { field, value: u64::from(value.unsigned_abs()) }
}
