//! What Linux cooked headers tell beside the protocol: direction, and in version 2 the interface.

use super::Found;
use crate::capture::link::LinkType;
use correlate_proto::{Heard, Interface};

/// Interfaces of one host that are told apart; frames of further ones are put to the last. A container host
/// has hundreds.
const MAX_INTERFACES: usize = 4_096;

/// The interfaces met in version 2 headers.
#[derive(Debug, Default)]
pub(super) struct Cooked {
    /// Kernel index, and place among the source's interfaces; the one met last is looked at first.
    known: Vec<(u32, u16)>,
    last: usize,
}

impl Cooked {
    /// Sets direction and interface of a cooked frame, where the file's own fields do not tell already.
    pub(super) fn refine(&mut self, bytes: &[u8], found: &mut Found, interfaces: &mut Vec<Interface>) {
        let (kind, index) = match (found.link, bytes) {
            (LinkType::LinuxSll, [high, low, ..]) => (u16::from_be_bytes([*high, *low]), None),
            (LinkType::LinuxSll2, [_, _, _, _, a, b, c, d, _, _, kind, ..]) => {
                (u16::from(*kind), Some(u32::from_be_bytes([*a, *b, *c, *d])))
            }
            _ => return,
        };
        if found.heard == Heard::Unknown {
            found.heard = heard(kind);
        }
        if let Some(index) = index {
            found.interface = self.interface(index, interfaces);
        }
    }

    fn interface(&mut self, index: u32, interfaces: &mut Vec<Interface>) -> u16 {
        if let Some((known, place)) = self.known.get(self.last)
            && *known == index
        {
            return *place;
        }
        if let Some(at) = self.known.iter().position(|(known, _)| *known == index) {
            self.last = at;
            return self.known[at].1;
        }
        if self.known.len() == MAX_INTERFACES {
            return self.known.last().map_or(0, |(_, place)| *place);
        }
        let unnamed_first = self.known.is_empty() && interfaces.len() == 1 && interfaces[0].name.is_empty();
        if !unnamed_first {
            interfaces.push(Interface { captured: true, ..Interface::default() });
        }
        let at = interfaces.len() - 1;
        interfaces[at].index = index;
        let place = u16::try_from(at).unwrap_or(u16::MAX);
        self.last = self.known.len();
        self.known.push((index, place));
        place
    }
}

/// Packet types of the kernel (`if_packet.h`): to us, broadcast, multicast, to another host, outgoing.
pub(super) fn heard(packet_type: u16) -> Heard {
    match packet_type {
        0..=2 => Heard::In,
        4 => Heard::Out,
        _ => Heard::Unknown,
    }
}
