//! Parses relations between numbers: `tcp[tcpflags] & tcp-syn != 0`, `len > 100`.

use super::ast::{Arith, BinaryOp, Expr, Primitive, Relation, Size};
use super::error::Fault;
use super::lexer::{Kind, Symbol};
use super::names;
use super::parser::Parser;

/// Largest constant index of an accessor: no header is longer, and the kernel's offsets of the network header
/// keep clear of its other ranges.
const MAX_INDEX: u32 = 0xffff;

/// `less n` or `greater n` as a test; both include `n`.
pub(super) fn length_test(less: bool, bound: u32) -> Primitive {
    let op = if less { Relation::LessEqual } else { Relation::GreaterEqual };
    Primitive::Relation { left: Arith::Len, op, right: Arith::Const(bound) }
}

/// Whether a relation begins here, and not a test made of words.
pub(super) fn begins(parser: &Parser<'_>) -> bool {
    match parser.peek_at(0) {
        Some(Kind::Symbol(Symbol::Minus) | Kind::Word("len")) => true,
        Some(Kind::Symbol(Symbol::Open)) => operator_follows_parenthesis(parser),
        Some(Kind::Word(word)) => match parser.peek_at(1) {
            Some(Kind::Symbol(Symbol::OpenBracket)) => true,
            // Behind `net 10/8 or` a number with a slash is a network.
            Some(Kind::Symbol(symbol)) => {
                constant(word).is_some()
                    && is_operator(symbol)
                    && !(symbol == Symbol::Slash && parser.can_reuse())
            }
            Some(_) | None => false,
        },
        Some(_) | None => false,
    }
}

/// Whether the parenthesis that opens here is closed before an operator: `(tcp[12] & 0xf0) >> 2 > 5`.
fn operator_follows_parenthesis(parser: &Parser<'_>) -> bool {
    let mut depth = 0u32;
    let mut ahead = 0;
    while let Some(kind) = parser.peek_at(ahead) {
        if kind == Kind::Symbol(Symbol::Open) {
            depth += 1;
        } else if kind == Kind::Symbol(Symbol::Close) {
            depth -= 1;
            if depth == 0 {
                return matches!(parser.peek_at(ahead + 1), Some(Kind::Symbol(symbol)) if is_operator(symbol));
            }
        }
        ahead += 1;
    }
    false
}

fn is_operator(symbol: Symbol) -> bool {
    precedence(symbol).is_some() || relation_of(symbol).is_some()
}

/// How tightly an operator binds, and what it does. As in pcap-filter's grammar: `|`, then `&`, shifts, sums,
/// products; `^`, to which that grammar gives no place, stands with `|`.
fn precedence(symbol: Symbol) -> Option<(u8, BinaryOp)> {
    let [or, and, shift, sum, product] = [0, 1, 2, 3, 4];
    if symbol == Symbol::Pipe {
        Some((or, BinaryOp::Or))
    } else if symbol == Symbol::Caret {
        Some((or, BinaryOp::Xor))
    } else if symbol == Symbol::Amp {
        Some((and, BinaryOp::And))
    } else if symbol == Symbol::ShiftLeft {
        Some((shift, BinaryOp::ShiftLeft))
    } else if symbol == Symbol::ShiftRight {
        Some((shift, BinaryOp::ShiftRight))
    } else if symbol == Symbol::Plus {
        Some((sum, BinaryOp::Add))
    } else if symbol == Symbol::Minus {
        Some((sum, BinaryOp::Sub))
    } else if symbol == Symbol::Star {
        Some((product, BinaryOp::Mul))
    } else if symbol == Symbol::Slash {
        Some((product, BinaryOp::Div))
    } else if symbol == Symbol::Percent {
        Some((product, BinaryOp::Mod))
    } else {
        None
    }
}

fn relation_of(symbol: Symbol) -> Option<Relation> {
    const SIGNS: [(Symbol, Relation); 6] = [
        (Symbol::Equal, Relation::Equal),
        (Symbol::NotEqual, Relation::NotEqual),
        (Symbol::Less, Relation::Less),
        (Symbol::LessEqual, Relation::LessEqual),
        (Symbol::Greater, Relation::Greater),
        (Symbol::GreaterEqual, Relation::GreaterEqual),
    ];
    SIGNS.iter().find(|(sign, _)| *sign == symbol).map(|(_, relation)| *relation)
}

/// A relation, from its first number on.
pub(super) fn relation(parser: &mut Parser<'_>) -> Result<Expr, Fault> {
    let left = sum(parser, 0)?;
    let op = match parser.peek_at(0) {
        Some(Kind::Symbol(symbol)) => relation_of(symbol),
        Some(_) | None => None,
    };
    let Some(op) = op else {
        return Err(parser.fault("a comparison is missing here").help("for example `tcp[13] & 2 != 0`"));
    };
    parser.advance();
    let right = sum(parser, 0)?;
    Ok(Expr::Test(Primitive::Relation { left, op, right }))
}

/// Operators that bind at least as tightly as `at_least`, left to right.
fn sum(parser: &mut Parser<'_>, at_least: u8) -> Result<Arith, Fault> {
    let mut left = operand(parser)?;
    while let Some(Kind::Symbol(symbol)) = parser.peek_at(0) {
        let Some((level, op)) = precedence(symbol).filter(|(level, _)| *level >= at_least) else { break };
        parser.advance();
        let at = parser.fault("");
        let right = parser.deeper(|parser| sum(parser, level + 1))?;
        left = combine(op, left, right, at)?;
    }
    Ok(left)
}

fn combine(op: BinaryOp, left: Arith, right: Arith, at: Fault) -> Result<Arith, Fault> {
    let zero_divisor = matches!(op, BinaryOp::Div | BinaryOp::Mod) && right == Arith::Const(0);
    if zero_divisor {
        return Err(Fault { message: "division by zero".to_owned(), ..at });
    }
    let shifts = matches!(op, BinaryOp::ShiftLeft | BinaryOp::ShiftRight);
    if let Arith::Const(by @ 32..) = right
        && shifts
    {
        return Err(Fault { message: format!("shift by {by}, which is more than 31 bits"), ..at });
    }
    if let (Arith::Const(l), Arith::Const(r)) = (&left, &right)
        && let Some(value) = op.fold(*l, *r)
    {
        return Ok(Arith::Const(value));
    }
    Ok(Arith::Binary(op, Box::new(left), Box::new(right)))
}

fn operand(parser: &mut Parser<'_>) -> Result<Arith, Fault> {
    if parser.take(Symbol::Minus) {
        let negated = parser.deeper(operand)?;
        if let Arith::Const(value) = negated {
            return Ok(Arith::Const(value.wrapping_neg()));
        }
        return Ok(Arith::Negate(Box::new(negated)));
    }
    if parser.take(Symbol::Open) {
        let inner = parser.deeper(|parser| sum(parser, 0))?;
        return if parser.take(Symbol::Close) { Ok(inner) } else { Err(parser.fault("`)` is missing here")) };
    }
    match parser.word() {
        Some("len") => {
            parser.advance();
            Ok(Arith::Len)
        }
        Some(word) if parser.peek_at(1) == Some(Kind::Symbol(Symbol::OpenBracket)) => accessor(parser, word),
        Some(_) | None => number(parser).map(Arith::Const),
    }
}

fn accessor(parser: &mut Parser<'_>, word: &str) -> Result<Arith, Fault> {
    let Some(base) = names::accessor(word) else {
        let fault = parser.fault(format!("`{word}[…]` is not supported"));
        return Err(fault.help("accessors are ip[…], ip6[…], tcp[…], udp[…], icmp[…], icmp6[…], sctp[…]"));
    };
    parser.advance();
    parser.advance();
    let at = parser.fault(format!("an index is below {MAX_INDEX}: no header is longer"));
    let index = parser.deeper(|parser| sum(parser, 0))?;
    if matches!(index, Arith::Const(MAX_INDEX..)) {
        return Err(at);
    }
    let size = if parser.take(Symbol::Colon) { size(parser)? } else { Size::Byte };
    if !parser.take(Symbol::CloseBracket) {
        return Err(parser.fault("`]` is missing here"));
    }
    Ok(Arith::Load { base, index: Box::new(index), size })
}

fn size(parser: &mut Parser<'_>) -> Result<Size, Fault> {
    let at = parser.fault("the size of an accessor is 1, 2 or 4");
    match number(parser)? {
        1 => Ok(Size::Byte),
        2 => Ok(Size::Half),
        4 => Ok(Size::Word),
        _ => Err(at),
    }
}

/// A number or a named constant.
pub(super) fn number(parser: &mut Parser<'_>) -> Result<u32, Fault> {
    let Some(word) = parser.word() else { return Err(parser.fault("a number is expected here")) };
    let Some(value) = constant(word) else {
        let fault = parser.fault(format!("`{word}` is not a number"));
        let joined = word.contains('-') && word.starts_with(|c: char| c.is_ascii_digit());
        return Err(if joined { fault.help("write blanks around the minus sign") } else { fault });
    };
    parser.advance();
    Ok(value)
}

fn constant(word: &str) -> Option<u32> {
    integer(word).or_else(|| names::constant(word))
}

/// A number as C writes it: decimal, `0x` hexadecimal, leading `0` octal.
pub(super) fn integer(word: &str) -> Option<u32> {
    if let Some(hex) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok();
    }
    let octal = word.len() > 1 && word.starts_with('0');
    u32::from_str_radix(word, if octal { 8 } else { 10 }).ok()
}
