//! Link types: what the first octet of a frame is the beginning of.

/// A link type, as capture files number it (`pcap-linktype(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// BSD loopback: the address family in the byte order of the capturing host.
    Null,
    /// Ethernet.
    Ethernet,
    /// PPP, with or without the address and control octets.
    Ppp,
    /// IP without a link layer; the version tells which. Also files that say IPv4 or IPv6 outright.
    RawIp,
    /// OpenBSD loopback: the address family in network byte order.
    Loop,
    /// Linux cooked capture, version 1.
    LinuxSll,
    /// Linux cooked capture, version 2: with the interface.
    LinuxSll2,
    /// Any other, by its number.
    Other(u32),
}

const KNOWN: [(u32, LinkType); 12] = [
    (0, LinkType::Null),
    (1, LinkType::Ethernet),
    (9, LinkType::Ppp),
    (50, LinkType::Ppp),
    (101, LinkType::RawIp),
    // DLT_RAW as BSD and OpenBSD number it: old libpcap wrote it to files unmapped.
    (12, LinkType::RawIp),
    (14, LinkType::RawIp),
    (228, LinkType::RawIp),
    (229, LinkType::RawIp),
    (108, LinkType::Loop),
    (113, LinkType::LinuxSll),
    (276, LinkType::LinuxSll2),
];

/// Names of link types that are met in the wild and that this program does not dissect.
const NAMES: [(u32, &str); 20] = [
    (6, "IEEE802_5"),
    (10, "FDDI"),
    (104, "C_HDLC"),
    (105, "IEEE802_11"),
    (109, "ENC"),
    (117, "PFLOG"),
    (119, "IEEE802_11_PRISM"),
    (122, "IP_OVER_FC"),
    (127, "IEEE802_11_RADIOTAP"),
    (143, "DOCSIS"),
    (147, "USER0"),
    (163, "IEEE802_11_AVS"),
    (192, "PPI"),
    (195, "IEEE802_15_4_WITHFCS"),
    (197, "ERF"),
    (220, "USB_LINUX_MMAPPED"),
    (239, "NFLOG"),
    (242, "IPOIB"),
    (253, "NETLINK"),
    (258, "PKTAP"),
];

impl LinkType {
    /// The link type with that number.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        KNOWN.iter().find(|(known, _)| *known == number).map_or(Self::Other(number), |(_, link)| *link)
    }

    /// The number written to files, the first of those that stand for the same thing.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Other(number) => number,
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::Ppp => 9,
            Self::RawIp => 101,
            Self::Loop => 108,
            Self::LinuxSll => 113,
            Self::LinuxSll2 => 276,
        }
    }

    /// The name without its prefix, as `EN10MB`; the number where it has no name here.
    #[must_use]
    pub fn name(self) -> String {
        let name = match self {
            Self::Null => "NULL",
            Self::Ethernet => "EN10MB",
            Self::Ppp => "PPP",
            Self::RawIp => "RAW",
            Self::Loop => "LOOP",
            Self::LinuxSll => "LINUX_SLL",
            Self::LinuxSll2 => "LINUX_SLL2",
            Self::Other(number) => {
                let named = NAMES.iter().find(|(known, _)| *known == number);
                return named.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned());
            }
        };
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_those_of_the_manual() {
        for (number, name) in
            [(1, "EN10MB"), (113, "LINUX_SLL"), (276, "LINUX_SLL2"), (101, "RAW"), (108, "LOOP")]
        {
            let link = LinkType::from_number(number);
            assert_eq!((link.number(), link.name().as_str()), (number, name));
        }
        assert_eq!(LinkType::from_number(127).name(), "IEEE802_11_RADIOTAP");
        assert_eq!(LinkType::from_number(9999).name(), "9999");
    }
}
