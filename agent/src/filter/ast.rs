//! What a filter expression means, before anything is known of the packet.

/// A filter expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expr {
    /// Every packet: the empty expression.
    All,
    /// Both hold.
    And(Box<Self>, Box<Self>),
    /// At least one holds.
    Or(Box<Self>, Box<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// One test.
    Test(Primitive),
}

/// One test of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Primitive {
    /// `ip`, `arp`, `ether proto 0x800`: the type that the link header names.
    EtherType(u16),
    /// `tcp`, `ip proto 6`: the protocol number, in the families named.
    Protocol { v4: bool, v6: bool, number: u8 },
    /// `host`, `net`: an IPv4 address under a mask. With `arp`, the addresses within ARP and RARP count too, as
    /// for pcap-filter's unqualified `host`.
    Address4 { way: Way, address: u32, mask: u32, arp: bool },
    /// `host`, `net`: an IPv6 address under a mask.
    Address6 { way: Way, address: u128, mask: u128 },
    /// `port`, `portrange`: in packets of these protocols, both bounds included.
    Ports { way: Way, protocols: &'static [u8], low: u16, high: u16 },
    /// `tcp[13] & 2 != 0`, `len > 100`.
    Relation { left: Arith, op: Relation, right: Arith },
}

/// Which of source and destination a test looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Source only.
    Src,
    /// Destination only.
    Dst,
    /// Source or destination.
    Either,
    /// Source and destination.
    Both,
}

/// A number computed from a packet, modulo 2³².
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Arith {
    /// A constant.
    Const(u32),
    /// Octets of the frame on the wire, link header included.
    Len,
    /// `proto[index:size]`, big endian.
    Load { base: Base, index: Box<Self>, size: Size },
    /// An operation on two numbers.
    Binary(BinaryOp, Box<Self>, Box<Self>),
    /// Two's complement negation.
    Negate(Box<Self>),
}

/// Header that an accessor is relative to. All but `Ip6` and `Icmp6` mean IPv4 packets, of first fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// The IPv4 header.
    Ip,
    /// The IPv6 header.
    Ip6,
    /// The header of this protocol behind an IPv4 header.
    Transport4(u8),
    /// The `ICMPv6` header directly behind an IPv6 header.
    Icmp6,
}

/// Octets of an accessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Byte,
    Half,
    Word,
}

/// Arithmetic operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

impl BinaryOp {
    /// The result where both operands are known; absent where the operation has none (division by zero).
    /// A shift by 32 or more gives 0.
    pub(super) fn fold(self, left: u32, right: u32) -> Option<u32> {
        match self {
            Self::Add => Some(left.wrapping_add(right)),
            Self::Sub => Some(left.wrapping_sub(right)),
            Self::Mul => Some(left.wrapping_mul(right)),
            Self::Div => left.checked_div(right),
            Self::Mod => left.checked_rem(right),
            Self::And => Some(left & right),
            Self::Or => Some(left | right),
            Self::Xor => Some(left ^ right),
            Self::ShiftLeft => Some(left.checked_shl(right).unwrap_or(0)),
            Self::ShiftRight => Some(left.checked_shr(right).unwrap_or(0)),
        }
    }
}

/// Comparisons, unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Relation {
    /// Whether it holds between two known numbers.
    pub(super) fn holds(self, left: u32, right: u32) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterEqual => left >= right,
        }
    }
}
