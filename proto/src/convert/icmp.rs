//! ICMP errors as messages.

use super::address::{from_octets, to_octets};
use super::error::{ConvertError, narrow};
use super::shape::{heard_from_wire, heard_to_wire};
use crate::segment::{IcmpError, IcmpKind};
use crate::seq::SeqNum;
use crate::time::Timestamp;
use crate::tuple::{Endpoint, FourTuple};
use crate::wire;

/// The message for an ICMP error that stands at place `row` of its batch.
pub(super) fn to_wire(error: &IcmpError, row: u32) -> wire::IcmpError {
    let (kind, mtu) = kind_to_wire(error.kind);
    wire::IcmpError {
        row,
        packet: error.packet,
        at_ns: error.at.as_ns(),
        heard: heard_to_wire(error.heard),
        interface: error.interface.into(),
        from: to_octets(error.from),
        to: to_octets(error.to),
        kind: kind.into(),
        mtu,
        icmp_type: error.icmp_type.into(),
        icmp_code: error.icmp_code.into(),
        quoted_source: to_octets(error.quoted.src.addr),
        quoted_source_port: error.quoted.src.port.into(),
        quoted_destination: to_octets(error.quoted.dst.addr),
        quoted_destination_port: error.quoted.dst.port.into(),
        quoted_seq: error.quoted_seq.0,
        quoted_ip_id: error.quoted_ip_id.map(u32::from),
        quoted_ip_len: error.quoted_ip_len,
        ttl: error.ttl.into(),
    }
}

/// The inverse of [`to_wire`]; the row is the caller's to check.
pub(super) fn from_wire(error: &wire::IcmpError) -> Result<IcmpError, ConvertError> {
    let endpoint = |field, octets: &[u8], port| -> Result<Endpoint, ConvertError> {
        Ok(Endpoint { addr: from_octets(field, octets)?, port: narrow("icmp_error.port", port)? })
    };
    Ok(IcmpError {
        packet: error.packet,
        at: Timestamp::from_ns(error.at_ns),
        heard: heard_from_wire("icmp_error.heard", error.heard)?,
        interface: narrow("icmp_error.interface", error.interface)?,
        from: from_octets("icmp_error.from", &error.from)?,
        to: from_octets("icmp_error.to", &error.to)?,
        kind: kind_from_wire(error)?,
        icmp_type: narrow("icmp_error.icmp_type", error.icmp_type)?,
        icmp_code: narrow("icmp_error.icmp_code", error.icmp_code)?,
        quoted: FourTuple {
            src: endpoint("icmp_error.quoted_source", &error.quoted_source, error.quoted_source_port)?,
            dst: endpoint(
                "icmp_error.quoted_destination",
                &error.quoted_destination,
                error.quoted_destination_port,
            )?,
        },
        quoted_seq: SeqNum(error.quoted_seq),
        quoted_ip_id: error.quoted_ip_id.map(|id| narrow("icmp_error.quoted_ip_id", id)).transpose()?,
        quoted_ip_len: error.quoted_ip_len,
        ttl: narrow("icmp_error.ttl", error.ttl)?,
    })
}

fn kind_to_wire(kind: IcmpKind) -> (wire::IcmpKind, u32) {
    match kind {
        IcmpKind::TooBig { mtu } => (wire::IcmpKind::TooBig, mtu),
        IcmpKind::PortUnreachable => (wire::IcmpKind::PortUnreachable, 0),
        IcmpKind::Prohibited => (wire::IcmpKind::Prohibited, 0),
        IcmpKind::Unreachable => (wire::IcmpKind::Unreachable, 0),
        IcmpKind::TimeExceeded => (wire::IcmpKind::TimeExceeded, 0),
        IcmpKind::Other => (wire::IcmpKind::Other, 0),
    }
}

fn kind_from_wire(error: &wire::IcmpError) -> Result<IcmpKind, ConvertError> {
    match wire::IcmpKind::try_from(error.kind) {
        Ok(wire::IcmpKind::TooBig) => Ok(IcmpKind::TooBig { mtu: error.mtu }),
        Ok(wire::IcmpKind::PortUnreachable) => Ok(IcmpKind::PortUnreachable),
        Ok(wire::IcmpKind::Prohibited) => Ok(IcmpKind::Prohibited),
        Ok(wire::IcmpKind::Unreachable) => Ok(IcmpKind::Unreachable),
        Ok(wire::IcmpKind::TimeExceeded) => Ok(IcmpKind::TimeExceeded),
        Ok(wire::IcmpKind::Other) => Ok(IcmpKind::Other),
        Ok(wire::IcmpKind::Unspecified) | Err(_) => Err(ConvertError::OutOfRange {
            field: "icmp_error.kind",
            value: u64::from(error.kind.unsigned_abs()),
        }),
    }
}
