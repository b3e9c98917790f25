//! Parses the value behind qualifiers: an address, a network, a port, a protocol.

use super::arithmetic;
use super::ast::{Expr, Primitive};
use super::error::Fault;
use super::lexer::{Kind, Symbol};
use super::names::{self, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_RARP, Protocol};
use super::parser::{Parser, Qualifiers, ValueKind};
use std::net::Ipv6Addr;

/// Protocols with ports, as pcap-filter's unqualified `port` takes them.
const WITH_PORTS: &[u8] = &[6, 17, 132];

/// Parses one value.
pub(super) fn parse(parser: &mut Parser<'_>, qualifiers: Qualifiers) -> Result<Expr, Fault> {
    match qualifiers.kind {
        ValueKind::Host | ValueKind::Net => address(parser, qualifiers),
        ValueKind::Port | ValueKind::PortRange => ports(parser, qualifiers),
        ValueKind::Proto => protocol(parser, qualifiers),
    }
    .map(Expr::Test)
}

/// Whether `word` is an IPv4 address or the beginning of one.
pub(super) fn looks_like_address(word: &str) -> bool {
    word.contains('.') && dotted(word).is_some()
}

fn address(parser: &mut Parser<'_>, qualifiers: Qualifiers) -> Result<Primitive, Fault> {
    let here = parser.fault("");
    match parser.peek().map(|token| token.kind) {
        Some(Kind::V6(found)) => {
            parser.advance();
            address6(parser, qualifiers, found, here)
        }
        Some(Kind::Word(word)) if dotted(word).is_some() => {
            parser.advance();
            address4(parser, qualifiers, word, here)
        }
        Some(Kind::Word(name) | Kind::Escaped(name)) => Err(Fault {
            message: format!("`{name}` is not an address"),
            help: Some(
                "names are not resolved, so that both ends filter the same; write the address".to_owned(),
            ),
            ..here
        }),
        Some(Kind::Mac(_)) => Err(Fault {
            message: "link-layer addresses are not supported".to_owned(),
            help: Some("use the IP address".to_owned()),
            ..here
        }),
        Some(Kind::Symbol(_)) | None => {
            Err(Fault { message: "an address is missing here".to_owned(), ..here })
        }
    }
}

fn address4(parser: &mut Parser<'_>, q: Qualifiers, word: &str, here: Fault) -> Result<Primitive, Fault> {
    let arp = match q.protocol {
        None => true,
        Some(Protocol::Type(ETHERTYPE_IPV4)) => false,
        Some(Protocol::Type(ETHERTYPE_IPV6)) => {
            return Err(Fault { message: "an IPv4 address behind `ip6`".to_owned(), ..here });
        }
        Some(Protocol::Ether | Protocol::Type(_) | Protocol::Number { .. }) => {
            return Err(not_with_address(&here));
        }
    };
    let Some((number, parts)) = dotted(word) else { return Err(here) };
    let (mut address, mut mask) = (number, u32::MAX);
    if word.contains('.') {
        address <<= 32 - 8 * parts;
        mask <<= 32 - 8 * parts;
    } else if q.kind == ValueKind::Net {
        while address != 0 && address & 0xff00_0000 == 0 {
            address <<= 8;
            mask <<= 8;
        }
    }
    if let Some(given) = mask_behind(parser, q, 32)? {
        let left_aligned = if word.contains('.') { address } else { number_to_network(number) };
        let given = match given {
            Mask::Len(len) => u32::MAX.checked_shl(32 - len).unwrap_or(0),
            Mask::Bits(bits) => bits,
        };
        if left_aligned & !given != 0 {
            return Err(host_bits(&std::net::Ipv4Addr::from(left_aligned & given).to_string(), &here));
        }
        (address, mask) = (left_aligned, given);
    }
    Ok(Primitive::Address4 { way: q.way, address, mask, arp })
}

/// `10` of `net 10/8`, moved to the left end.
fn number_to_network(mut number: u32) -> u32 {
    while number != 0 && number & 0xff00_0000 == 0 {
        number <<= 8;
    }
    number
}

fn address6(
    parser: &mut Parser<'_>,
    q: Qualifiers,
    found: Ipv6Addr,
    here: Fault,
) -> Result<Primitive, Fault> {
    match q.protocol {
        None | Some(Protocol::Type(ETHERTYPE_IPV6)) => {}
        Some(Protocol::Type(ETHERTYPE_IPV4)) => {
            return Err(Fault { message: "an IPv6 address behind `ip`".to_owned(), ..here });
        }
        Some(Protocol::Ether | Protocol::Type(_) | Protocol::Number { .. }) => {
            return Err(not_with_address(&here));
        }
    }
    let address = u128::from(found);
    let mask = match mask_behind(parser, q, 128)? {
        Some(Mask::Len(len)) => u128::MAX.checked_shl(128 - len).unwrap_or(0),
        Some(Mask::Bits(_)) | None => u128::MAX,
    };
    if address & !mask != 0 {
        return Err(host_bits(&Ipv6Addr::from(address & mask).to_string(), &here));
    }
    Ok(Primitive::Address6 { way: q.way, address, mask })
}

fn not_with_address(here: &Fault) -> Fault {
    Fault::new(here.offset, here.len, "only `ip` and `ip6` qualify an address")
        .help("join them with `and`, as in `tcp and host 10.0.4.12`")
}

fn host_bits(network: &str, here: &Fault) -> Fault {
    Fault::new(here.offset, here.len, "the address has bits outside the mask")
        .help(format!("the network is {network}"))
}

enum Mask {
    Len(u32),
    Bits(u32),
}

/// `/24` or `mask 255.255.255.0` behind a network.
fn mask_behind(parser: &mut Parser<'_>, q: Qualifiers, bits: u32) -> Result<Option<Mask>, Fault> {
    let slash = parser.take(Symbol::Slash);
    if !slash && parser.word() != Some("mask") {
        return Ok(None);
    }
    if !slash {
        parser.advance();
    }
    let here = parser.fault("");
    if q.kind != ValueKind::Net {
        let message = "a mask belongs to a network, not to a host".to_owned();
        return Err(Fault { message, help: Some("write `net` for `host`".to_owned()), ..here });
    }
    let Some(word) = parser.word() else {
        return Err(Fault { message: "the mask is missing here".to_owned(), ..here });
    };
    parser.advance();
    if slash {
        return match arithmetic::integer(word) {
            Some(len) if len <= bits => Ok(Some(Mask::Len(len))),
            Some(_) | None => Err(Fault { message: format!("a mask length is 0 to {bits}"), ..here }),
        };
    }
    match word.parse::<std::net::Ipv4Addr>() {
        Ok(mask) if bits == 32 => Ok(Some(Mask::Bits(u32::from(mask)))),
        Ok(_) | Err(_) => {
            let help = Some("write 255.255.255.0, or /LENGTH for IPv6".to_owned());
            Err(Fault { message: format!("`{word}` is not an IPv4 mask"), help, ..here })
        }
    }
}

/// A dotted IPv4 address of one to four parts as one number, and how many parts it has.
fn dotted(word: &str) -> Option<(u32, u32)> {
    if !word.contains('.') {
        return arithmetic::integer(word).map(|number| (number, 1));
    }
    let mut number = 0u32;
    let mut parts = 0;
    for part in word.split('.') {
        let decimal = !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
        let octet = part.parse::<u8>().ok().filter(|_| decimal)?;
        number = (number << 8) | u32::from(octet);
        parts += 1;
    }
    (parts <= 4).then_some((number, parts))
}

fn ports(parser: &mut Parser<'_>, q: Qualifiers) -> Result<Primitive, Fault> {
    let here = parser.fault("");
    let protocols: &'static [u8] = match q.protocol {
        None => WITH_PORTS,
        Some(Protocol::Number { number: 6, .. }) => &[6],
        Some(Protocol::Number { number: 17, .. }) => &[17],
        Some(Protocol::Number { number: 132, .. }) => &[132],
        Some(Protocol::Ether | Protocol::Type(_) | Protocol::Number { .. }) => {
            let help = Some("join them with `and`, as in `ip6 and port 443`".to_owned());
            return Err(Fault { message: "only tcp, udp and sctp qualify a port".to_owned(), help, ..here });
        }
    };
    let Some(Kind::Word(word) | Kind::Escaped(word)) = parser.peek().map(|token| token.kind) else {
        return Err(Fault { message: "a port is missing here".to_owned(), ..here });
    };
    let bounds = match word.split_once('-').filter(|_| q.kind == ValueKind::PortRange) {
        Some((low, high)) => port(low).zip(port(high)),
        None => port(word).map(|port| (port, port)),
    };
    let Some((a, b)) = bounds else { return Err(no_port(word, q.kind, &here)) };
    parser.advance();
    Ok(Primitive::Ports { way: q.way, protocols, low: a.min(b), high: a.max(b) })
}

fn port(word: &str) -> Option<u16> {
    arithmetic::integer(word).and_then(|number| u16::try_from(number).ok()).or_else(|| names::service(word))
}

fn no_port(word: &str, kind: ValueKind, here: &Fault) -> Fault {
    let (message, help) = if kind == ValueKind::PortRange {
        (format!("`{word}` is not a port range"), "write it as 8000-8100, without blanks".to_owned())
    } else if let Some((low, high)) = word.split_once('-').filter(|(low, _)| port(low).is_some()) {
        (format!("`{word}` is not a port"), format!("write `portrange {low}-{high}`"))
    } else if arithmetic::integer(word).is_some() {
        (format!("port {word} does not exist"), "ports are 0 to 65535".to_owned())
    } else {
        (format!("`{word}` is not a port that is known by name"), "write its number".to_owned())
    };
    Fault::new(here.offset, here.len, message).help(help)
}

fn protocol(parser: &mut Parser<'_>, q: Qualifiers) -> Result<Primitive, Fault> {
    let here = parser.fault("");
    let Some(Kind::Word(word) | Kind::Escaped(word)) = parser.peek().map(|token| token.kind) else {
        return Err(Fault { message: "a protocol is missing here".to_owned(), ..here });
    };
    parser.advance();
    if q.protocol == Some(Protocol::Ether) {
        let named = [
            ("ip", ETHERTYPE_IPV4),
            ("ip6", ETHERTYPE_IPV6),
            ("arp", ETHERTYPE_ARP),
            ("rarp", ETHERTYPE_RARP),
        ];
        let by_name = named.iter().find(|(name, _)| *name == word).map(|(_, number)| *number);
        let number = by_name.or_else(|| arithmetic::integer(word).and_then(|n| u16::try_from(n).ok()));
        // Below 0x600 the field is a length (IEEE 802.3 §3.2.6), which the kernel does not hand on.
        return match number {
            Some(number @ 0x600..) => Ok(Primitive::EtherType(number)),
            Some(_) | None => Err(Fault { message: format!("`{word}` is not an ethertype"), ..here }),
        };
    }
    let number =
        names::protocol_number(word).or_else(|| arithmetic::integer(word).and_then(|n| u8::try_from(n).ok()));
    let Some(number) = number else {
        let help = Some("write its number, 0 to 255".to_owned());
        return Err(Fault { message: format!("`{word}` is not a protocol"), help, ..here });
    };
    match q.protocol {
        None => Ok(Primitive::Protocol { v4: true, v6: true, number }),
        Some(Protocol::Type(ETHERTYPE_IPV4)) => Ok(Primitive::Protocol { v4: true, v6: false, number }),
        Some(Protocol::Type(ETHERTYPE_IPV6)) => Ok(Primitive::Protocol { v4: false, v6: true, number }),
        Some(Protocol::Ether | Protocol::Type(_) | Protocol::Number { .. }) => {
            Err(Fault { message: "only `ip`, `ip6` and `ether` qualify `proto`".to_owned(), ..here })
        }
    }
}
