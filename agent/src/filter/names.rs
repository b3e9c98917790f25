//! The words of the filter language.

use super::ast::Base;

/// TCP.
pub(super) const TCP: u8 = 6;
/// Ethertype of IPv4.
pub(super) const ETHERTYPE_IPV4: u16 = 0x0800;
/// Ethertype of IPv6.
pub(super) const ETHERTYPE_IPV6: u16 = 0x86dd;
/// Ethertype of ARP.
pub(super) const ETHERTYPE_ARP: u16 = 0x0806;
/// Ethertype of RARP.
pub(super) const ETHERTYPE_RARP: u16 = 0x8035;

/// A protocol word: a test by itself (`tcp`), or a qualifier before another (`tcp port 80`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `ether`, only in `ether proto`.
    Ether,
    /// A link-layer type: `ip`, `ip6`, `arp`, `rarp`.
    Type(u16),
    /// A protocol number in IPv4, in IPv6, or in both.
    Number { v4: bool, v6: bool, number: u8 },
}

/// The protocol that `word` names.
pub(super) fn protocol(word: &str) -> Option<Protocol> {
    let number = |v4, v6, number| Some(Protocol::Number { v4, v6, number });
    match word {
        "ether" | "link" => Some(Protocol::Ether),
        "ip" => Some(Protocol::Type(ETHERTYPE_IPV4)),
        "ip6" => Some(Protocol::Type(ETHERTYPE_IPV6)),
        "arp" => Some(Protocol::Type(ETHERTYPE_ARP)),
        "rarp" => Some(Protocol::Type(ETHERTYPE_RARP)),
        "tcp" => number(true, true, TCP),
        "udp" => number(true, true, 17),
        "sctp" => number(true, true, 132),
        "icmp" => number(true, false, 1),
        "igmp" => number(true, false, 2),
        "icmp6" => number(false, true, 58),
        "ah" => number(true, true, 51),
        "esp" => number(true, true, 50),
        "pim" => number(true, true, 103),
        "vrrp" => number(true, false, 112),
        _ => None,
    }
}

/// Number of the protocol `word`, for `proto`.
pub(super) fn protocol_number(word: &str) -> Option<u8> {
    match (word, protocol(word)) {
        (_, Some(Protocol::Number { number, .. })) => Some(number),
        ("gre", _) => Some(47),
        ("ipip", _) => Some(4),
        ("ipv6-icmp", _) => Some(58),
        (_, Some(Protocol::Ether | Protocol::Type(_)) | None) => None,
    }
}

/// The header that `word[…]` reads.
pub(super) fn accessor(word: &str) -> Option<Base> {
    match word {
        "ip" => Some(Base::Ip),
        "ip6" => Some(Base::Ip6),
        "tcp" => Some(Base::Transport4(TCP)),
        "udp" => Some(Base::Transport4(17)),
        "icmp" => Some(Base::Transport4(1)),
        "igmp" => Some(Base::Transport4(2)),
        "sctp" => Some(Base::Transport4(132)),
        "icmp6" => Some(Base::Icmp6),
        _ => None,
    }
}

/// Named constants for accessors and what stands beside them.
const CONSTANTS: [(&str, u32); 28] = [
    ("tcpflags", 13),
    ("tcp-fin", 0x01),
    ("tcp-syn", 0x02),
    ("tcp-rst", 0x04),
    ("tcp-push", 0x08),
    ("tcp-ack", 0x10),
    ("tcp-urg", 0x20),
    ("tcp-ece", 0x40),
    ("tcp-cwr", 0x80),
    ("icmptype", 0),
    ("icmp6type", 0),
    ("icmp-echoreply", 0),
    ("icmpcode", 1),
    ("icmp6code", 1),
    ("icmp6-destinationunreach", 1),
    ("icmp6-packettoobig", 2),
    ("icmp-unreach", 3),
    ("icmp6-timeexceeded", 3),
    ("icmp-sourcequench", 4),
    ("icmp6-parameterproblem", 4),
    ("icmp-redirect", 5),
    ("icmp-echo", 8),
    ("icmp-routeradvert", 9),
    ("icmp-routersolicit", 10),
    ("icmp-timxceed", 11),
    ("icmp-paramprob", 12),
    ("icmp6-echo", 128),
    ("icmp6-echoreply", 129),
];

/// The constant that `word` names.
pub(super) fn constant(word: &str) -> Option<u32> {
    CONSTANTS.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

/// Port of a service. A short table, the same on every host, instead of the host's `/etc/services`: the same
/// words must mean the same at both ends.
pub(super) fn service(word: &str) -> Option<u16> {
    let port = match word {
        "ftp" => 21,
        "ssh" => 22,
        "telnet" => 23,
        "smtp" => 25,
        "domain" => 53,
        "http" => 80,
        "pop3" => 110,
        "ntp" => 123,
        "imap2" | "imap" => 143,
        "bgp" => 179,
        "ldap" => 389,
        "https" => 443,
        "ldaps" => 636,
        "imaps" => 993,
        "pop3s" => 995,
        "nfs" => 2049,
        "mysql" => 3306,
        "postgresql" => 5432,
        "redis" => 6379,
        _ => return None,
    };
    Some(port)
}

/// Why a word of pcap-filter(7) is not taken, where that word is known.
pub(super) fn unsupported(word: &str) -> Option<&'static str> {
    let reason = match word {
        "vlan" | "mpls" | "pppoed" | "pppoes" | "geneve" => {
            "one 802.1Q tag is looked through without it; write the filter for the packet inside"
        }
        "inbound" | "outbound" => "both directions are always captured; leave it out",
        "ifindex" | "ifname" | "on" => "name the interface with the host instead, as in --client HOST:IFACE",
        "gateway" => "it needs names and link addresses; use `net` or `host`",
        "protochain" => "use `proto`; extension headers before TCP are followed anyway",
        "broadcast" | "multicast" => "TCP has neither; leave it out",
        "wlan" | "fddi" | "tr" | "ppp" | "slip" | "llc" | "decnet" | "iso" | "atalk" | "aarp" | "lat"
        | "moprc" | "mopdl" | "stp" | "ipx" | "netbeui" | "carp" | "igrp" | "type" | "subtype" | "dir"
        | "addr1" | "addr2" | "addr3" | "addr4" | "action" | "reason" | "rnr" | "rset" | "rulenum"
        | "ruleset" | "srnr" | "subrulenum" => "TCP over IP is what is captured; leave it out",
        "byte" => "use an accessor, as in `tcp[13] & 2 != 0`",
        _ => return None,
    };
    Some(reason)
}
