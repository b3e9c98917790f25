//! Where the network header of a file's frame begins.

use super::names::{ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use crate::capture::LinkType;

/// Tags of 802.1Q and 802.1ad that are looked through.
const MAX_TAGS: usize = 2;

/// The ethertype and the offset of the network header in `bytes`, which begin with a header of `link`.
///
/// Up to two VLAN tags are stepped over, as the kernel takes a tag off before a live capture sees the frame.
/// Absent if the header is cut off or the link type is not known.
pub fn network_offset(link: LinkType, bytes: &[u8]) -> Option<(u16, usize)> {
    match link {
        LinkType::Ethernet => behind_tags(bytes, 12),
        LinkType::LinuxSll => behind_tags(bytes, 14),
        LinkType::LinuxSll2 => behind_tags_from(bytes, half(bytes, 0)?, 20),
        LinkType::RawIp => version(bytes, 0),
        LinkType::Null | LinkType::Loop => version(bytes, 4),
        LinkType::Ppp => ppp(bytes),
        LinkType::Other(_) => None,
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let found = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([found[0], found[1]]))
}

/// `at` is where the ethertype stands.
fn behind_tags(bytes: &[u8], at: usize) -> Option<(u16, usize)> {
    behind_tags_from(bytes, half(bytes, at)?, at + 2)
}

fn behind_tags_from(bytes: &[u8], mut ethertype: u16, mut offset: usize) -> Option<(u16, usize)> {
    for _ in 0..MAX_TAGS {
        if !matches!(ethertype, 0x8100 | 0x88a8 | 0x9100) {
            break;
        }
        ethertype = half(bytes, offset + 2)?;
        offset += 4;
    }
    Some((ethertype, offset))
}

/// The family by the version nibble: the number of `AF_INET6` in a loopback header differs between systems.
fn version(bytes: &[u8], offset: usize) -> Option<(u16, usize)> {
    match bytes.get(offset)? >> 4 {
        4 => Some((ETHERTYPE_IPV4, offset)),
        6 => Some((ETHERTYPE_IPV6, offset)),
        _ => None,
    }
}

/// PPP (RFC 1661 §2), with or without address and control octets; the protocol number may be one octet long.
fn ppp(bytes: &[u8]) -> Option<(u16, usize)> {
    let start = if bytes.starts_with(&[0xff, 0x03]) { 2 } else { 0 };
    match (bytes.get(start)?, bytes.get(start + 1)) {
        (0x21, _) => Some((ETHERTYPE_IPV4, start + 1)),
        (0x57, _) => Some((ETHERTYPE_IPV6, start + 1)),
        (0x00, Some(0x21)) => Some((ETHERTYPE_IPV4, start + 2)),
        (0x00, Some(0x57)) => Some((ETHERTYPE_IPV6, start + 2)),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_link_type_has_its_network_header_where_the_manual_says() {
        let mut ethernet = vec![0u8; 12];
        ethernet.extend([0x81, 0x00, 0, 7, 0x88, 0xa8, 0, 8, 0x08, 0x00, 0x45]);
        assert_eq!(network_offset(LinkType::Ethernet, &ethernet), Some((0x0800, 22)));
        let mut sll2 = vec![0u8; 20];
        sll2[..2].copy_from_slice(&[0x86, 0xdd]);
        assert_eq!(network_offset(LinkType::LinuxSll2, &sll2), Some((0x86dd, 20)));
        assert_eq!(network_offset(LinkType::RawIp, &[0x60]), Some((0x86dd, 0)));
        assert_eq!(network_offset(LinkType::Null, &[2, 0, 0, 0, 0x45]), Some((0x0800, 4)));
        assert_eq!(network_offset(LinkType::Ppp, &[0xff, 0x03, 0x00, 0x57]), Some((0x86dd, 4)));
        assert_eq!(network_offset(LinkType::Ethernet, &ethernet[..13]), None);
        assert_eq!(network_offset(LinkType::Other(127), &[0; 64]), None);
    }
}
