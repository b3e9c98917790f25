//! Tunnels: what an IP packet carries when it is neither TCP nor ICMP.

use super::cursor::Cursor;
use super::ip::IpPacket;
use super::link::Layer;
use super::outcome::SkipReason;
use etherparse::{UdpHeaderSlice, ip_number};

/// VXLAN as assigned (RFC 7348 §8.1), and as Linux used it before the assignment and flannel does still.
const VXLAN_PORTS: [u16; 2] = [4789, 8472];
/// RFC 8926 §3.3.
const GENEVE_PORT: u16 = 6081;
/// ERSPAN types II and III; type I has no header of its own and no sequence number in its GRE header.
const ERSPAN: u16 = 0x88BE;
const ERSPAN_III: u16 = 0x22EB;

/// Takes the header of a tunnel off.
pub(super) fn enter(packet: &IpPacket, at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    match packet.protocol {
        ip_number::IPV4 | ip_number::IPV6 => Ok(Layer::Ip),
        ip_number::UDP => udp(at),
        ip_number::GRE => gre(at),
        _ => Err(SkipReason::NotTcp),
    }
}

fn udp(at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    let header = UdpHeaderSlice::from_slice(at.bytes).map_err(|_| at.missing(8))?;
    let port = header.destination_port();
    if port != GENEVE_PORT && !VXLAN_PORTS.contains(&port) {
        return Err(SkipReason::NotTcp);
    }
    at.skip(header.slice().len())?;
    if port == GENEVE_PORT { geneve(at) } else { vxlan(at) }
}

/// RFC 7348 §5: a header without the I flag is none.
fn vxlan(at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    let header = at.take::<8>()?;
    if header[0] & 0x08 == 0 { Err(SkipReason::NotTcp) } else { Ok(Layer::Ethernet) }
}

/// RFC 8926 §3.4; only version 0 exists.
fn geneve(at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    let header = at.take::<8>()?;
    if header[0] >> 6 != 0 {
        return Err(SkipReason::NotTcp);
    }
    at.skip(usize::from(header[0] & 0x3F) * 4)?;
    Ok(Layer::EtherType(u16::from_be_bytes([header[2], header[3]])))
}

/// RFC 2784 and RFC 2890. Version 1 is PPTP's, whose payload is usually compressed or encrypted.
fn gre(at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    const CHECKSUM: u8 = 0x80;
    const KEY: u8 = 0x20;
    const SEQUENCE: u8 = 0x10;
    let [flags, version, high, low] = *at.take::<4>()?;
    if version & 0x07 != 0 {
        return Err(SkipReason::NotTcp);
    }
    let words = [CHECKSUM, KEY, SEQUENCE].iter().filter(|flag| flags & **flag != 0).count();
    at.skip(words * 4)?;
    match u16::from_be_bytes([high, low]) {
        ERSPAN if flags & SEQUENCE == 0 => Ok(Layer::Ethernet),
        ERSPAN => at.skip(8).map(|()| Layer::Ethernet),
        ERSPAN_III => erspan_iii(at),
        ether_type => Ok(Layer::EtherType(ether_type)),
    }
}

/// Twelve octets, and eight more with the last bit set (draft-foschiano-erspan-03 §4.3).
fn erspan_iii(at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    let header = at.take::<12>()?;
    if header[11] & 1 == 1 {
        at.skip(8)?;
    }
    Ok(Layer::Ethernet)
}
