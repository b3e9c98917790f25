//! The kernel's tables of counters below `/proc/net`, as texts and as numbers by name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Largest table that is read: `/proc/net/dev` of a host with 4,000 interfaces has half of this. What is behind
/// it is not counted.
const MAX_TABLE_LEN: usize = 1024 * 1024;

/// Entries of `Tcp:` that are settings or levels, not counters.
const NO_COUNTERS: [&str; 5] = ["TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn", "TcpCurrEstab"];

/// What is counted below TCP: errors, discards and rejections. How many packets passed says nothing about a host,
/// and would stand in every reading.
const BELOW_TCP: [&str; 29] = [
    "IpInHdrErrors",
    "IpInAddrErrors",
    "IpInUnknownProtos",
    "IpInDiscards",
    "IpOutDiscards",
    "IpOutNoRoutes",
    "IpReasmTimeout",
    "IpReasmFails",
    "IpFragFails",
    "IpExtInNoRoutes",
    "IpExtInTruncatedPkts",
    "IpExtInCsumErrors",
    "IcmpInErrors",
    "IcmpInDestUnreachs",
    "IcmpInTimeExcds",
    "IcmpOutErrors",
    "IcmpOutDestUnreachs",
    "IcmpOutRateLimitGlobal",
    "IcmpOutRateLimitHost",
    "Ip6InHdrErrors",
    "Ip6InTooBigErrors",
    "Ip6InNoRoutes",
    "Ip6InAddrErrors",
    "Ip6InDiscards",
    "Ip6OutDiscards",
    "Ip6OutNoRoutes",
    "Icmp6InPktTooBigs",
    "Icmp6InDestUnreachs",
    "Icmp6OutDestUnreachs",
];

/// Columns of `/proc/net/stat/nf_conntrack` that tell of packets which connection tracking let fall.
const CONNTRACK: [&str; 4] = ["drop", "early_drop", "insert_failed", "invalid"];

/// Numbers by the name of what they count.
pub(super) type Counted = BTreeMap<String, u64>;

/// A table below `/proc/net`. It belongs to the network namespace of the thread that opened it, and can be read
/// again from any thread.
#[derive(Debug)]
pub(crate) struct Table(File);

impl Table {
    pub(crate) fn open(name: &str) -> io::Result<Self> {
        File::open(format!("/proc/thread-self/net/{name}")).map(Self)
    }

    pub(crate) fn read(&self) -> io::Result<String> {
        let mut text = Vec::new();
        let mut chunk = [0u8; 16 * 1024];
        while text.len() < MAX_TABLE_LEN {
            let read = self.0.read_at(&mut chunk, text.len() as u64)?;
            if read == 0 {
                break;
            }
            text.extend(&chunk[..read]);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Counters of one interface, of `/proc/net/dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Traffic {
    /// Frames received and sent.
    pub(crate) frames: u64,
    rx_errors: u64,
    /// What the driver dropped, and what the card did for want of room (`rx_missed_errors`).
    rx_dropped: u64,
    tx_errors: u64,
    tx_dropped: u64,
}

/// Interfaces and their counters from the text of `/proc/net/dev`. Lines that are not of that form are left out.
pub(crate) fn traffic(text: &str) -> BTreeMap<String, Traffic> {
    let line = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let [_, rx, rx_errors, rx_dropped, _, _, _, _, _, tx, tx_errors, tx_dropped, ..] = numbers[..] else {
            return None;
        };
        let frames = rx.saturating_add(tx);
        Some((name.trim().to_owned(), Traffic { frames, rx_errors, rx_dropped, tx_errors, tx_dropped }))
    };
    text.lines().filter_map(line).collect()
}

/// Errors and drops of the interfaces, from the text of `/proc/net/dev`.
pub(super) fn add_interfaces(text: &str, found: &mut Counted) {
    for (name, traffic) in traffic(text) {
        found.insert(format!("{name}:rx_errors"), traffic.rx_errors);
        found.insert(format!("{name}:rx_dropped"), traffic.rx_dropped);
        found.insert(format!("{name}:tx_errors"), traffic.tx_errors);
        found.insert(format!("{name}:tx_dropped"), traffic.tx_dropped);
    }
}

/// Counters of TCP, and what went wrong below it, from pairs of lines, the names above the numbers.
pub(super) fn add_snmp(text: &str, found: &mut Counted) {
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.chunks_exact(2) {
        let (Some((group, names)), Some((_, numbers))) = (pair[0].split_once(':'), pair[1].split_once(':'))
        else {
            continue;
        };
        if !matches!(group, "Tcp" | "TcpExt" | "Ip" | "IpExt" | "Icmp") {
            continue;
        }
        for (name, number) in names.split_whitespace().zip(numbers.split_whitespace()) {
            add_wanted(format!("{group}{name}"), number, found);
        }
    }
}

/// The same of IPv6, one name and number to a line.
pub(super) fn add_snmp6(text: &str, found: &mut Counted) {
    for (name, number) in text.lines().filter_map(|line| line.split_once(char::is_whitespace)) {
        add_wanted(name.to_owned(), number.trim(), found);
    }
}

fn add_wanted(name: String, number: &str, found: &mut Counted) {
    let of_tcp = name.starts_with("Tcp") && !NO_COUNTERS.contains(&name.as_str());
    if let Ok(number) = number.parse()
        && (of_tcp || BELOW_TCP.contains(&name.as_str()))
    {
        found.insert(name, number);
    }
}

/// One line per processor, hexadecimal: the second column counts packets dropped because the backlog was full,
/// the third how often the budget ran out (`net/core/net-procfs.c`).
pub(super) fn add_softnet(text: &str, found: &mut Counted) {
    found.insert("softnet:dropped".to_owned(), sum_of_column(text.lines(), 1));
    found.insert("softnet:time_squeeze".to_owned(), sum_of_column(text.lines(), 2));
}

/// A line of names, then one line of hexadecimal numbers per processor
/// (`net/netfilter/nf_conntrack_standalone.c`).
pub(super) fn add_conntrack(text: &str, found: &mut Counted) {
    let mut lines = text.lines();
    let names = lines.next().unwrap_or_default();
    for (place, name) in names.split_whitespace().enumerate().filter(|(_, name)| CONNTRACK.contains(name)) {
        found.insert(format!("conntrack:{name}"), sum_of_column(lines.clone(), place));
    }
}

fn sum_of_column<'a>(lines: impl Iterator<Item = &'a str>, column: usize) -> u64 {
    let of_line =
        |line: &str| line.split_whitespace().nth(column).and_then(|word| u64::from_str_radix(word, 16).ok());
    lines.filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_read_as_the_kernel_writes_them() {
        let dev = "Inter-|   Receive |  Transmit\n face |bytes packets\n\
                   eth0: 100 5 1 2 0 0 0 0 900 7 3 4 0 0 0 0\n broken: 1 2\n";
        let found = traffic(dev);
        assert_eq!(found.len(), 1);
        let expected = Traffic { frames: 12, rx_errors: 1, rx_dropped: 2, tx_errors: 3, tx_dropped: 4 };
        assert_eq!(found["eth0"], expected);
        let mut counters = Counted::new();
        add_interfaces(dev, &mut counters);
        assert_eq!((counters["eth0:rx_dropped"], counters["eth0:tx_errors"]), (2, 3));
    }

    #[test]
    fn all_of_tcp_is_counted_and_below_it_what_went_wrong() {
        let mut counters = Counted::new();
        add_snmp(
            "Ip: InReceives InDiscards\nIp: 1 5\nTcp: RtoMin MaxConn RetransSegs\nTcp: 200 -1 9\n\
             IcmpMsg: InType3\nIcmpMsg: 2\nTcpExt: X\nTcpExt: 4\nIpExt: InNoRoutes InOctets\nIpExt: 6 7000\n",
            &mut counters,
        );
        add_snmp6("Ip6InReceives      \t2\nIp6InDiscards         \t8\nbroken\n", &mut counters);
        let expected = [
            ("IpInDiscards", 5),
            ("TcpRetransSegs", 9),
            ("TcpExtX", 4),
            ("IpExtInNoRoutes", 6),
            ("Ip6InDiscards", 8),
        ];
        assert_eq!(counters, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn processors_are_added_up() {
        let mut counters = Counted::new();
        add_softnet("0000 0000000a 00000001\n0000 00000010 00000002\n", &mut counters);
        add_conntrack(
            "entries  found new invalid insert_failed drop early_drop\n\
             00000009 00000000 00000000 0000000a 00000001 00000002 00000003\n\
             00000009 00000000 00000000 00000001 00000000 00000010 00000000\n",
            &mut counters,
        );
        let expected = [
            ("softnet:dropped", 26),
            ("softnet:time_squeeze", 3),
            ("conntrack:invalid", 11),
            ("conntrack:insert_failed", 1),
            ("conntrack:drop", 18),
            ("conntrack:early_drop", 3),
        ];
        assert_eq!(counters, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }
}
