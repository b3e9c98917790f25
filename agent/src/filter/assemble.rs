//! Whole programs around an expression.

use super::ast::Expr;
use super::emit::{Emitter, Exits, Label, TCP_SLOT, TooDeep};
use super::names::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, TCP};
use super::program::{Instruction, code};
use super::specialise::{Cond, Facts, Family, specialise};

/// How many IPv6 extension headers are followed to TCP. The kernel's BIG TCP sends one; more than three occur
/// only in attacks, and those packets are then not captured.
pub(super) const MAX_EXTENSION_HEADERS: usize = 3;

/// Why an expression gives no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// More instructions than the kernel takes.
    TooLong(usize),
    /// Arithmetic that needs more scratch slots than the machine has.
    TooDeep,
}

impl From<TooDeep> for Refused {
    fn from(_: TooDeep) -> Self {
        Self::TooDeep
    }
}

/// Scratch slot for the next header while the offset moves on.
const NEXT_HEADER_SLOT: u32 = 1;
/// `PACKET_OUTGOING` (`linux/if_packet.h`).
const OUTGOING: u32 = 4;
/// ICMP errors (RFC 1122 §3.2.2): all that quote the packet they are about.
const ICMP_ERRORS: [u32; 5] = [3, 4, 5, 11, 12];
/// Next headers of a quoted IPv6 packet that may lead to TCP.
const TOWARDS_TCP: [u32; 5] = [TCP as u32, 0, 43, 44, 60];

/// The program for a capture: (TCP and `expr`), or an ICMP error that quotes TCP, or a later fragment of TCP.
/// It returns `snaplen` for what is captured.
pub(super) fn attached(expr: &Expr, snaplen: u32) -> Result<Vec<Instruction>, Refused> {
    let facts = |family| Facts { family, tcp: true, only_tuple: false };
    let (v4, v6) = (specialise(expr, facts(Family::V4)), specialise(expr, facts(Family::V6)));
    let mut out = Emitter::default();
    out.reload = v4.overwrites_index() || v6.overwrites_index();
    let no = out.before(code::RET, 0);
    let yes = out.before(code::RET, snaplen);
    let exits = Exits { yes, no };
    let (body4, body6) = bodies(&mut out, &v4, &v6, exits)?;
    let v6 = ipv6(&mut out, body6, exits);
    let v4 = ipv4(&mut out, body4, exits);
    let entry = by_ethertype(&mut out, v4, v6, no);
    limited(out.finish(entry))
}

/// The program for a packet made from a quoted four-tuple: raw IP with the fixed header and TCP behind it.
pub(super) fn quoted(expr: &Expr) -> Result<Vec<Instruction>, Refused> {
    let facts = |family| Facts { family, tcp: true, only_tuple: true };
    let (v4, v6) = (specialise(expr, facts(Family::V4)), specialise(expr, facts(Family::V6)));
    let mut out = Emitter::default();
    let no = out.before(code::RET, 0);
    let yes = out.before(code::RET, u32::MAX);
    let (body4, body6) = bodies(&mut out, &v4, &v6, Exits { yes, no })?;
    let v6 = out.before_label(body6, code::LDX_IMM, 40);
    let v4 = out.before_label(body4, code::LDX_IMM, 20);
    let v6 = out.jump(code::JEQ, u32::from(ETHERTYPE_IPV6), Exits { yes: v6, no });
    out.jump(code::JEQ, u32::from(ETHERTYPE_IPV4), Exits { yes: v4, no: v6 });
    let entry = out.before(code::LD_W_ABS, code::ETHERTYPE);
    limited(out.finish(entry))
}

/// The program for the expression alone, as libpcap would compile it.
#[cfg(test)]
pub(super) fn bare(expr: &Expr) -> Result<Vec<Instruction>, Refused> {
    let cond = |family| specialise(expr, Facts { family, tcp: false, only_tuple: false });
    let mut out = Emitter::default();
    let no = out.before(code::RET, 0);
    let yes = out.before(code::RET, u32::MAX);
    let exits = Exits { yes, no };
    let other = out.cond(&cond(Family::Other), exits)?;
    let v6 = out.cond(&cond(Family::V6), exits)?;
    let v4 = out.cond(&cond(Family::V4), exits)?;
    let rest = out.jump(code::JEQ, u32::from(ETHERTYPE_IPV6), Exits { yes: v6, no: other });
    out.jump(code::JEQ, u32::from(ETHERTYPE_IPV4), Exits { yes: v4, no: rest });
    let entry = out.before(code::LD_W_ABS, code::ETHERTYPE);
    limited(out.finish(entry))
}

/// A program that captures nothing: attached while a socket is being bound.
pub(super) fn nothing() -> Vec<Instruction> {
    vec![Instruction { code: code::RET, jt: 0, jf: 0, k: 0 }]
}

fn limited(instructions: Vec<Instruction>) -> Result<Vec<Instruction>, Refused> {
    if instructions.len() > code::MAX_INSTRUCTIONS {
        return Err(Refused::TooLong(instructions.len()));
    }
    Ok(instructions)
}

/// The expression for TCP over IPv4 and over IPv6, entered with the TCP header's offset in the index register.
/// Where both families leave the same of it, as for `port 80`, it is written once.
fn bodies(out: &mut Emitter, v4: &Cond, v6: &Cond, exits: Exits) -> Result<(Label, Label), Refused> {
    let saved = |out: &mut Emitter, body| {
        if out.reload { out.before_label(body, code::STX, TCP_SLOT) } else { body }
    };
    let body4 = out.cond(v4, exits)?;
    let body4 = saved(out, body4);
    if v4 == v6 {
        return Ok((body4, body4));
    }
    let body6 = out.cond(v6, exits)?;
    Ok((body4, saved(out, body6)))
}

/// The entry: which family. A tag that stands in an outgoing frame, because the device cannot insert it, is
/// looked through; the kernel's network header is behind it. (A tag in an incoming frame is an inner one: the
/// kernel took the outer off, and its network header is the tag.)
fn by_ethertype(out: &mut Emitter, v4: Label, v6: Label, no: Label) -> Label {
    let select = |out: &mut Emitter, otherwise| {
        let rest = out.jump(code::JEQ, u32::from(ETHERTYPE_IPV6), Exits { yes: v6, no: otherwise });
        out.jump(code::JEQ, u32::from(ETHERTYPE_IPV4), Exits { yes: v4, no: rest })
    };
    select(out, no);
    let inner = out.before(code::LD_H_ABS, 16);
    out.jump(code::JEQ, OUTGOING, Exits { yes: inner, no });
    let tagged = out.before(code::LD_W_ABS, code::PACKET_TYPE);
    let qinq = out.jump(code::JEQ, 0x88a8, Exits { yes: tagged, no });
    let vlan = out.jump(code::JEQ, 0x8100, Exits { yes: tagged, no: qinq });
    select(out, vlan);
    out.before(code::LD_W_ABS, code::ETHERTYPE)
}

fn ipv4(out: &mut Emitter, tcp: Label, Exits { yes, no }: Exits) -> Label {
    let icmp = icmp4(out, Exits { yes, no });
    let tcp = out.before_label(tcp, code::LDX_MSH, code::NET);
    out.jump(code::JSET, 0x1fff, Exits { yes, no: tcp });
    let tcp = out.before(code::LD_H_ABS, code::NET + 6);
    let icmp = out.jump(code::JEQ, 1, Exits { yes: icmp, no });
    out.jump(code::JEQ, u32::from(TCP), Exits { yes: tcp, no: icmp });
    out.before(code::LD_B_ABS, code::NET + 9)
}

/// An ICMP error in a first fragment that quotes TCP: its type, then the protocol of the quoted header.
fn icmp4(out: &mut Emitter, Exits { yes, no }: Exits) -> Label {
    out.jump(code::JEQ, u32::from(TCP), Exits { yes, no });
    let is_error = out.before(code::LD_B_IND, code::NET + 8 + 9);
    any_of(out, &ICMP_ERRORS, Exits { yes: is_error, no });
    out.before(code::LD_B_IND, code::NET);
    let first = out.before(code::LDX_MSH, code::NET);
    out.jump(code::JSET, 0x1fff, Exits { yes: no, no: first });
    out.before(code::LD_H_ABS, code::NET + 6)
}

fn any_of(out: &mut Emitter, numbers: &[u32], Exits { yes, no }: Exits) -> Label {
    numbers.iter().rev().fold(no, |rest, number| out.jump(code::JEQ, *number, Exits { yes, no: rest }))
}

/// Follows the headers: the accumulator holds the next header's number, the index register its offset.
fn ipv6(out: &mut Emitter, tcp: Label, exits: Exits) -> Label {
    let no = exits.no;
    let icmp = icmp6(out, exits);
    let fragment = fragment6(out, tcp, exits);
    let mut this = no;
    for followed in (0..=MAX_EXTENSION_HEADERS).rev() {
        let further = if followed == MAX_EXTENSION_HEADERS { no } else { over_extension(out, this) };
        let rest = any_of(out, &[0, 43, 60], Exits { yes: further, no });
        let rest = out.jump(code::JEQ, 44, Exits { yes: fragment, no: rest });
        let rest = out.jump(code::JEQ, 58, Exits { yes: icmp, no: rest });
        this = out.jump(code::JEQ, u32::from(TCP), Exits { yes: tcp, no: rest });
    }
    out.before_label(this, code::LD_B_ABS, code::NET + 6);
    out.before(code::LDX_IMM, 40)
}

/// Steps over an extension header (RFC 8200 §4.2): its length counts eight octets, the first not included.
fn over_extension(out: &mut Emitter, next: Label) -> Label {
    out.before_label(next, code::LD_MEM, NEXT_HEADER_SLOT);
    out.before(code::TAX, 0);
    out.before(code::ALU | code::X, 0);
    out.before(code::ALU + 0x60, 3);
    out.before(code::ALU, 1);
    out.before(code::LD_B_IND, code::NET + 1);
    out.before(code::ST, NEXT_HEADER_SLOT);
    out.before(code::LD_B_IND, code::NET)
}

/// A fragment header (RFC 8200 §4.5): TCP stands behind the first one, and in a later one only its number.
fn fragment6(out: &mut Emitter, tcp: Label, Exits { yes, no }: Exits) -> Label {
    out.before_label(tcp, code::TAX, 0);
    out.before(code::ALU, 8);
    let behind = out.before(code::TXA, 0);
    out.jump(code::JEQ, u32::from(TCP), Exits { yes: behind, no });
    let first = out.before(code::LD_B_IND, code::NET);
    out.jump(code::JEQ, u32::from(TCP), Exits { yes, no });
    let later = out.before(code::LD_B_IND, code::NET);
    out.jump(code::JSET, 0xfff8, Exits { yes: later, no: first });
    out.before(code::LD_H_IND, code::NET + 2)
}

/// An `ICMPv6` error (RFC 4443 §2.1: types below 128; those in use are 1 to 4) whose quoted packet is TCP or may
/// be.
fn icmp6(out: &mut Emitter, Exits { yes, no }: Exits) -> Label {
    any_of(out, &TOWARDS_TCP, Exits { yes, no });
    let is_error = out.before(code::LD_B_IND, code::NET + 8 + 6);
    any_of(out, &[1, 2, 3, 4], Exits { yes: is_error, no });
    out.before(code::LD_B_IND, code::NET)
}
