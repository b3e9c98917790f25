//! What the middlebox is told to do: an ordered list of rules, and the properties of the path.

use crate::rule::Rule;

/// The behaviour of the middlebox.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Constant delay of the path in µs: client to server, server to client.
    pub delay_us: [u64; 2],
    /// Routers that the path pretends to have: taken from the TTL of what passes.
    pub hops: u8,
    /// What happens to addresses.
    pub translation: Translation,
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
    /// The client calls [`crate::IpVersion::service`]; each new connection goes to the next server in turn.
    Service,
}

impl Default for Plan {
    fn default() -> Self {
        Self { delay_us: [5_000, 5_000], hops: 0, translation: Translation::None, rules: Vec::new() }
    }
}
