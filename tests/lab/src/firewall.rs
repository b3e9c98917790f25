//! A host's own firewall: the few `nf_tables` requests that the lab needs (`linux/netfilter/nf_tables.h`).

use crate::netlink::Message;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;

/// How a firewall turns away what comes for a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// With a reset, as if nothing listened.
    Reset,
    /// With an ICMP error "port unreachable".
    Unreachable,
}

const SUBSYSTEM: u16 = 10; // NFNL_SUBSYS_NFTABLES
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = (SUBSYSTEM << 8) | 3;
const NEW_RULE: u16 = (SUBSYSTEM << 8) | 6;
const INET: u8 = 1; // NFPROTO_INET
const REGISTER: u32 = 1;
const CREATE: u16 = 0x400;
const ACK: u16 = 0x4;
const APPEND: u16 = 0x800;

/// The name of everything that is made.
const NAME: &[u8] = b"lab\0";

/// Lets the firewall of the calling thread's namespace turn away all TCP to `port`, behind its capture points. Answers
/// leave by way of the stack: captures at the host show them.
pub(crate) fn refuse(port: u16, how: Refusal) -> io::Result<()> {
    let mut rule = message(NEW_RULE, CREATE | APPEND | ACK, INET);
    rule.attribute(1, NAME);
    rule.attribute(2, NAME);
    rule.nest(4, |list| {
        expression(list, b"meta\0", |data| {
            data.attribute(1, &REGISTER.to_be_bytes());
            data.attribute(2, &16u32.to_be_bytes()); // NFT_META_L4PROTO
        });
        equals(list, &[6]);
        expression(list, b"payload\0", |data| {
            // Two octets of the transport header from the third on: the destination port.
            for (kind, value) in [(1, REGISTER), (2, 2), (3, 2), (4, 2)] {
                data.attribute(kind, &value.to_be_bytes());
            }
        });
        equals(list, &port.to_be_bytes());
        expression(list, b"reject\0", |data| match how {
            Refusal::Reset => data.attribute(1, &1u32.to_be_bytes()),
            Refusal::Unreachable => {
                data.attribute(1, &2u32.to_be_bytes()); // for either version of IP
                data.attribute(2, &[1]); // port unreachable
            }
        });
    });
    let begin = message(BATCH_BEGIN, 0, 0);
    let end = message(BATCH_END, 0, 0);
    ask(&[begin, table(), chain(), rule, end].map(Message::finish).concat())
}

fn table() -> Message {
    let mut table = message(NEW_TABLE, CREATE, INET);
    table.attribute(1, NAME);
    table
}

fn chain() -> Message {
    let mut chain = message(NEW_CHAIN, CREATE, INET);
    chain.attribute(1, NAME);
    chain.attribute(3, NAME);
    chain.nest(4, |hook| {
        hook.attribute(1, &1u32.to_be_bytes()); // NF_INET_LOCAL_IN
        hook.attribute(2, &0u32.to_be_bytes()); // priority
    });
    chain.attribute(7, b"filter\0");
    chain
}

/// A message with its `nfgenmsg`.
fn message(kind: u16, flags: u16, family: u8) -> Message {
    let mut message = Message::new(kind, flags);
    let of = if family == 0 { SUBSYSTEM } else { 0 };
    message.put(&[family, 0]);
    message.put(&of.to_be_bytes());
    message
}

fn expression(list: &mut Message, name: &[u8], fill: impl FnOnce(&mut Message)) {
    list.nest(1, |element| {
        element.attribute(1, name);
        element.nest(2, fill);
    });
}

/// What was loaded last is this.
fn equals(list: &mut Message, value: &[u8]) {
    expression(list, b"cmp\0", |data| {
        data.attribute(1, &REGISTER.to_be_bytes());
        data.attribute(2, &0u32.to_be_bytes()); // NFT_CMP_EQ
        data.nest(3, |operand| operand.attribute(1, value));
    });
}

/// Sends a batch and reads the first answer: an error of any of its messages, or the rule's acknowledgement.
fn ask(batch: &[u8]) -> io::Result<()> {
    let netfilter = Protocol::from(libc::NETLINK_NETFILTER);
    let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(netfilter))?;
    socket.send(batch)?;
    crate::netlink::answer(&socket)
}
