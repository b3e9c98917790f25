//! The interfaces of a host.

use super::sys;
use correlate_proto::{Interface, Offloads};
use std::io;
use std::os::fd::AsRawFd;

/// Commands of `linux/ethtool.h` that each tell one switch.
const TSO: u32 = 0x1e;
const GSO: u32 = 0x23;
const GRO: u32 = 0x2b;
/// The command that gives several switches as bits, and LRO's among them.
const FLAGS: u32 = 0x25;
const FLAG_LRO: u32 = 1 << 15;

/// All interfaces of the calling thread's network namespace, in the order of their indices, none marked as
/// captured. To ask for another namespace, run this in [`super::Namespace::run`].
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let socket = sys::query_socket()?;
    let mut found: Vec<Interface> = Vec::new();
    for entry in sys::interface_addresses()? {
        // An address label (`eth0:1`) is listed under the interface that bears it.
        let name = entry.name.split(':').next().unwrap_or_default().to_owned();
        let known = found.iter().position(|interface| interface.name == name);
        let interface = if let Some(at) = known {
            &mut found[at]
        } else {
            let Some(described) = describe(&socket, &name) else { continue };
            found.push(described);
            let last = found.len() - 1;
            &mut found[last]
        };
        interface.addresses.extend(entry.address);
    }
    found.sort_by_key(|interface| interface.index);
    Ok(found)
}

/// One interface of the socket's network namespace, without its addresses; absent if it is gone.
pub(crate) fn describe(socket: &impl AsRawFd, name: &str) -> Option<Interface> {
    let index = sys::interface_index(socket, name)?;
    Some(Interface {
        name: name.to_owned(),
        index,
        addresses: Vec::new(),
        mtu: sys::interface_mtu(socket, name).unwrap_or(0),
        offloads: offloads(socket, name),
        captured: false,
    })
}

/// Absent if the driver answers none of the questions.
fn offloads(socket: &impl AsRawFd, name: &str) -> Option<Offloads> {
    let ask = |command| sys::ethtool_value(socket, name, command);
    let (tso, gso, gro, flags) = (ask(TSO), ask(GSO), ask(GRO), ask(FLAGS));
    tso.or(gso).or(gro).or(flags)?;
    let on = |value: Option<u32>| value.is_some_and(|value| value != 0);
    Some(Offloads { tso: on(tso), gso: on(gso), gro: on(gro), lro: flags.is_some_and(|f| f & FLAG_LRO != 0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn the_loopback_interface_is_listed_with_its_address_and_mtu() {
        let found = interfaces().expect("interfaces");
        let Some(lo) = found.iter().find(|interface| interface.name == "lo") else {
            panic!("no loopback interface among {found:?}");
        };
        assert!(lo.addresses.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{lo:?}");
        assert!(lo.index > 0 && lo.mtu >= 1500 && !lo.captured, "{lo:?}");
        assert!(lo.offloads.is_some_and(|offloads| offloads.gso), "{lo:?}");
    }
}
