//! What is left of an expression once the address family, and perhaps the protocol, is known: tests that
//! cannot hold or cannot fail vanish, and the rest says which octets to look at.

use super::ast::{Arith, Base, BinaryOp, Expr, Primitive, Relation, Size, Way};
use super::names::{ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_RARP, TCP};

/// What is known of a packet at a place in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// Its address family.
    pub(super) family: Family,
    /// It holds a TCP header, and the index register its offset from the network header.
    pub(super) tcp: bool,
    /// Only addresses and ports are known: what else is asked counts as fulfilled, asked straight or negated.
    /// For packets that an ICMP error quotes.
    pub(super) only_tuple: bool,
}

/// Address family, from the ethertype.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
    /// Neither: only asked by the tests that compile an expression alone, as libpcap does.
    #[cfg_attr(not(test), expect(dead_code, reason = "what is captured is IPv4 or IPv6"))]
    Other,
}

/// A condition on a packet of known family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cond {
    /// Known beforehand.
    Known(bool),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Compare {
        left: Value,
        op: Relation,
        right: Value,
    },
}

/// A number in a packet of known family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Const(u32),
    /// Octets of the frame on the wire.
    Len,
    /// The ethertype.
    EtherType,
    Load {
        place: Place,
        index: Box<Self>,
        size: Size,
    },
    Binary(BinaryOp, Box<Self>, Box<Self>),
    Negate(Box<Self>),
}

/// What the index of a load is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The network header, so many octets on.
    Network(u32),
    /// What follows the IPv4 header, whose length is read from it.
    BehindIpv4,
    /// The TCP header, whose offset the index register holds.
    Tcp,
}

impl Cond {
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(false), _) | (_, Self::Known(false)) => Self::Known(false),
            (Self::Known(true), cond) | (cond, Self::Known(true)) => cond,
            (left, right) => Self::And(Box::new(left), Box::new(right)),
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Known(true), _) | (_, Self::Known(true)) => Self::Known(true),
            (Self::Known(false), cond) | (cond, Self::Known(false)) => cond,
            (left, right) => Self::Or(Box::new(left), Box::new(right)),
        }
    }

    fn not(self) -> Self {
        match self {
            Self::Known(known) => Self::Known(!known),
            Self::Not(inner) => *inner,
            cond @ (Self::And(..) | Self::Or(..) | Self::Compare { .. }) => Self::Not(Box::new(cond)),
        }
    }

    fn compare(left: Value, op: Relation, right: Value) -> Self {
        if let (Value::Const(l), Value::Const(r)) = (&left, &right) {
            return Self::Known(op.holds(*l, *r));
        }
        Self::Compare { left, op, right }
    }

    pub(super) fn equal(left: Value, right: u32) -> Self {
        Self::compare(left, Relation::Equal, Value::Const(right))
    }

    /// Whether some number in it is computed in more than one step, so that the index register is overwritten.
    pub(super) fn overwrites_index(&self) -> bool {
        match self {
            Self::Known(_) => false,
            Self::And(left, right) | Self::Or(left, right) => {
                left.overwrites_index() || right.overwrites_index()
            }
            Self::Not(inner) => inner.overwrites_index(),
            Self::Compare { left, right, .. } => {
                left.overwrites_index() || right.overwrites_index() || !matches!(right, Value::Const(_))
            }
        }
    }
}

impl Value {
    pub(super) fn load(place: Place, index: u32, size: Size) -> Self {
        Self::Load { place, index: Box::new(Self::Const(index)), size }
    }

    pub(super) fn network(index: u32, size: Size) -> Self {
        Self::load(Place::Network(0), index, size)
    }

    pub(super) fn masked(self, mask: u32) -> Self {
        if mask == u32::MAX {
            return self;
        }
        Self::Binary(BinaryOp::And, Box::new(self), Box::new(Self::Const(mask)))
    }

    fn overwrites_index(&self) -> bool {
        match self {
            Self::Const(_) | Self::Len | Self::EtherType => false,
            Self::Negate(inner) => inner.overwrites_index(),
            Self::Load { index, .. } => !matches!(**index, Self::Const(_)),
            Self::Binary(_, left, right) => left.overwrites_index() || !matches!(**right, Self::Const(_)),
        }
    }
}

/// `expr` under `facts`.
pub(super) fn specialise(expr: &Expr, facts: Facts) -> Cond {
    reduce(expr, facts, true)
}

/// `straight` is false below an odd number of `not`.
fn reduce(expr: &Expr, facts: Facts, straight: bool) -> Cond {
    match expr {
        Expr::All => Cond::Known(true),
        Expr::And(left, right) => reduce(left, facts, straight).and(reduce(right, facts, straight)),
        Expr::Or(left, right) => reduce(left, facts, straight).or(reduce(right, facts, straight)),
        Expr::Not(inner) => reduce(inner, facts, !straight).not(),
        Expr::Test(Primitive::Relation { .. }) if facts.only_tuple => Cond::Known(straight),
        Expr::Test(primitive) => test(primitive, facts),
    }
}

fn test(primitive: &Primitive, facts: Facts) -> Cond {
    match primitive {
        Primitive::EtherType(wanted) => match facts.family {
            Family::V4 => Cond::Known(*wanted == ETHERTYPE_IPV4),
            Family::V6 => Cond::Known(*wanted == ETHERTYPE_IPV6),
            Family::Other => Cond::equal(Value::EtherType, u32::from(*wanted)),
        },
        Primitive::Protocol { v4, v6, number } => protocol(*v4, *v6, *number, facts),
        Primitive::Address4 { way, address, mask, arp } => {
            address4(*way, *address, *mask, *arp, facts.family)
        }
        Primitive::Address6 { way, address, mask } => {
            let known = Cond::Known(facts.family == Family::V6);
            known.and(by_way(*way, |src| address6(if src { 8 } else { 24 }, *address, *mask)))
        }
        Primitive::Ports { way, protocols, low, high } => ports(*way, protocols, *low, *high, facts),
        Primitive::Relation { left, op, right } => {
            let guarded = guard(left, facts).and(guard(right, facts));
            if guarded == Cond::Known(false) {
                return guarded;
            }
            guarded.and(Cond::compare(value(left, facts), *op, value(right, facts)))
        }
    }
}

fn by_way(way: Way, side: impl Fn(bool) -> Cond) -> Cond {
    match way {
        Way::Src => side(true),
        Way::Dst => side(false),
        Way::Either => side(true).or(side(false)),
        Way::Both => side(true).and(side(false)),
    }
}

/// The protocol of the packet. IPv6: the next header, or that behind a fragment header, as libpcap takes it;
/// where TCP is known to be there, other numbers can only be those of extension headers.
fn protocol(v4: bool, v6: bool, number: u8, facts: Facts) -> Cond {
    let is_extension = matches!(number, 0 | 43 | 44 | 60);
    match facts.family {
        Family::V4 if !v4 => Cond::Known(false),
        Family::V4 if facts.tcp => Cond::Known(number == TCP),
        Family::V4 => Cond::equal(Value::network(9, Size::Byte), u32::from(number)),
        Family::V6 if !v6 => Cond::Known(false),
        Family::V6 if facts.tcp && !is_extension => Cond::Known(number == TCP),
        Family::V6 => {
            let next = |index, number: u8| Cond::equal(Value::network(index, Size::Byte), u32::from(number));
            next(6, 44).and(next(40, number)).or(next(6, number))
        }
        Family::Other => Cond::Known(false),
    }
}

/// An IPv4 address in the header, or in ARP and RARP: there the sender's at 14 and the target's at 24 (RFC 826).
fn address4(way: Way, address: u32, mask: u32, arp: bool, family: Family) -> Cond {
    let at = |index| {
        if mask == 0 {
            return Cond::Known(true);
        }
        Cond::equal(Value::network(index, Size::Word).masked(mask), address)
    };
    match family {
        Family::V4 => by_way(way, |src| at(if src { 12 } else { 16 })),
        Family::Other if arp => {
            let arp = Cond::equal(Value::EtherType, u32::from(ETHERTYPE_ARP));
            let rarp = Cond::equal(Value::EtherType, u32::from(ETHERTYPE_RARP));
            arp.or(rarp).and(by_way(way, |src| at(if src { 14 } else { 24 })))
        }
        Family::V6 | Family::Other => Cond::Known(false),
    }
}

fn address6(offset: u32, address: u128, mask: u128) -> Cond {
    let mut all = Cond::Known(true);
    for index in 0..4u32 {
        let word = |of: u128| u32::try_from((of >> (96 - 32 * index)) & 0xffff_ffff).unwrap_or(0);
        let (wanted, mask) = (word(address), word(mask));
        if mask != 0 {
            all = all.and(Cond::equal(Value::network(offset + 4 * index, Size::Word).masked(mask), wanted));
        }
    }
    all
}

fn ports(way: Way, protocols: &[u8], low: u16, high: u16, facts: Facts) -> Cond {
    let between = |place| {
        by_way(way, |src| {
            let port = Value::load(place, if src { 0 } else { 2 }, Size::Half);
            let (low, high) = (u32::from(low), u32::from(high));
            if low == high {
                return Cond::equal(port, low);
            }
            let above = Cond::compare(port.clone(), Relation::GreaterEqual, Value::Const(low));
            above.and(Cond::compare(port, Relation::LessEqual, Value::Const(high)))
        })
    };
    if facts.tcp {
        return Cond::Known(protocols.contains(&TCP)).and(between(Place::Tcp));
    }
    let is_one_of = |index| {
        protocols.iter().fold(Cond::Known(false), |any, number| {
            any.or(Cond::equal(Value::network(index, Size::Byte), u32::from(*number)))
        })
    };
    match facts.family {
        Family::V4 => is_one_of(9).and(first_fragment()).and(between(Place::BehindIpv4)),
        Family::V6 => is_one_of(6).and(between(Place::Network(40))),
        Family::Other => Cond::Known(false),
    }
}

/// The packet is not fragmented, or is the first fragment: the fragment offset is 0 (RFC 791 §3.1).
pub(super) fn first_fragment() -> Cond {
    Cond::equal(Value::network(6, Size::Half).masked(0x1fff), 0)
}

/// What must hold for the accessors of `arith` to mean anything.
fn guard(arith: &Arith, facts: Facts) -> Cond {
    match arith {
        Arith::Const(_) | Arith::Len => Cond::Known(true),
        Arith::Negate(inner) => guard(inner, facts),
        Arith::Binary(_, left, right) => guard(left, facts).and(guard(right, facts)),
        Arith::Load { base, index, .. } => {
            let own = match base {
                Base::Ip => Cond::Known(facts.family == Family::V4),
                Base::Ip6 => Cond::Known(facts.family == Family::V6),
                Base::Icmp6 => {
                    let direct = Cond::equal(Value::network(6, Size::Byte), 58);
                    Cond::Known(facts.family == Family::V6 && !facts.tcp).and(direct)
                }
                Base::Transport4(number) if facts.tcp => {
                    Cond::Known(facts.family == Family::V4 && *number == TCP)
                }
                Base::Transport4(number) => {
                    let it = Cond::equal(Value::network(9, Size::Byte), u32::from(*number));
                    Cond::Known(facts.family == Family::V4).and(it).and(first_fragment())
                }
            };
            own.and(guard(index, facts))
        }
    }
}

fn value(arith: &Arith, facts: Facts) -> Value {
    match arith {
        Arith::Const(number) => Value::Const(*number),
        Arith::Len => Value::Len,
        Arith::Negate(inner) => Value::Negate(Box::new(value(inner, facts))),
        Arith::Binary(op, left, right) => {
            Value::Binary(*op, Box::new(value(left, facts)), Box::new(value(right, facts)))
        }
        Arith::Load { base, index, size } => {
            let place = match base {
                Base::Ip | Base::Ip6 => Place::Network(0),
                Base::Icmp6 => Place::Network(40),
                Base::Transport4(_) if facts.tcp => Place::Tcp,
                Base::Transport4(_) => Place::BehindIpv4,
            };
            Value::Load { place, index: Box::new(value(index, facts)), size: *size }
        }
    }
}
