//! The lab's hosts and links: who has which namespace, interface and addresses.

use crate::error::LabError;
use crate::namespace::Namespace;
use crate::netlink::{Mac, Route, VethEnd};
use crate::sys::ethtool::{switch_offloads, wait_until_running};
use crate::sys::ring::Slots;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most servers that a lab can have: their addresses end in 2, 3 …, below the special ones.
pub const MAX_SERVERS: usize = 16;

/// Which version of IP a scenario's traffic uses. Every host always has addresses of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4, 10.77.0.0/24.
    V4,
    /// IPv6, `fd77::/64`.
    V6,
}

impl IpVersion {
    const fn address(self, last: u8) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::new(10, 77, 0, last)),
            Self::V6 => IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, last as u16)),
        }
    }

    /// The client's address.
    pub const fn client(self) -> IpAddr {
        self.address(1)
    }

    /// The address of server `index` (from 0).
    pub fn server(self, index: usize) -> IpAddr {
        self.address(u8::try_from(index).map_or(u8::MAX, |index| index.saturating_add(2)))
    }

    /// The address that source translation gives the client.
    pub const fn translated(self) -> IpAddr {
        self.address(50)
    }

    /// The address that a relay calls the server from.
    pub const fn relay(self) -> IpAddr {
        self.address(60)
    }

    /// The address of a service that the middlebox spreads over the servers.
    pub const fn service(self) -> IpAddr {
        self.address(100)
    }

    /// The address that the middlebox sends its own messages from.
    pub const fn middle(self) -> IpAddr {
        self.address(254)
    }

    const fn prefix(self) -> u8 {
        match self {
            Self::V4 => 24,
            Self::V6 => 64,
        }
    }
}

/// Link-layer address of the middlebox, where frames for addresses of no host go.
pub(crate) const MIDDLE_MAC: Mac = [0x02, 0x77, 0, 0, 0, 0xfe];

/// Link-layer address of the host on middlebox port `port`: 0 is the client, then the servers.
pub(crate) fn host_mac(port: usize) -> Mac {
    [0x02, 0x77, 0, 0, 0, u8::try_from(port).map_or(u8::MAX, |port| port.saturating_add(1))]
}

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

/// The namespaces and the links between them.
#[derive(Debug)]
pub(crate) struct Topology {
    pub(crate) client: Host,
    pub(crate) servers: Vec<Host>,
    pub(crate) middle: Namespace,
    /// The middlebox's interfaces: the client's first, then the servers'.
    pub(crate) ports: Vec<String>,
    /// How large the frames on the links are.
    pub(crate) slots: Slots,
}

impl Topology {
    /// Builds namespaces and links for one client and `servers` servers (1 to [`MAX_SERVERS`]).
    pub(crate) fn build(servers: usize, offloads: Offloads) -> Result<Self, LabError> {
        let servers = servers.clamp(1, MAX_SERVERS);
        let middle = Namespace::new("middle")?;
        middle.enter(quiet_middle)?;
        let topology = Self {
            client: host("client", "client0")?,
            servers: (0..servers).map(|_| host("server", "server0")).collect::<Result<_, _>>()?,
            middle,
            slots: match offloads {
                Offloads::On => Slots::SuperPackets,
                Offloads::Off => Slots::Frames,
            },
            ports: (0..=servers).map(|port| format!("port{port}")).collect(),
        };
        for (port, host) in topology.hosts().enumerate() {
            topology.connect(port, host, offloads)?;
            host.namespace
                .enter(|| configure(host, port, servers))?
                .map_err(LabError::setup(format!("configure the {} host", host.namespace.name())))?;
        }
        for (name, host) in topology.ports.iter().zip(topology.hosts()) {
            host.namespace
                .enter(|| {
                    switch_offloads(host.interface, offloads == Offloads::On)?;
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
        std::iter::once(&self.client).chain(&self.servers)
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
            let near = VethEnd { name, mac, namespace: None };
            let far = VethEnd {
                name: host.interface,
                mac: host_mac(port),
                namespace: Some(std::os::fd::AsFd::as_fd(&host.namespace)),
            };
            route.add_veth(&near, &far)?;
            switch_offloads(name, offloads == Offloads::On)?;
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

/// Gives a host its addresses, its neighbours and its spare link. Runs inside the host's namespace.
fn configure(host: &Host, port: usize, servers: usize) -> io::Result<()> {
    // Hosts answer at once after a link comes up only without these; addresses carry "no DAD" themselves.
    let _ = std::fs::write("/proc/sys/net/ipv6/conf/all/accept_dad", "0");
    let _ = std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    let route = Route::open()?;
    let one = VethEnd { name: host.spare, mac: [0x02, 0x77, 1, 0, 0, host_mac(port)[5]], namespace: None };
    let two = VethEnd { name: "spare1", mac: [0x02, 0x77, 2, 0, 0, host_mac(port)[5]], namespace: None };
    route.add_veth(&one, &two)?;
    for link in ["lo", host.spare, "spare1", host.interface] {
        route.set_up(link)?;
    }
    for ip in [IpVersion::V4, IpVersion::V6] {
        let own = if port == 0 { ip.client() } else { ip.server(port - 1) };
        route.add_address(host.interface, own, ip.prefix())?;
        for (address, mac) in neighbours(ip, servers) {
            if address != own {
                route.add_neighbour(host.interface, address, mac)?;
            }
        }
        route.add_default_route(ip.middle())?;
    }
    Ok(())
}

/// Every address of the subnet that traffic may go to, and where frames for it are sent.
pub(crate) fn neighbours(ip: IpVersion, servers: usize) -> Vec<(IpAddr, Mac)> {
    let mut known = vec![
        (ip.client(), host_mac(0)),
        (ip.translated(), host_mac(0)),
        (ip.service(), MIDDLE_MAC),
        (ip.middle(), MIDDLE_MAC),
    ];
    known.extend((0..servers).map(|index| (ip.server(index), host_mac(index + 1))));
    known
}

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
