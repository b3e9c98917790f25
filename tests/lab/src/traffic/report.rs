//! What the applications experienced.

use std::net::SocketAddr;

/// One connection as the client's application saw it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientReport {
    /// Index of the flow.
    pub flow: usize,
    /// Number within the flow, from 0.
    pub number: u32,
    /// Own address; absent if it never connected.
    pub local: Option<SocketAddr>,
    /// Address that was called.
    pub remote: Option<SocketAddr>,
    /// Whether `connect` succeeded.
    pub connected: bool,
    /// Octets written to the socket.
    pub sent: u64,
    /// Octets read from it.
    pub received: u64,
    /// What ended the script early.
    pub error: Option<String>,
}

/// One connection as a server's application saw it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerReport {
    /// Index of the server.
    pub server: usize,
    /// Index of the flow.
    pub flow: usize,
    /// The client's address as the server sees it.
    pub peer: Option<SocketAddr>,
    /// Octets written to the socket.
    pub sent: u64,
    /// Octets read from it.
    pub received: u64,
    /// What ended the script early.
    pub error: Option<String>,
}

/// What all connections experienced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrafficReport {
    /// In order of flow and number.
    pub clients: Vec<ClientReport>,
    /// In order of server and flow, then of acceptance.
    pub servers: Vec<ServerReport>,
}
