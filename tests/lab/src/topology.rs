//! The lab's hosts and links: who has which namespace, interface and addresses.

use crate::address::{IpVersion, MAX_SERVERS, MIDDLE_MAC, host_mac, neighbours};
use crate::error::LabError;
use crate::namespace::Namespace;
use crate::netlink::{End, Route};
use crate::plan::Relay;
use crate::sys::ethtool::{switch_offloads, wait_until_running};
use crate::sys::ring::Slots;
use std::io;
use std::net::IpAddr;

/// A host of the lab.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its network namespace.
    pub namespace: Namespace,
    /// The interface that faces the middlebox.
    pub interface: &'static str,
    /// An interface of the host that carries none of the traffic.
    pub spare: &'static str,
}

/// How a host is connected to its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// Its addresses are on it.
    #[default]
    Plain,
    /// It is a port of a bridge `br0`, which has the addresses: every packet crosses two interfaces of the host.
    Bridged,
}

/// What to build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Build {
    /// How many servers: 1 to [`MAX_SERVERS`].
    pub(crate) servers: usize,
    pub(crate) offloads: Offloads,
    pub(crate) client: Layout,
    pub(crate) relay: Option<Relay>,
}

/// The namespaces and the links between them.
#[derive(Debug)]
pub(crate) struct Topology {
    pub(crate) client: Host,
    pub(crate) servers: Vec<Host>,
    /// The two faces of a relay: to the client, and to the server.
    pub(crate) relay: Option<[Host; 2]>,
    pub(crate) middle: Namespace,
    /// The middlebox's interfaces: the client's first, then the servers', then the relay's.
    pub(crate) ports: Vec<String>,
    offloads: Offloads,
}

impl Topology {
    /// Builds namespaces and links.
    pub(crate) fn build(build: Build) -> Result<Self, LabError> {
        let servers = build.servers.clamp(1, MAX_SERVERS);
        let middle = Namespace::new("middle")?;
        middle.enter(quiet_middle)?;
        let relay = match build.relay {
            Some(_) => Some([host("front", "front0")?, host("back", "back0")?]),
            None => None,
        };
        let count = 1 + servers + if relay.is_some() { 2 } else { 0 };
        let topology = Self {
            client: host("client", "client0")?,
            servers: (0..servers).map(|_| host("server", "server0")).collect::<Result<_, _>>()?,
            relay,
            middle,
            offloads: build.offloads,
            ports: (0..count).map(|port| format!("port{port}")).collect(),
        };
        for (port, host) in topology.hosts().enumerate() {
            topology.connect(port, host, build.offloads)?;
            let layout = if port == 0 { build.client } else { Layout::Plain };
            let place = Place { port, servers, layout, relay: build.relay };
            host.namespace
                .enter(|| configure(host, place))?
                .map_err(LabError::setup(format!("configure the {} host", host.namespace.name())))?;
        }
        for (port, (name, host)) in topology.ports.iter().zip(topology.hosts()).enumerate() {
            host.namespace
                .enter(|| {
                    switch_offloads(host.interface, build.offloads.are_on_at(port))?;
                    wait_until_running(host.interface)
                })?
                .map_err(LabError::setup(format!("bring up {}", host.interface)))?;
            let up = topology.middle.enter(|| wait_until_running(name))?;
            up.map_err(LabError::setup(format!("bring up {name}")))?;
        }
        Ok(topology)
    }

    /// All hosts in the order of the middlebox's ports.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &Host> {
        std::iter::once(&self.client).chain(&self.servers).chain(self.relay.iter().flatten())
    }

    /// How large the frames on the links are, in the order of the middlebox's ports.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slots> + use<> {
        let (offloads, count) = (self.offloads, self.ports.len());
        (0..count).map(move |port| if offloads.are_on_at(port) { Slots::SuperPackets } else { Slots::Frames })
    }

    /// Sets a kernel setting, by its path below `/proc/sys`, of all hosts.
    pub(crate) fn set_kernel(&self, path: &str, value: &str) -> Result<(), LabError> {
        for host in self.hosts() {
            let set = || std::fs::write(format!("/proc/sys/{path}"), value);
            host.namespace.enter(set)?.map_err(LabError::setup(format!("set {path} to {value}")))?;
        }
        Ok(())
    }

    /// Frames that the links themselves dropped on sending, where a receiver's backlog was full.
    pub(crate) fn link_drops(&self) -> Result<u64, LabError> {
        let mut drops = 0;
        for (name, host) in self.ports.iter().zip(self.hosts()) {
            for (namespace, link) in [(&self.middle, name.as_str()), (&host.namespace, host.interface)] {
                let table = namespace.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev"))?;
                drops += sent_drops(&table.map_err(LabError::run("reading the links' counters"))?, link);
            }
        }
        Ok(drops)
    }

    fn connect(&self, port: usize, host: &Host, offloads: Offloads) -> Result<(), LabError> {
        let name = self.ports[port].as_str();
        let link = || {
            let route = Route::open()?;
            let mut mac = MIDDLE_MAC;
            mac[4] = host_mac(port)[5];
            let near = End { name, mac, namespace: None };
            let far = End {
                name: host.interface,
                mac: host_mac(port),
                namespace: Some(std::os::fd::AsFd::as_fd(&host.namespace)),
            };
            route.add_veth(&near, &far)?;
            switch_offloads(name, offloads.are_on_at(port))?;
            route.set_up(name)
        };
        self.middle.enter(link)?.map_err(LabError::setup(format!("make link {name} to {}", host.interface)))
    }
}

/// Whether segmentation and checksums are left to the "hardware".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offloads {
    /// Super-packets and partial checksums cross the links.
    On,
    /// Every frame is as it would be on a wire.
    Off,
    /// Super-packets cross the client's link; the servers' see what becomes of them on a wire.
    ClientOnly,
    /// The other way round.
    ServerOnly,
}

impl Offloads {
    /// Whether they are on at the link of the middlebox's port: 0 is the client's.
    const fn are_on_at(self, port: usize) -> bool {
        match self {
            Self::On => true,
            Self::Off => false,
            Self::ClientOnly => port == 0,
            Self::ServerOnly => port != 0,
        }
    }
}

fn host(name: &'static str, interface: &'static str) -> Result<Host, LabError> {
    Ok(Host { namespace: Namespace::new(name)?, interface, spare: "spare0" })
}

/// The twelfth counter of an interface in `/proc/net/dev`: frames dropped on sending (man page `proc_net`).
fn sent_drops(table: &str, link: &str) -> u64 {
    let counters = table.lines().find_map(|line| line.trim().strip_prefix(link)?.strip_prefix(':'));
    counters.and_then(|counters| counters.split_whitespace().nth(11)?.parse().ok()).unwrap_or(0)
}

/// Keeps the middle namespace's own stack from sending anything. Where `/proc/sys` cannot be written its few
/// multicast messages cross the links, which nothing here counts.
fn quiet_middle() {
    let _ = std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
    let _ = std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
}

/// Where a host is.
#[derive(Debug, Clone, Copy)]
struct Place {
    port: usize,
    servers: usize,
    layout: Layout,
    relay: Option<Relay>,
}

impl Place {
    /// The host's address.
    fn address(self, ip: IpVersion) -> IpAddr {
        match (self.port.checked_sub(self.servers + 1), self.relay) {
            (Some(0), Some(relay)) => relay.front(ip),
            (Some(_), Some(relay)) => relay.back(ip),
            _ if self.port == 0 => ip.client(),
            _ => ip.server(self.port - 1),
        }
    }
}

/// Gives a host its addresses, its neighbours and its spare link. Runs inside the host's namespace.
fn configure(host: &Host, place: Place) -> io::Result<()> {
    // Hosts answer at once after a link comes up only without these; addresses carry "no DAD" themselves.
    let _ = std::fs::write("/proc/sys/net/ipv6/conf/all/accept_dad", "0");
    let _ = std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    let route = Route::open()?;
    let last = host_mac(place.port)[5];
    let one = End { name: host.spare, mac: [0x02, 0x77, 1, 0, 0, last], namespace: None };
    let two = End { name: "spare1", mac: [0x02, 0x77, 2, 0, 0, last], namespace: None };
    route.add_veth(&one, &two)?;
    for link in ["lo", host.spare, "spare1", host.interface] {
        route.set_up(link)?;
    }
    let addressed = match place.layout {
        Layout::Plain => host.interface,
        Layout::Bridged => {
            route.add_bridge(&End { name: BRIDGE, mac: host_mac(place.port), namespace: None })?;
            route.enslave(host.interface, BRIDGE)?;
            route.set_up(BRIDGE)?;
            BRIDGE
        }
    };
    for ip in [IpVersion::V4, IpVersion::V6] {
        let own = place.address(ip);
        route.add_address(addressed, own, ip.prefix())?;
        for (address, mac) in neighbours(ip, place.servers) {
            if address != own {
                route.add_neighbour(addressed, address, mac)?;
            }
        }
        route.add_default_route(ip.middle())?;
    }
    Ok(())
}

/// The bridge of a host that has one.
const BRIDGE: &str = "br0";

#[cfg(test)]
mod tests {
    use super::sent_drops;

    #[test]
    fn the_drop_counter_of_the_right_link_is_read() {
        let table = "Inter-| Receive | Transmit\n face |bytes\n  port1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n \
                     port10: 0 0 0 0 0 0 0 0 0 0 0 7 0 0 0 0\n";
        assert_eq!(
            (sent_drops(table, "port1"), sent_drops(table, "port10"), sent_drops(table, "lo")),
            (12, 7, 0)
        );
    }
}
