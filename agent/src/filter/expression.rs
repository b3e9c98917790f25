//! A filter as its users have it: parsed once, compiled once.

use super::assemble::{self, Refused};
use super::ast::Expr;
use super::error::{Fault, FilterError};
use super::exclude::Exclusion;
use super::interpreter::Packet;
use super::names::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, TCP};
use super::parser;
use super::program::{Instruction, Program, code};
use correlate_proto::{FourTuple, IcmpError};
use std::net::IpAddr;

/// Octets of a packet that are captured unless asked otherwise. The longest headers that matter are those of an
/// `ICMPv6` error: Ethernet 14, IPv6 40, `ICMPv6` 8, quoted IPv6 40, quoted TCP 60; and 30 for tags and an
/// extension header.
pub const DEFAULT_SNAPLEN: u32 = 192;

/// Octets that a program for files returns: whole frames, as tcpdump's default snaplen.
const WHOLE: u32 = 262_144;

/// Most exclusions of one filter: an agent has one coordinator and a handful of ssh connections.
const MAX_EXCLUSIONS: usize = 64;

/// A compiled capture filter.
#[derive(Debug, Clone)]
pub struct Filter {
    text: String,
    expr: Expr,
    program: Program,
    quoted: Program,
}

impl Filter {
    /// Compiles `words`, which are pcap-filter(7) syntax. Nothing but blanks matches every TCP packet.
    ///
    /// What is captured is (TCP and the filter), or ICMP errors that quote TCP (which of those belong to the
    /// filter, [`Self::matches_quoted`] tells), or later fragments of TCP, which hold no ports.
    pub fn parse(words: &str) -> Result<Self, FilterError> {
        let expr = parser::parse(words).map_err(|fault| fault.within(words))?;
        Self::compile(words, expr)
    }

    /// The filter that matches every TCP packet.
    pub fn all_tcp() -> Self {
        let program = |made: Result<Vec<Instruction>, Refused>| {
            Program::new(made.unwrap_or_else(|_| assemble::nothing()))
        };
        // The empty expression is far below every limit; a test holds it to that.
        let (program, quoted) =
            (program(assemble::attached(&Expr::All, WHOLE)), program(assemble::quoted(&Expr::All)));
        Self { text: String::new(), expr: Expr::All, program, quoted }
    }

    fn compile(text: &str, expr: Expr) -> Result<Self, FilterError> {
        let refused = |refused: Refused| refusal(refused, text);
        let program = Program::new(assemble::attached(&expr, WHOLE).map_err(refused)?);
        let quoted = Program::new(assemble::quoted(&expr).map_err(refused)?);
        Ok(Self { text: text.trim().to_owned(), expr, program, quoted })
    }

    /// This filter without the traffic of `exclusions`. Later fragments of that traffic still pass.
    pub fn excluding(&self, exclusions: &[Exclusion]) -> Result<Self, FilterError> {
        if exclusions.len() > MAX_EXCLUSIONS {
            let message = format!("{} exclusions, of which {MAX_EXCLUSIONS} are possible", exclusions.len());
            return Err(Fault::new(0, 0, message)
                .help("exclude a port instead of its connections")
                .within(&self.text));
        }
        let expr = exclusions.iter().fold(self.expr.clone(), |expr, exclusion| {
            Expr::And(Box::new(Expr::Not(Box::new(exclusion.expr()))), Box::new(expr))
        });
        Self::compile(&self.text, expr)
    }

    /// The expression as it was given, without blanks around it; empty if it matches every TCP packet.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The program, which takes frames whole.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The program, which takes at most `snaplen` octets of a frame; 0 is taken for 1.
    pub fn program_with_snaplen(&self, snaplen: u32) -> Program {
        let cut = |instruction: &Instruction| {
            let accepts = instruction.code == code::RET && instruction.k != 0;
            if accepts { Instruction { k: snaplen.max(1), ..*instruction } } else { *instruction }
        };
        Program::new(self.program.instructions().iter().map(cut).collect())
    }

    /// A program that takes nothing.
    pub fn nothing() -> Program {
        Program::new(assemble::nothing())
    }

    /// Whether the packet that `error` quotes is one that this filter is about. Addresses and ports decide,
    /// in the direction that the quoted packet travelled; of flags and lengths, which the quote may lack,
    /// the best is assumed.
    pub fn matches_quoted(&self, error: &IcmpError) -> bool {
        let (bytes, ethertype) = minimal_packet(&error.quoted);
        let packet = Packet { bytes: &bytes, network: 0, ethertype, wire_len: error.quoted_ip_len };
        self.quoted.run(&packet) != 0
    }
}

fn refusal(refused: Refused, text: &str) -> FilterError {
    let fault = match refused {
        Refused::TooLong(len) => Fault::new(
            0,
            text.len(),
            format!("the filter needs {len} instructions; {} are possible", code::MAX_INSTRUCTIONS),
        )
        .help("join addresses to networks and ports to ranges"),
        Refused::TooDeep => {
            Fault::new(0, text.len(), "the arithmetic is nested too deep for the kernel's machine")
                .help("move constants to the right: `tcp[0] + 1` for `1 + tcp[0]`")
        }
    };
    fault.within(text)
}

/// An IP and TCP header with nothing but the four-tuple in it.
fn minimal_packet(tuple: &FourTuple) -> ([u8; 60], u16) {
    let mut bytes = [0u8; 60];
    let (tcp, ethertype) = match (tuple.src.addr, tuple.dst.addr) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            bytes[0] = 0x45;
            bytes[9] = TCP;
            bytes[12..16].copy_from_slice(&src.octets());
            bytes[16..20].copy_from_slice(&dst.octets());
            (20, ETHERTYPE_IPV4)
        }
        (src, dst) => {
            let octets = |addr: IpAddr| match addr {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                IpAddr::V6(v6) => v6.octets(),
            };
            bytes[0] = 0x60;
            bytes[6] = TCP;
            bytes[8..24].copy_from_slice(&octets(src));
            bytes[24..40].copy_from_slice(&octets(dst));
            (40, ETHERTYPE_IPV6)
        }
    };
    bytes[tcp..tcp + 2].copy_from_slice(&tuple.src.port.to_be_bytes());
    bytes[tcp + 2..tcp + 4].copy_from_slice(&tuple.dst.port.to_be_bytes());
    (bytes, ethertype)
}
