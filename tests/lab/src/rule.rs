//! Rules: what is done to which packets.

use crate::condition::Match;
pub use crate::wire::forge::IcmpMessage;
pub use crate::wire::rewrite::{Rewrite, SackBlocks};

/// One rule of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Name, as it stands in the ledger.
    pub name: &'static str,
    /// Which packets it concerns.
    pub when: Match,
    /// What it does to them.
    pub action: Action,
}

impl Rule {
    /// A rule.
    pub const fn new(name: &'static str, when: Match, action: Action) -> Self {
        Self { name, when, action }
    }
}

/// What a rule does to a packet. Actions that dispose of the packet end the list of rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Drops it.
    Drop,
    /// Drops it with this probability.
    DropRandom {
        /// 0 to 1.
        probability: f64,
    },
    /// Drops one packet at a random place of each so many, in each direction by itself: the rate is exact, so
    /// that two directions do not differ by chance.
    DropOneIn {
        /// Packets per lost one; 0 drops none.
        packets: u32,
    },
    /// Drops in bursts (Gilbert): one state per direction passes all, the other drops all.
    DropBurst {
        /// Probability per packet of a burst's beginning.
        enter: f64,
        /// Probability per packet of its end; a burst is 1/leave packets long on average.
        leave: f64,
    },
    /// Polices each direction, over all its flows (token bucket): what finds too few tokens is dropped.
    Police {
        /// Octets of IP packets that pass in a ms in the long run.
        octets_per_ms: u32,
        /// Octets that may pass at once after a rest.
        burst: u32,
    },
    /// A link of each direction that all its flows share: packets queue for it, and one that finds the queue full is
    /// dropped.
    Queue {
        /// Octets of IP packets that the link carries in a ms.
        octets_per_ms: u32,
        /// Octets that may wait.
        limit: u32,
    },
    /// Sends a second copy with this probability.
    Duplicate {
        /// 0 to 1.
        probability: f64,
        /// How long after the first, in µs.
        gap_us: u64,
    },
    /// Delays it beyond the path's own delay; the order is kept, so what follows may wait too.
    Delay {
        /// Constant part, in µs.
        fixed_us: u64,
        /// Upper bound of the random part, in µs.
        jitter_us: u64,
    },
    /// Holds it back with this probability, so that later packets overtake it.
    Hold {
        /// 0 to 1.
        probability: f64,
        /// How long, in µs.
        extra_us: u64,
    },
    /// Changes its headers and lets it pass.
    Rewrite(Rewrite),
    /// Gives it an IPv4 identification by dice.
    RandomId,
    /// Lets it pass in other pieces, or joined with others.
    Recut(Recut),
    /// Sends forged resets.
    InjectRst(RstInjection),
    /// Marks its connection, for [`Match::marked`].
    Mark,
    /// Drops it and tells its sender by ICMP.
    RejectIcmp(IcmpMessage),
    /// Drops it and answers with a reset, as a closed port would.
    Refuse,
}

/// How a device cuts anew what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recut {
    /// A data segment becomes so many, if it has so many octets. They bear identifications of the device's own.
    Split(u8),
    /// A data segment that follows one which still waits for its way joins it, up to so many octets of IP packet.
    Join(u16),
    /// An IPv4 packet longer than this becomes fragments of at most this, whatever its "don't fragment" says.
    Fragment(u16),
}

/// Whom a forged packet is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// The client, as if from the server.
    Client,
    /// The server, as if from the client.
    Server,
    /// Each, as if from the other.
    Both,
}

/// What becomes of the packet that triggers an injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// It passes: the injector only listens.
    Forwarded,
    /// It is dropped: the injector is in the path.
    Dropped,
}

/// A forged reset (flags RST and ACK, no options, window 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RstInjection {
    /// Whom it is sent to.
    pub toward: Toward,
    /// Added to the sequence number that the receiver expects next.
    pub seq_offset: u32,
    /// TTL; that of the forged host's own packets if absent.
    pub ttl: Option<u8>,
    /// IPv4 identification.
    pub ip_id: u16,
    /// How long after the trigger, in µs.
    pub after_us: u64,
    /// The trigger's fate.
    pub trigger: Trigger,
}

impl RstInjection {
    /// A reset with the exact sequence number and TTL 64, sent at once; the trigger passes.
    pub const fn toward(toward: Toward) -> Self {
        Self { toward, seq_offset: 0, ttl: Some(64), ip_id: 0, after_us: 0, trigger: Trigger::Forwarded }
    }
}
