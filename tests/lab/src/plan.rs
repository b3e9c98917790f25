//! What the middlebox is told to do: an ordered list of rules, and the properties of the path.

use crate::address::IpVersion;
use crate::rule::Rule;
use std::net::IpAddr;

/// The behaviour of the middlebox.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Constant delay of the path in µs: client to server, server to client.
    pub delay_us: [u64; 2],
    /// Routers that the path pretends to have: taken from the TTL of what passes.
    pub hops: u8,
    /// What happens to addresses.
    pub translation: Translation,
    /// A SYN proxy before the servers, for the connections to this port.
    pub syn_proxy: Option<u16>,
    /// A relay in the middle: the client's connections end there and others go on.
    pub relay: Option<Relay>,
    /// Rules, applied in order. Each that matches adds its effect, until one disposes of the packet.
    pub rules: Vec<Rule>,
}

/// Which addresses the middlebox translates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Translation {
    /// None.
    None,
    /// The client appears to the servers as [`crate::IpVersion::translated`], from other ports.
    Source,
    /// As [`Self::Source`], and every connection to a port of a server gets the same port: each ends before the next
    /// begins.
    SourceOnePort,
    /// The client calls [`crate::IpVersion::service`]; each new connection goes to the next server in turn.
    Service,
}

/// How the ends see a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// The client calls [`crate::IpVersion::service`], and the server is called by [`crate::IpVersion::relay`].
    Addressed,
    /// Not at all: it answers in the server's name and calls in the client's, from the same port.
    Transparent,
}

impl Relay {
    /// The address that the client calls.
    pub fn front(self, ip: IpVersion) -> IpAddr {
        match self {
            Self::Addressed => ip.service(),
            Self::Transparent => ip.server(0),
        }
    }

    /// The address that the server is called from.
    pub const fn back(self, ip: IpVersion) -> IpAddr {
        match self {
            Self::Addressed => ip.relay(),
            Self::Transparent => ip.client(),
        }
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            delay_us: [5_000, 5_000],
            hops: 0,
            translation: Translation::None,
            syn_proxy: None,
            relay: None,
            rules: Vec::new(),
        }
    }
}
