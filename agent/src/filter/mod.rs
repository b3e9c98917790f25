//! Capture filters: the practical core of pcap-filter(7), compiled to classic BPF that does not depend on the
//! link type, for the kernel, and the same program interpreted over files.
//!
//! The way of an expression: [`lexer`] → [`parser`] → [`ast`] → [`specialise`] (what is left of it once the
//! address family and the protocol are known) → [`emit`] (instructions) → [`assemble`] (whole programs).
//!
//! What differs from libpcap, on purpose:
//! * names are never resolved; only a small table of service names is known ([`names`]);
//! * a tag of 802.1Q is looked through, as the kernel takes it off before a capture sees the frame;
//! * the attached program follows up to [`assemble::MAX_EXTENSION_HEADERS`] IPv6 extension headers to TCP (the
//!   kernel itself sends a hop-by-hop header with BIG TCP), where `port` of libpcap wants TCP directly behind
//!   the fixed header;
//! * every accessor is guarded by its protocol; libpcap forgets the guard of the right operand of an
//!   arithmetic operator (`len - ip[2:2]` there reads IPv6 packets too).
//!
//! What is kept although it surprises: `and` and `or` have the same precedence and associate to the left, and
//! `tcp[…]` looks at IPv4 only.

mod arithmetic;
mod assemble;
mod ast;
mod emit;
mod error;
mod exclude;
mod expression;
mod interpreter;
mod lexer;
mod link;
mod names;
mod parser;
mod program;
mod specialise;
mod value;

#[cfg(test)]
mod differential_tests;
#[cfg(test)]
mod kernel_tests;
#[cfg(test)]
mod test_packets;
#[cfg(test)]
mod tests;

pub use error::FilterError;
pub use exclude::Exclusion;
pub use expression::{DEFAULT_SNAPLEN, Filter};
pub use link::network_offset;
pub use program::{Instruction, MAX_INTERFACES, Program};
