//! The link layer: from the frame's first octet to the network layer, tags included.

use super::cursor::Cursor;
use super::outcome::SkipReason;
use crate::capture::LinkType;
use etherparse::ether_type;

/// What the octets at a cursor are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// An Ethernet header.
    Ethernet,
    /// What this type of an Ethernet header says.
    EtherType(u16),
    /// An IP header of either version.
    Ip,
    /// What this PPP protocol number says (RFC 1661 §2).
    Ppp(u16),
}

/// Types of Ethernet headers that etherparse has no name for.
const MPLS: [u16; 2] = [0x8847, 0x8848];
const QINQ: [u16; 2] = [0x9100, 0x9200];
const PPPOE_SESSION: u16 = 0x8864;
/// Transparent Ethernet bridging (RFC 1701): an Ethernet frame follows.
const BRIDGED_ETHERNET: u16 = 0x6558;
/// Values below are lengths of IEEE 802.3 frames (IEEE 802.3 §3.2.6).
const FIRST_ETHER_TYPE: u16 = 0x0600;
/// Labels of one stack; real ones have fewer than five.
const MAX_LABELS: usize = 16;

/// Takes the link header off.
#[inline]
pub(super) fn enter(link: LinkType, at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    match link {
        LinkType::Ethernet => Ok(Layer::Ethernet),
        LinkType::RawIp => Ok(Layer::Ip),
        LinkType::LinuxSll => {
            let header = at.take::<16>()?;
            Ok(Layer::EtherType(be16(header, 14)))
        }
        LinkType::LinuxSll2 => {
            let header = at.take::<20>()?;
            Ok(Layer::EtherType(be16(header, 0)))
        }
        LinkType::Null | LinkType::Loop => {
            let family = *at.take::<4>()?;
            loopback(family)
        }
        LinkType::Ppp => ppp(at),
        LinkType::Other(_) => Err(SkipReason::LinkType(link)),
    }
}

/// The address family is in the byte order of whoever captured; no family has a value that reads as another
/// one's when turned round.
fn loopback(family: [u8; 4]) -> Result<Layer, SkipReason> {
    const INET: u32 = 2;
    /// Linux; NetBSD and OpenBSD; FreeBSD; Darwin.
    const INET6: [u32; 4] = [10, 24, 28, 30];
    let readings = [u32::from_be_bytes(family), u32::from_le_bytes(family)];
    let is_ip = readings.iter().any(|family| *family == INET || INET6.contains(family));
    if is_ip { Ok(Layer::Ip) } else { Err(SkipReason::NotIp) }
}

/// PPP in HDLC-like framing (RFC 1662): address and control may be left out, and so may the protocol's first
/// octet.
fn ppp(at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    if at.peek::<2>()? == &[0xFF, 0x03] {
        at.skip(2)?;
    }
    let [first] = *at.take::<1>()?;
    if first & 1 == 1 {
        return Ok(Layer::Ppp(u16::from(first)));
    }
    let [second] = *at.take::<1>()?;
    Ok(Layer::Ppp(u16::from_be_bytes([first, second])))
}

/// Takes an Ethernet header off.
#[inline]
pub(super) fn ethernet(at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    let header = at.take::<14>()?;
    Ok(Layer::EtherType(be16(header, 12)))
}

/// Goes on by what a PPP protocol number says.
pub(super) fn ppp_protocol(protocol: u16, at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    match protocol {
        0x0021 | 0x0057 => Ok(Layer::Ip),
        0x0281 | 0x0283 => mpls(at),
        _ => Err(SkipReason::NotIp),
    }
}

/// Goes on by what the type of an Ethernet header says: takes one tag off, or finds the network layer.
pub(super) fn ether_type(value: u16, at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    match etherparse::EtherType(value) {
        ether_type::IPV4 | ether_type::IPV6 => Ok(Layer::Ip),
        ether_type::VLAN_TAGGED_FRAME | ether_type::PROVIDER_BRIDGING => vlan(at),
        _ if QINQ.contains(&value) => vlan(at),
        _ if MPLS.contains(&value) => mpls(at),
        _ if value == PPPOE_SESSION => pppoe(at),
        _ if value == BRIDGED_ETHERNET => Ok(Layer::Ethernet),
        _ if value < FIRST_ETHER_TYPE => snap(at),
        _ => Err(SkipReason::NotIp),
    }
}

fn vlan(at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    let tag = at.take::<4>()?;
    Ok(Layer::EtherType(be16(tag, 2)))
}

/// IEEE 802.2 with SNAP and no organisation (RFC 1042); anything else in a length-framed packet is not IP.
fn snap(at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    match *at.take::<8>()? {
        [0xAA, 0xAA, 0x03, 0, 0, 0, high, low] => Ok(Layer::EtherType(u16::from_be_bytes([high, low]))),
        _ => Err(SkipReason::NotIp),
    }
}

/// A stack of labels (RFC 3032). It does not say what follows: the first nibble tells IP by its version and a
/// pseudowire's control word by zero (RFC 4928).
fn mpls(at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    for _ in 0..MAX_LABELS {
        let label = at.take::<4>()?;
        if label[2] & 1 == 0 {
            continue;
        }
        return match at.peek::<1>()?[0] >> 4 {
            4 | 6 => Ok(Layer::Ip),
            0 => at.skip(4).map(|()| Layer::Ethernet),
            _ => Err(SkipReason::NotIp),
        };
    }
    Err(SkipReason::TooDeep)
}

/// A session of PPP over Ethernet (RFC 2516 §4): six octets, then a PPP protocol number.
fn pppoe(at: &mut Cursor<'_>) -> Result<Layer, SkipReason> {
    let header = at.take::<8>()?;
    if header[0] != 0x11 || header[1] != 0 {
        return Err(SkipReason::NotIp);
    }
    Ok(Layer::Ppp(be16(header, 6)))
}

/// The big-endian number at `offset` of a header of fixed size.
#[inline]
fn be16<const N: usize>(header: &[u8; N], offset: usize) -> u16 {
    u16::from_be_bytes([header[offset], header[offset + 1]])
}
