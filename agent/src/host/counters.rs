//! Counters of the kernel's network stack, as they moved between two readings.

use super::sys::{KernelClock, now_ns};
use correlate_proto::HostCounters;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Largest table that is read: `/proc/net/dev` of a host with 4,000 interfaces has half of this. What is behind
/// it is not counted.
const MAX_TABLE_LEN: usize = 1024 * 1024;

/// Entries of `Tcp:` that are settings or levels, not counters.
const NO_COUNTERS: [&str; 5] = ["TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn", "TcpCurrEstab"];

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

/// Reads a host's counters and gives what moved.
#[derive(Debug)]
pub struct CounterReader {
    snmp: Table,
    netstat: Table,
    dev: Table,
    last: BTreeMap<String, u64>,
}

impl CounterReader {
    /// Counters of the calling thread's network namespace, from now on. To count in another namespace, open this
    /// in [`super::Namespace::run`]; it can then be read from anywhere.
    pub fn open() -> io::Result<Self> {
        let mut reader = Self {
            snmp: Table::open("snmp")?,
            netstat: Table::open("netstat")?,
            dev: Table::open("dev")?,
            last: BTreeMap::new(),
        };
        reader.last = reader.now()?;
        Ok(reader)
    }

    /// What moved since the last reading, names as the kernel's: `TcpRetransSegs`, `TcpExtListenOverflows`,
    /// `eth0:rx_dropped`, `softnet:dropped` (of the whole host). What did not move is not listed; a counter
    /// that went back, because its interface is new, counts from 0.
    pub fn read(&mut self) -> io::Result<HostCounters> {
        let at_ns = now_ns(KernelClock::Realtime);
        let now = self.now()?;
        let moved = |(name, value): (&String, &u64)| {
            let last = self.last.get(name).copied().unwrap_or(0);
            let by = if *value >= last { value - last } else { *value };
            (by > 0).then(|| (name.clone(), by))
        };
        let deltas = now.iter().filter_map(moved).collect();
        self.last = now;
        Ok(HostCounters { at_ns, deltas })
    }

    fn now(&self) -> io::Result<BTreeMap<String, u64>> {
        let mut found = BTreeMap::new();
        for table in [&self.snmp, &self.netstat] {
            add_snmp(&table.read()?, &mut found);
        }
        for (name, traffic) in traffic(&self.dev.read()?) {
            found.insert(format!("{name}:rx_errors"), traffic.rx_errors);
            found.insert(format!("{name}:rx_dropped"), traffic.rx_dropped);
            found.insert(format!("{name}:tx_errors"), traffic.tx_errors);
            found.insert(format!("{name}:tx_dropped"), traffic.tx_dropped);
        }
        // Absent in some sandboxes, and no reason to do without the others.
        if let Ok(text) = std::fs::read_to_string("/proc/net/softnet_stat") {
            add_softnet(&text, &mut found);
        }
        Ok(found)
    }
}

/// Counters of TCP from pairs of lines, the names above the numbers.
fn add_snmp(text: &str, found: &mut BTreeMap<String, u64>) {
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.chunks_exact(2) {
        let (Some((group, names)), Some((_, numbers))) = (pair[0].split_once(':'), pair[1].split_once(':'))
        else {
            continue;
        };
        if !matches!(group, "Tcp" | "TcpExt") {
            continue;
        }
        for (name, number) in names.split_whitespace().zip(numbers.split_whitespace()) {
            let name = format!("{group}{name}");
            if let Ok(number) = number.parse()
                && !NO_COUNTERS.contains(&name.as_str())
            {
                found.insert(name, number);
            }
        }
    }
}

/// One line per processor, hexadecimal: the second column counts packets dropped because the backlog was full,
/// the third how often the budget ran out (`net/core/net-procfs.c`).
fn add_softnet(text: &str, found: &mut BTreeMap<String, u64>) {
    let sum = |column: usize| {
        let of_line =
            |line: &str| line.split_whitespace().nth(column).and_then(|w| u64::from_str_radix(w, 16).ok());
        text.lines().filter_map(of_line).sum()
    };
    found.insert("softnet:dropped".to_owned(), sum(1));
    found.insert("softnet:time_squeeze".to_owned(), sum(2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_tables_are_read_as_the_kernel_writes_them() {
        let dev = "Inter-|   Receive |  Transmit\n face |bytes packets\n\
                   eth0: 100 5 1 2 0 0 0 0 900 7 3 4 0 0 0 0\n broken: 1 2\n";
        let found = traffic(dev);
        assert_eq!(found.len(), 1);
        let expected = Traffic { frames: 12, rx_errors: 1, rx_dropped: 2, tx_errors: 3, tx_dropped: 4 };
        assert_eq!(found["eth0"], expected);
        let mut counters = BTreeMap::new();
        add_snmp(
            "Ip: A\nIp: 1\nTcp: RtoMin MaxConn RetransSegs\nTcp: 200 -1 9\nTcpExt: X\nTcpExt: 4\n",
            &mut counters,
        );
        assert_eq!(counters, BTreeMap::from([("TcpRetransSegs".to_owned(), 9), ("TcpExtX".to_owned(), 4)]));
        add_softnet("0000 0000000a 00000001\n0000 00000010 00000002\n", &mut counters);
        assert_eq!((counters["softnet:dropped"], counters["softnet:time_squeeze"]), (26, 3));
    }

    #[test]
    fn a_connection_moves_the_counters_once() {
        let mut reader = CounterReader::open().expect("counters");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let client = std::net::TcpStream::connect(listener.local_addr().expect("address")).expect("connects");
        let moved = reader.read().expect("counters");
        assert!(moved.deltas.get("TcpActiveOpens").is_some_and(|opens| *opens >= 1), "{moved:?}");
        assert!(moved.deltas.values().all(|by| *by > 0));
        drop(client);
    }
}
