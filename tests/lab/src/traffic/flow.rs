//! What the hosts shall do, as data.

use crate::firewall::Refusal;

/// One of the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The end that connects.
    Client,
    /// The end that accepts.
    Server,
}

/// One step of a connection's script. Both ends walk the same script, each doing its part.
///
/// After the last step the client closes; the server closes when it has read the end of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A side sends so many octets and the other reads them.
    Send(Side, usize),
    /// A side sends so many octets at about this rate, in octets per ms.
    SendPaced(Side, usize, usize),
    /// Both send at the same time: octets of the client, of the server.
    Exchange(usize, usize),
    /// A side thinks, in ms.
    Wait(Side, u64),
    /// A side closes its direction and the other reads to the end.
    ShutDown(Side),
    /// Both close their direction at once, then each reads to the end.
    ShutDownBoth,
    /// A side resets the connection (`SO_LINGER` of 0); the script ends.
    Reset(Side),
}

/// How the connections of a flow follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// One after the other, with a pause between, in ms.
    Sequential(u64),
    /// All at once, each starting so many ms after the one before.
    Concurrent(u64),
}

/// What the server's port does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// It accepts and walks the script.
    Accepts,
    /// Nothing listens: the host answers with a reset.
    Closed,
    /// The host drops what arrives for it, behind the tap, as a local firewall does.
    Deaf,
    /// The host's firewall turns away what arrives for it, behind the tap, and says so.
    Refused(Refusal),
    /// The application never accepts, and the queue has room for one.
    NeverAccepts,
}

/// What is special about the connecting socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Nothing.
    Usual,
    /// Its host drops what arrives for it, behind the tap.
    Deaf,
    /// It sends keep-alives after so many seconds of silence.
    KeepsAlive(u64),
}

/// Connections of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Port of the server.
    pub port: u16,
    /// How many connections.
    pub connections: u32,
    /// How they follow each other.
    pub pace: Pace,
    /// When the first begins, in ms after the traffic's start.
    pub start_ms: u64,
    /// What each does.
    pub script: Vec<Step>,
    /// The server's port.
    pub listener: Listener,
    /// The client's socket.
    pub caller: Caller,
    /// The client's port; any free one if absent.
    pub client_port: Option<u16>,
    /// The client gives up connecting after this, in ms.
    pub connect_timeout_ms: u64,
    /// The client gives up a read or write after this, in ms.
    pub io_timeout_ms: u64,
}

impl Flow {
    /// One usual connection to `port` that walks `script`.
    pub fn new(port: u16, script: &[Step]) -> Self {
        Self {
            port,
            connections: 1,
            pace: Pace::Sequential(20),
            start_ms: 0,
            script: script.to_vec(),
            listener: Listener::Accepts,
            caller: Caller::Usual,
            client_port: None,
            connect_timeout_ms: 3_500,
            io_timeout_ms: 4_000,
        }
    }

    /// So many connections, at this pace.
    #[must_use]
    pub const fn times(mut self, connections: u32, pace: Pace) -> Self {
        self.connections = connections;
        self.pace = pace;
        self
    }

    /// With this listener.
    #[must_use]
    pub const fn listener(mut self, listener: Listener) -> Self {
        self.listener = listener;
        self
    }

    /// With this caller.
    #[must_use]
    pub const fn caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Beginning so much later.
    #[must_use]
    pub const fn starting_at_ms(mut self, ms: u64) -> Self {
        self.start_ms = ms;
        self
    }

    /// With these time-outs of the client: of connecting, and of reading or writing.
    #[must_use]
    pub const fn timeouts_ms(mut self, connect: u64, io: u64) -> Self {
        self.connect_timeout_ms = connect;
        self.io_timeout_ms = io;
        self
    }

    /// From this port of the client.
    #[must_use]
    pub const fn client_port(mut self, port: u16) -> Self {
        self.client_port = Some(port);
        self
    }
}

/// All traffic of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// The flows; they run side by side.
    pub flows: Vec<Flow>,
    /// How long the servers may go on after the last client is done, in ms; then their sockets are shut down.
    pub settle_ms: u64,
}

impl Traffic {
    /// These flows, with half a second to settle.
    pub const fn new(flows: Vec<Flow>) -> Self {
        Self { flows, settle_ms: 500 }
    }
}
