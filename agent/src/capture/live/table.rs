//! The interfaces of a capture: kernel indices to places in its list.

use super::super::LinkType;
use crate::host::sys;
use crate::host::{Traffic, describe};
use correlate_proto::Interface;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::AsRawFd;

/// Most interfaces of one capture. Frames of further ones are dropped and counted; hosts with more have one per
/// container, and capture those by name.
const MAX_INTERFACES: usize = 4096;

/// The link type of a kind of hardware (`linux/if_arp.h`), as the frames of a raw packet socket begin.
pub(super) fn link_type(hardware: u16) -> Option<LinkType> {
    match hardware {
        // Ethernet, loopback.
        1 | 772 => Some(LinkType::Ethernet),
        // PPP, raw IP, IP in IP, IPv6 in IP and GRE tunnels, TUN and WireGuard: nothing before the IP header.
        512 | 519 | 768 | 769 | 776 | 778 | 823 | 0xfffe => Some(LinkType::RawIp),
        _ => None,
    }
}

/// The list, and where each kernel index stands in it.
#[derive(Debug)]
pub(super) struct Interfaces {
    list: Vec<Interface>,
    known: HashMap<u32, Option<(u16, LinkType)>>,
    last: Option<(u32, (u16, LinkType))>,
    links: Vec<LinkType>,
    all: bool,
}

impl Interfaces {
    /// `list` with the captured ones marked; with `all`, those that appear later are captured too.
    pub(super) fn new(list: Vec<Interface>, links: Vec<LinkType>, all: bool) -> Self {
        Self { list, known: HashMap::new(), last: None, links, all }
    }

    pub(super) fn list(&self) -> &[Interface] {
        &self.list
    }

    /// Place and link type of the interface with that index. Absent if its hardware is of a kind that is not
    /// captured, or the list is full.
    pub(super) fn find(
        &mut self,
        index: u32,
        hardware: u16,
        socket: &impl AsRawFd,
    ) -> Option<(u16, LinkType)> {
        if let Some((last, found)) = self.last
            && last == index
        {
            return Some(found);
        }
        let found = if let Some(found) = self.known.get(&index) {
            *found
        } else {
            let found = self.learn(index, hardware, socket);
            if self.known.len() < 2 * MAX_INTERFACES {
                self.known.insert(index, found);
            }
            found
        }?;
        self.last = Some((index, found));
        Some(found)
    }

    fn learn(&mut self, index: u32, hardware: u16, socket: &impl AsRawFd) -> Option<(u16, LinkType)> {
        let link = link_type(hardware)?;
        let place = self.list.iter().position(|interface| interface.index == index);
        let place = if let Some(place) = place {
            place
        } else {
            if self.list.len() >= MAX_INTERFACES {
                return None;
            }
            let named = sys::interface_name(socket, index).and_then(|name| describe(socket, &name));
            let unnamed = || Interface { index, ..Interface::default() };
            self.list.push(Interface { captured: true, ..named.unwrap_or_else(unnamed) });
            self.list.len() - 1
        };
        if !self.links.contains(&link) {
            self.links.push(link);
        }
        Some((u16::try_from(place).ok()?, link))
    }

    /// Whether none of the chosen interfaces exists any more.
    pub(super) fn are_gone(&self, socket: &impl AsRawFd) -> bool {
        let mut captured = self.list.iter().filter(|interface| interface.captured);
        !self.all && captured.all(|interface| sys::interface_name(socket, interface.index).is_none())
    }

    /// Frames that each captured interface has counted.
    pub(super) fn frames(&self, counted: &BTreeMap<String, Traffic>) -> BTreeMap<String, u64> {
        let chosen =
            |name: &str| self.all || self.list.iter().any(|known| known.captured && known.name == name);
        counted
            .iter()
            .filter(|(name, _)| chosen(name))
            .map(|(name, traffic)| (name.clone(), traffic.frames))
            .collect()
    }

    pub(super) fn link_type_name(&self) -> String {
        let names: Vec<String> = self.links.iter().map(|link| link.name()).collect();
        names.join(",")
    }
}
