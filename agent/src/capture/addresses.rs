//! Which hosts' frames were read: evidence that a capture could have seen a host.

use super::frame::Frame;
use super::link::LinkType;
use correlate_proto::point::MAX_ADDRESSES_SEEN;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Slots of the short memory; a power of two.
const RECENT: usize = 64;
/// Tags in front of an IP header that are looked through.
const MAX_TAGS: usize = 4;

/// A bounded set of addresses. Nearly every packet comes from an address that was just seen, so a small
/// memory by the address's last octets stands before the set.
#[derive(Debug, Clone)]
pub struct AddressBook {
    recent: [Option<IpAddr>; RECENT],
    seen: BTreeSet<IpAddr>,
}

impl Default for AddressBook {
    fn default() -> Self {
        Self { recent: [None; RECENT], seen: BTreeSet::new() }
    }
}

impl AddressBook {
    /// Remembers an address; once [`MAX_ADDRESSES_SEEN`] are, no further one. The unspecified address is no
    /// host's.
    #[inline]
    pub fn note(&mut self, address: IpAddr) {
        let slot = &mut self.recent[slot(address)];
        if *slot != Some(address) {
            *slot = Some(address);
            self.insert(address);
        }
    }

    #[cold]
    fn insert(&mut self, address: IpAddr) {
        if self.seen.len() < MAX_ADDRESSES_SEEN && !address.is_unspecified() {
            self.seen.insert(address);
        }
    }

    /// Remembers the outermost addresses of a frame that is not dissected further: of IPv4, IPv6 or ARP.
    pub fn note_frame(&mut self, frame: &Frame<'_>) {
        if let Some(addresses) = outermost(frame) {
            for address in addresses {
                self.note(address);
            }
        }
    }

    /// The addresses, sorted.
    #[must_use]
    pub fn to_vec(&self) -> Vec<IpAddr> {
        self.seen.iter().copied().collect()
    }
}

#[inline]
fn slot(address: IpAddr) -> usize {
    let last = match address {
        IpAddr::V4(address) => u64::from(u32::from(address)),
        IpAddr::V6(address) => {
            let low = u128::from(address) & u128::from(u64::MAX);
            u64::try_from(low).unwrap_or(0)
        }
    };
    // Fibonacci hashing: the high bits of the product depend on all of the address's.
    usize::try_from(last.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58).unwrap_or(0)
}

fn outermost(frame: &Frame<'_>) -> Option<[IpAddr; 2]> {
    let bytes = frame.bytes;
    match frame.link {
        LinkType::Ethernet => {
            let (head, rest) = bytes.split_at_checked(14)?;
            by_ether_type(u16::from_be_bytes([head[12], head[13]]), rest)
        }
        LinkType::LinuxSll => {
            let (head, rest) = bytes.split_at_checked(16)?;
            by_ether_type(u16::from_be_bytes([head[14], head[15]]), rest)
        }
        LinkType::LinuxSll2 => {
            let (head, rest) = bytes.split_at_checked(20)?;
            by_ether_type(u16::from_be_bytes([head[0], head[1]]), rest)
        }
        LinkType::RawIp => ip(bytes),
        LinkType::Null | LinkType::Loop => ip(bytes.get(4..)?),
        LinkType::Ppp | LinkType::Other(_) => None,
    }
}

fn by_ether_type(mut ether_type: u16, mut rest: &[u8]) -> Option<[IpAddr; 2]> {
    for _ in 0..MAX_TAGS {
        match ether_type {
            0x0800 | 0x86DD => return ip(rest),
            0x0806 => return arp(rest),
            0x8100 | 0x88A8 => {
                let (tag, behind) = rest.split_at_checked(4)?;
                ether_type = u16::from_be_bytes([tag[2], tag[3]]);
                rest = behind;
            }
            _ => return None,
        }
    }
    None
}

fn ip(bytes: &[u8]) -> Option<[IpAddr; 2]> {
    match bytes.first()? >> 4 {
        4 => {
            let [source, destination] = bytes.get(12..20)?.as_chunks::<4>().0 else { return None };
            Some([Ipv4Addr::from(*source).into(), Ipv4Addr::from(*destination).into()])
        }
        6 => {
            let [source, destination] = bytes.get(8..40)?.as_chunks::<16>().0 else { return None };
            Some([Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into()])
        }
        _ => None,
    }
}

/// Sender of an ARP packet, twice: the target is only asked for (RFC 826).
fn arp(bytes: &[u8]) -> Option<[IpAddr; 2]> {
    let sender = bytes.get(14..18)?.first_chunk::<4>()?;
    let is_ipv4_over_ethernet = bytes.get(..6)? == [0, 1, 8, 0, 6, 4];
    let address = IpAddr::V4(Ipv4Addr::from(*sender));
    is_ipv4_over_ethernet.then_some([address, address])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_is_bounded_and_sorted() {
        let mut book = AddressBook::default();
        for number in (1..=10_000u32).rev() {
            book.note(IpAddr::V4(Ipv4Addr::from(number)));
        }
        let addresses = book.to_vec();
        assert_eq!(addresses.len(), MAX_ADDRESSES_SEEN);
        assert!(addresses.is_sorted());
    }

    #[test]
    fn addresses_that_share_a_slot_are_both_kept() {
        let mut book = AddressBook::default();
        for _ in 0..3 {
            for number in 1..=1_000u32 {
                book.note(IpAddr::V4(Ipv4Addr::from(number)));
            }
        }
        assert_eq!(book.to_vec().len(), 1_000);
    }
}
