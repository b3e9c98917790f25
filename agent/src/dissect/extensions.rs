//! IPv6 extension headers (RFC 8200 §4) and the authentication header of either version (RFC 4302).

use super::cursor::Cursor;
use super::ip::{Fragment, IpPacket};
use super::outcome::SkipReason;
use etherparse::{IpAuthHeaderSlice, IpNumber, Ipv6FragmentHeaderSlice, Ipv6RawExtHeaderSlice, ip_number};

/// Extension headers of one packet. RFC 8200 §4.1 wants each at most once, one of them twice: seven.
const MAX_EXTENSIONS: usize = 8;

/// Takes the extension headers off and sets the protocol and the place in a fragmented datagram.
pub(super) fn walk(packet: &mut IpPacket, at: &mut Cursor<'_>) -> Result<(), SkipReason> {
    for _ in 0..=MAX_EXTENSIONS {
        packet.protocol = match packet.protocol {
            ip_number::IPV6_FRAG => fragment(packet, at)?,
            ip_number::AUTH => authentication(at)?,
            raw if Ipv6RawExtHeaderSlice::header_type_supported(raw) => option_header(at)?,
            _ => return Ok(()),
        };
        if packet.fragment == Fragment::Later {
            return Ok(());
        }
    }
    Err(SkipReason::TooDeep)
}

/// Hop-by-hop, routing, destination options and their like: all have the next header and their length first.
fn option_header(at: &mut Cursor<'_>) -> Result<IpNumber, SkipReason> {
    let header =
        Ipv6RawExtHeaderSlice::from_slice(at.bytes).map_err(|error| at.missing(error.required_len))?;
    at.skip(header.slice().len())?;
    Ok(header.next_header())
}

fn fragment(packet: &mut IpPacket, at: &mut Cursor<'_>) -> Result<IpNumber, SkipReason> {
    let header =
        Ipv6FragmentHeaderSlice::from_slice(at.bytes).map_err(|error| at.missing(error.required_len))?;
    at.skip(header.slice().len())?;
    packet.fragment = Fragment::new(header.fragment_offset().value() == 0, header.more_fragments());
    Ok(header.next_header())
}

/// Takes an authentication header off; what it protects is not encrypted.
pub(super) fn authentication(at: &mut Cursor<'_>) -> Result<IpNumber, SkipReason> {
    let words = usize::from(at.peek::<2>()?[1]);
    let len = (words + 2) * 4;
    let header = IpAuthHeaderSlice::from_slice(at.bytes).map_err(|_| at.missing(len))?;
    at.skip(header.slice().len())?;
    Ok(header.next_header())
}
