//! Who has which address.

use crate::netlink::Mac;
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

    /// Length of the subnet's prefix.
    pub(crate) const fn prefix(self) -> u8 {
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

/// Every address of the subnet that traffic may go to, and where frames for it are sent.
pub(crate) fn neighbours(ip: IpVersion, servers: usize) -> Vec<(IpAddr, Mac)> {
    let mut known = vec![
        (ip.client(), host_mac(0)),
        (ip.translated(), host_mac(0)),
        (ip.service(), MIDDLE_MAC),
        (ip.relay(), MIDDLE_MAC),
        (ip.middle(), MIDDLE_MAC),
    ];
    known.extend((0..servers).map(|index| (ip.server(index), host_mac(index + 1))));
    known
}
