//! Expressions, errors with their places, and quoted packets, without an oracle.

use super::assemble::{self, MAX_EXTENSION_HEADERS};
use super::{Exclusion, Filter, Program};
use crate::capture::{Frame, LinkType};
use correlate_proto::{Endpoint, FourTuple, Heard, IcmpError, IcmpKind, SeqNum, Timestamp};

fn endpoint(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().expect("an address with a port");
    Endpoint { addr: address.ip(), port: address.port() }
}

fn matches(program: &Program, packet: &[u8]) -> bool {
    program.matches(&Frame {
        number: 1,
        at: Timestamp::from_ns(0),
        bytes: packet,
        wire_len: u32::try_from(packet.len()).expect("short"),
        link: LinkType::RawIp,
        heard: Heard::Unknown,
        interface: 0,
        gso_size: None,
        checksum_partial: false,
        vlan: None,
    })
}

/// IPv6 from `2001:db8::1` to `2001:db8::2` with `headers` (number and octets of each) before TCP from 40000 to 5432.
fn ipv6_tcp(headers: &[(u8, [u8; 8])]) -> Vec<u8> {
    let numbers: Vec<u8> = headers.iter().map(|(number, _)| *number).chain([6]).collect();
    let mut packet = vec![0x60, 0, 0, 0, 0, 60, numbers[0], 64];
    packet.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().expect("address").octets());
    packet.extend("2001:db8::2".parse::<std::net::Ipv6Addr>().expect("address").octets());
    for (index, (_, octets)) in headers.iter().enumerate() {
        packet.push(numbers[index + 1]);
        packet.extend(&octets[1..]);
    }
    packet.extend([0x9c, 0x40, 0x15, 0x38, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0]);
    packet
}

#[test]
fn tcp_is_found_behind_extension_headers_up_to_the_limit() {
    let filter = Filter::parse("port 5432 and host 2001:db8::1").expect("compiles");
    let other = Filter::parse("port 443").expect("compiles");
    for count in 0..MAX_EXTENSION_HEADERS + 2 {
        let headers: Vec<(u8, [u8; 8])> =
            [0, 60, 43, 60, 60].into_iter().take(count).map(|n| (n, [0; 8])).collect();
        let packet = ipv6_tcp(&headers);
        assert_eq!(matches(filter.program(), &packet), count <= MAX_EXTENSION_HEADERS, "{count} headers");
        assert!(!matches(other.program(), &packet));
    }
}

#[test]
fn first_fragments_are_filtered_by_port_and_later_ones_pass_whatever_the_port() {
    let (port, other) =
        (Filter::parse("port 5432").expect("compiles"), Filter::parse("port 443").expect("compiles"));
    let first = ipv6_tcp(&[(44, [0, 0, 0x00, 0x01, 0, 0, 0, 9])]);
    assert!(matches(port.program(), &first) && !matches(other.program(), &first));
    let later = ipv6_tcp(&[(44, [0, 0, 0x01, 0x00, 0, 0, 0, 9])]);
    assert!(matches(port.program(), &later) && matches(other.program(), &later));
    let udp =
        later.iter().enumerate().map(|(at, octet)| if at == 40 { 17 } else { *octet }).collect::<Vec<_>>();
    assert!(!matches(port.program(), &udp));
}

/// (expression, offset and length of the offending part, part of the message)
const FAULTS: &[(&str, usize, usize, &str)] = &[
    ("port 80 and inbund", 12, 6, "known by name"),
    ("tcp and inbund", 8, 6, "unknown word"),
    ("vlan 7 and port 80", 0, 4, "`vlan` is not supported"),
    ("port 80 and mpls", 12, 4, "`mpls` is not supported"),
    ("inbound", 0, 7, "not supported"),
    ("gateway 10.0.0.1", 0, 7, "not supported"),
    ("host example.org", 5, 11, "not an address"),
    ("host 10.0.0.256", 5, 10, "not an address"),
    ("10.0.0.1", 0, 8, "alone"),
    ("::1", 0, 3, "alone"),
    ("80", 0, 2, "alone"),
    ("tcp 80", 4, 2, "is missing before"),
    ("port", 4, 0, "port is missing"),
    ("port 80 and", 11, 0, "ends where a test"),
    ("port 80 443", 8, 3, "`and` or `or` is missing"),
    ("port 70000", 5, 5, "does not exist"),
    ("port gopher", 5, 6, "known by name"),
    ("port 80-90", 5, 5, "not a port"),
    ("portrange 80-x", 10, 4, "not a port range"),
    ("(port 80", 0, 1, "not closed"),
    ("port 80)", 7, 1, "closes no"),
    ("net 10.0.0.1/8", 4, 8, "bits outside"),
    ("net 10.0.0.0/33", 13, 2, "0 to 32"),
    ("net 2001:db8::/129", 15, 3, "0 to 128"),
    ("host 10.0.0.0/8", 14, 1, "not to a host"),
    ("ip6 host 10.0.0.1", 9, 8, "behind `ip6`"),
    ("tcp host 10.0.0.1", 9, 8, "qualify an address"),
    ("ip port 80", 8, 2, "qualify a port"),
    ("ether host 02:00:00:00:00:01", 11, 17, "link-layer"),
    ("ether[0] & 1 = 0", 0, 5, "not supported"),
    ("tcp[13", 6, 0, "`]` is missing"),
    ("tcp[13:3] = 0", 7, 1, "1, 2 or 4"),
    ("tcp[13] & 2", 11, 0, "comparison is missing"),
    ("tcp[70000] = 1", 4, 5, "no header is longer"),
    ("len / 0 = 1", 6, 1, "division by zero"),
    ("len << 32 = 1", 7, 2, "31 bits"),
    ("src proto 6", 0, 9, "no source"),
    ("proto foo", 6, 3, "not a protocol"),
    ("less x", 5, 1, "not a number"),
    ("port 80 $", 8, 1, "unexpected character"),
];

#[test]
fn every_fault_is_named_with_its_place() {
    for (text, offset, len, message) in FAULTS {
        let error = Filter::parse(text).expect_err(text);
        assert_eq!((error.offset, error.len), (*offset, *len), "{}", error.render());
        assert!(error.message.contains(message), "`{text}` gives `{}`", error.message);
        let shown = error.render();
        assert!(shown.lines().nth(2).is_some_and(|line| line.trim_start().starts_with('^')), "{shown}");
    }
}

#[test]
fn every_bound_is_an_error_and_no_crash() {
    let deep = format!("{}tcp{}", "(".repeat(65), ")".repeat(65));
    assert!(Filter::parse(&deep).expect_err("too deep").message.contains("nested deeper"));
    assert!(Filter::parse(&"not ".repeat(4000)).expect_err("too deep").message.contains("nested deeper"));
    let arithmetic = format!("{}1{} = 1", "(".repeat(70), ")".repeat(70));
    assert!(Filter::parse(&arithmetic).is_err());
    let many = vec!["port 1"; 401].join(" or ");
    assert!(Filter::parse(&many).expect_err("too many").message.contains("400 tests"));
    assert!(Filter::parse(&" ".repeat(20_000)).expect_err("too long").message.contains("longer than"));
    let wide = vec!["host 2001:db8:1:2:3:4:5:6"; 200].join(" or ");
    assert!(Filter::parse(&wide).is_ok());
    let spilled = (0..14).fold("tcp[0]".to_owned(), |inner, _| format!("tcp[0] + ({inner})")) + " = 1";
    assert!(Filter::parse(&spilled).expect_err("too deep").message.contains("too deep"));
    let long = vec!["tcp[0:2] + tcp[2:2] * tcp[4:2] = ip[0]"; 350].join(" or ");
    assert!(Filter::parse(&long).expect_err("too long").message.contains("4000"));
}

#[test]
fn a_filter_of_many_tests_jumps_far() {
    let last = "host 10.9.9.9";
    let text =
        (0..150).map(|n| format!("host 10.0.{}.{}", n / 100, n % 100)).collect::<Vec<_>>().join(" or ");
    let filter = Filter::parse(&format!("{text} or {last}")).expect("compiles");
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 9, 9, 9, 1, 1, 1, 1];
    packet.extend([0; 20]);
    assert!(matches(filter.program(), &packet));
    packet[12] = 11;
    assert!(!matches(filter.program(), &packet));
}

#[test]
fn an_empty_filter_and_the_filter_of_all_tcp_are_the_same() {
    let packet = ipv6_tcp(&[]);
    for filter in
        [Filter::parse("").expect("empty"), Filter::parse(" \t\n").expect("blank"), Filter::all_tcp()]
    {
        assert!(matches(filter.program(), &packet));
        assert!(filter.program().instructions().len() > 10);
    }
    assert!(!matches(&Filter::nothing(), &packet));
}

fn quoting(src: &str, dst: &str) -> IcmpError {
    let quoted = FourTuple { src: endpoint(src), dst: endpoint(dst) };
    IcmpError {
        packet: 1,
        at: Timestamp::from_ns(0),
        heard: Heard::In,
        interface: 0,
        from: quoted.dst.addr,
        to: quoted.src.addr,
        kind: IcmpKind::TooBig { mtu: 1400 },
        icmp_type: 3,
        icmp_code: 4,
        quoted,
        quoted_seq: SeqNum(0),
        quoted_ip_id: None,
        quoted_ip_len: 1500,
        ttl: 60,
    }
}

#[test]
fn an_icmp_error_belongs_to_the_filter_that_its_quoted_packet_matches() {
    let error = quoting("10.0.0.1:40000", "10.0.0.2:5432");
    for (text, expected) in [
        ("port 5432", true),
        ("dst port 5432", true),
        ("src port 5432", false),
        ("host 10.0.0.2 and not port 443", true),
        ("host 10.0.0.9", false),
        ("ip6", false),
        ("", true),
        ("port 5432 and tcp[13] & 2 != 0", true),
        ("port 5432 and not tcp[13] & 2 != 0", true),
        ("port 443 and tcp[13] & 2 != 0", false),
        ("udp", false),
    ] {
        assert_eq!(Filter::parse(text).expect(text).matches_quoted(&error), expected, "{text}");
    }
    let v6 = quoting("[2001:db8::1]:40000", "[2001:db8::2]:5432");
    assert!(Filter::parse("port 5432 and src host 2001:db8::1").expect("compiles").matches_quoted(&v6));
    assert!(!Filter::parse("host 10.0.0.1").expect("compiles").matches_quoted(&v6));
}

#[test]
fn excluded_traffic_never_matches_and_the_rest_does() {
    let [client, server] = [endpoint("[2001:db8::1]:40000"), endpoint("[2001:db8::2]:5432")];
    let packet = ipv6_tcp(&[]);
    let elsewhere = Exclusion::Connection(server, endpoint("[2001:db8::1]:40001"));
    for (exclusion, expected) in [
        (Exclusion::Connection(client, server), false),
        (Exclusion::Connection(server, client), false),
        (Exclusion::Endpoint(server), false),
        (Exclusion::Port(5432), false),
        (Exclusion::Port(443), true),
        (elsewhere, true),
    ] {
        let filter =
            Filter::parse("port 5432 or port 80").expect("compiles").excluding(&[exclusion]).expect("fits");
        assert_eq!(matches(filter.program(), &packet), expected, "{exclusion:?}");
    }
    let many = vec![Exclusion::Port(1); 65];
    assert!(Filter::all_tcp().excluding(&many).is_err());
}

#[test]
fn the_snaplen_is_what_the_program_returns() {
    let filter = Filter::parse("port 5432").expect("compiles");
    let returns = |program: &Program| {
        let mut found: Vec<u32> =
            program.instructions().iter().filter(|i| i.code == 6).map(|i| i.k).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(returns(&filter.program_with_snaplen(128)), [0, 128]);
    assert_eq!(returns(&filter.program_with_snaplen(0)), [0, 1]);
    assert_eq!(returns(&Program::new(assemble::nothing())), [0]);
}
