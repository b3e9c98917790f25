//! Conditions on packets: what a rule concerns.

use correlate_proto::{Direction, TcpFlags};

/// Which kind of packet a rule concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TCP.
    Tcp,
    /// ICMP errors that quote TCP.
    IcmpError,
}

/// Which of the packets that fit a rule it is applied to, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Every one.
    All,
    /// The n-th only.
    Only(u32),
    /// The first n.
    First(u32),
    /// All but the first n.
    After(u32),
}

/// What a rule's count runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each connection by itself.
    Connection,
    /// All traffic together.
    Everything,
}

/// Whether a packet must carry payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Either way.
    Any,
    /// At least one octet.
    Some,
    /// None: a pure ACK, a SYN, a FIN.
    None,
}

/// A condition on packets; all parts must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// TCP or ICMP.
    pub kind: Kind,
    /// Direction of travel; both if absent.
    pub direction: Option<Direction>,
    /// Flags that must be set.
    pub set: TcpFlags,
    /// Flags of which none may be set.
    pub clear: TcpFlags,
    /// Payload or none.
    pub payload: Payload,
    /// The IP packet on the wire (of a super-packet: each segment) is longer than this, in octets.
    pub longer_than: usize,
    /// The server's port, on either side of the packet; any if absent.
    pub port: Option<u16>,
    /// The connection was silent at least this long before, in ms.
    pub idle_ms: u64,
    /// The connection was marked by [`crate::Action::Mark`].
    pub marked: bool,
    /// It opens a window that its sender had closed, and the other side has not spoken since it did so first.
    pub reopening: bool,
    /// Time since the middlebox's first packet, in ms: from, and up to.
    pub window_ms: Option<(u64, u64)>,
    /// Which of those that fit.
    pub count: Count,
    /// What the count runs over.
    pub scope: Scope,
}

impl Match {
    /// Any TCP packet in either direction.
    pub const fn tcp() -> Self {
        Self {
            kind: Kind::Tcp,
            direction: None,
            set: TcpFlags(0),
            clear: TcpFlags(0),
            payload: Payload::Any,
            longer_than: 0,
            port: None,
            idle_ms: 0,
            marked: false,
            reopening: false,
            window_ms: None,
            count: Count::All,
            scope: Scope::Connection,
        }
    }

    /// TCP from client to server.
    pub const fn c2s() -> Self {
        Self { direction: Some(Direction::ClientToServer), ..Self::tcp() }
    }

    /// TCP from server to client.
    pub const fn s2c() -> Self {
        Self { direction: Some(Direction::ServerToClient), ..Self::tcp() }
    }

    /// ICMP errors in either direction.
    pub const fn icmp_errors() -> Self {
        Self { kind: Kind::IcmpError, ..Self::tcp() }
    }

    /// Only SYNs without ACK.
    #[must_use]
    pub const fn syn(mut self) -> Self {
        self.set = TcpFlags::SYN;
        self.clear = TcpFlags::ACK;
        self
    }

    /// Only SYN-ACKs.
    #[must_use]
    pub const fn syn_ack(mut self) -> Self {
        self.set = TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0);
        self
    }

    /// Only resets.
    #[must_use]
    pub const fn rst(mut self) -> Self {
        self.set = TcpFlags::RST;
        self
    }

    /// Only ACKs without payload, SYN, FIN or RST.
    #[must_use]
    pub const fn pure_ack(mut self) -> Self {
        self.set = TcpFlags::ACK;
        self.clear = TcpFlags(TcpFlags::SYN.0 | TcpFlags::FIN.0 | TcpFlags::RST.0);
        self.payload = Payload::None;
        self
    }

    /// Only packets with payload.
    #[must_use]
    pub const fn data(mut self) -> Self {
        self.payload = Payload::Some;
        self
    }

    /// Only packets of connections to this server port.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Only IP packets longer than this.
    #[must_use]
    pub const fn longer_than(mut self, octets: usize) -> Self {
        self.longer_than = octets;
        self
    }

    /// Only the first packet after this much silence of its connection.
    #[must_use]
    pub const fn after_idle_ms(mut self, ms: u64) -> Self {
        self.idle_ms = ms;
        self
    }

    /// Only packets of connections that were marked, the marking packet included.
    #[must_use]
    pub const fn marked(mut self) -> Self {
        self.marked = true;
        self
    }

    /// Only what opens a closed window unasked: a window update, which no probe called forth.
    #[must_use]
    pub const fn reopening(mut self) -> Self {
        self.reopening = true;
        self
    }

    /// Only between these times after the middlebox's first packet, in ms.
    #[must_use]
    pub const fn between_ms(mut self, from: u64, to: u64) -> Self {
        self.window_ms = Some((from, to));
        self
    }

    /// Only those of the fitting packets, per connection.
    #[must_use]
    pub const fn count(mut self, count: Count) -> Self {
        self.count = count;
        self
    }

    /// Counts over all connections together.
    #[must_use]
    pub const fn over_everything(mut self) -> Self {
        self.scope = Scope::Everything;
        self
    }
}
