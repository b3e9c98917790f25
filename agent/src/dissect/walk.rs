//! The way through a frame's headers, from the outermost to the TCP header.

use super::cursor::Cursor;
use super::ip::{self, Fragment, IpPacket};
use super::link::{self, Layer};
use super::outcome::{Dissected, SkipReason};
use super::{common, icmp, tcp, tunnel};
use crate::capture::Frame;
use correlate_proto::Record;
use etherparse::ip_number;

/// Headers inside each other that are followed: an Ethernet frame with two VLAN tags and a label stack, in a
/// VXLAN tunnel, in a GRE tunnel has twelve. A frame made of headers only ends here.
pub(super) const MAX_HEADERS: usize = 16;

/// The record that a frame gives, or why it gives none.
///
/// Lengths come from the IP header, so that neither a snaplen nor the padding of a short Ethernet frame changes
/// them; where the IP header states none, from the frame's length on the wire.
#[must_use]
pub fn dissect(frame: &Frame<'_>) -> Dissected {
    match common::find(frame) {
        Some((packet, at)) => tcp::read(frame, &packet, &at),
        None => long_way(frame),
    }
}

/// The record of any frame. A record is built where it will stay: copying it costs more than reading it.
#[inline(never)]
pub(super) fn long_way(frame: &Frame<'_>) -> Dissected {
    match find(frame) {
        Ok((packet, at)) if packet.protocol == ip_number::TCP => tcp::read(frame, &packet, &at),
        Ok((packet, mut at)) => match icmp::read(frame, &packet, &mut at) {
            Ok(error) => Dissected::Record(Record::IcmpError(error)),
            Err(reason) => Dissected::Skipped(reason),
        },
        Err(reason) => Dissected::Skipped(reason),
    }
}

/// The innermost IP packet, which carries TCP or ICMP, and the place of what it carries.
fn find<'a>(frame: &Frame<'a>) -> Result<(IpPacket, Cursor<'a>), SkipReason> {
    let mut at = Cursor::new(frame.bytes, frame.wire_len);
    let mut layer = link::enter(frame.link, &mut at)?;
    for _ in 0..MAX_HEADERS {
        layer = match layer {
            Layer::Ethernet => link::ethernet(&mut at)?,
            Layer::EtherType(value) => link::ether_type(value, &mut at)?,
            Layer::Ppp(protocol) => link::ppp_protocol(protocol, &mut at)?,
            Layer::Ip => {
                let packet = ip::read(&mut at)?;
                match packet.protocol {
                    _ if packet.fragment == Fragment::Later => return Err(SkipReason::Fragment),
                    ip_number::TCP | ip_number::ICMP | ip_number::IPV6_ICMP => return Ok((packet, at)),
                    _ => tunnel::enter(&packet, &mut at)?,
                }
            }
        };
    }
    Err(SkipReason::TooDeep)
}
