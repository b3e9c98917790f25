//! Codes and grades of findings.

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// What was found. The names are stable: users' scripts hang on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "json", derive(serde::Serialize, schemars::JsonSchema))]
        pub enum Code {
            $($(#[doc = $doc])* #[cfg_attr(feature = "json", serde(rename = $name))] $variant,)*
        }

        impl Code {
            /// Every code, in the order in which findings of equal grade are listed.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code's stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

codes! {
    /// SYNs left the client, none reached the server's capture point.
    SynLost = "syn-lost",
    /// The server sent SYN-ACKs, none reached the client's capture point.
    SynAckLost = "syn-ack-lost",
    /// The handshake's last ACK was lost and the server had to repeat its SYN-ACK.
    HandshakeAckLost = "handshake-ack-lost",
    /// SYNs reached the server's capture point and its host sent nothing back.
    SynUnanswered = "syn-unanswered",
    /// The SYN-ACK reached the client's capture point and its host acted as if it had not.
    SynAckIgnored = "syn-ack-ignored",
    /// The server's stack dropped a SYN or a handshake's last ACK that had arrived, for want of room.
    AcceptQueueFull = "accept-queue-full",
    /// The server's host itself answered the SYN with RST or ICMP.
    ConnectionRefused = "connection-refused",
    /// The client got a rejection that the server's host never sent.
    RefusedInPath = "refused-in-path",
    /// The client got a SYN-ACK that the server's host never sent.
    SynAckInjected = "syn-ack-injected",
    /// The SYN met an old connection on the server and got a plain ACK.
    ChallengeAck = "challenge-ack",
    /// A RST was received that the other end never sent.
    RstInjected = "rst-injected",
    /// A RST was sent and never arrived.
    RstLost = "rst-lost",
    /// After an idle period a device on the path has forgotten the connection.
    IdleExpiry = "idle-expiry",
    /// Packets above a size are lost, smaller ones pass.
    PathMtuBlackhole = "path-mtu-blackhole",
    /// From some packet on one direction of a connection is dead.
    OneWayBlackhole = "one-way-blackhole",
    /// Every flow of a direction was lost for a while.
    Outage = "outage",
    /// Loss on the path in one direction.
    PacketLoss = "packet-loss",
    /// The two directions' loss rates differ beyond chance.
    AsymmetricLoss = "asymmetric-loss",
    /// Pure ACKs were lost in one direction.
    AckLoss = "ack-loss",
    /// A real reset in mid-connection, sent by the client's stack.
    ResetByClient = "reset-by-client",
    /// A real reset in mid-connection, sent by the server's stack.
    ResetByServer = "reset-by-server",
    /// A device shifts sequence numbers and leaves the SACK blocks as they were.
    SackNotRewritten = "sack-not-rewritten",
    /// A device removed the window scale from one side's handshake only: the ends disagree about the window.
    WindowScaleMismatch = "window-scale-mismatch",
    /// A device changed the payload.
    PayloadAltered = "payload-altered",
    /// A device removed a TCP option from the handshake.
    OptionStripped = "option-stripped",
    /// The receiver's application does not read, and its window is closed.
    ZeroWindow = "zero-window",
    /// The window was opened again and the update never arrived: the sender waited for nothing.
    WindowUpdateLost = "window-update-lost",
    /// A clock jumped.
    ClockStep = "clock-step",
    /// NAT: the two ends see different four-tuples.
    AddressTranslated = "address-translated",
    /// A device shifts sequence numbers by a constant.
    SequenceRewritten = "sequence-rewritten",
    /// A device changed the MSS that a host announces.
    MssClamped = "mss-clamped",
    /// A device changed the class of service.
    DscpRewritten = "dscp-rewritten",
    /// A device cleared or changed the ECN bits.
    EcnBleached = "ecn-bleached",
    /// The two ends' connections are two connections joined by a proxy.
    Proxied = "proxied",
    /// Segments were sent again though the originals had arrived.
    SpuriousRetransmission = "spurious-retransmission",
    /// Packets overtook each other on the path.
    Reordering = "reordering",
    /// Packets were sent once and arrived twice.
    Duplication = "duplication",
    /// The server's think time dominates, the network's does not.
    SlowServer = "slow-server",
    /// The client's think time dominates, the network's does not.
    SlowClient = "slow-client",
    /// A capture point lost packets.
    CaptureLoss = "capture-loss",
    /// A capture point saw nothing that matches, and nothing proves that it could have.
    NotCaptured = "not-captured",
    /// A connection that was seen at one end only.
    UnpairedConnection = "unpaired-connection",
    /// The offset between the two clocks is unknown.
    ClockUnaligned = "clock-unaligned",
}

impl Code {
    /// The code of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl core::fmt::Display for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// How bad a finding is, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "json",
    derive(serde::Serialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something is off.
    Warning,
    /// Something is broken.
    Error,
}

/// How well a finding is supported, best last. Odds are those of ALGORITHMS' grading: the log-odds thresholds
/// are 3, 8 and 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "json",
    derive(serde::Serialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum Confidence {
    /// A suspicion only; never decides a verdict.
    Unconfirmed,
    /// More likely than its alternatives.
    Likely,
    /// The alternatives are far-fetched.
    Strong,
    /// The evidence admits nothing else.
    Proven,
}

/// Where the cause lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "json",
    derive(serde::Serialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum Location {
    /// In the client's host.
    ClientHost,
    /// On the way from client to server.
    ClientToServerPath,
    /// On the way from server to client.
    ServerToClientPath,
    /// In the server's host.
    ServerHost,
    /// In a device on the path.
    PathDevice,
    /// In the capture itself.
    Capture,
    /// Not known.
    Unknown,
}
