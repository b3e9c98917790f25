//! Counters of the kernel's network stack, as they moved between two readings.

use super::qdisc::Qdiscs;
use super::sys::{KernelClock, now_ns};
use super::tables::{self, Counted, Table};
use correlate_proto::HostCounters;
use std::io;

/// Names that one reading lists. A kernel has 180 that are no interface's; where those of the interfaces would make
/// more, the interfaces that come last by name are left out.
const MAX_NAMES: usize = 512;

/// Reads a host's counters and gives what moved.
#[derive(Debug)]
pub struct CounterReader {
    snmp: Table,
    netstat: Table,
    dev: Table,
    /// Tables that are there only where IPv6 and connection tracking are.
    snmp6: Option<Table>,
    conntrack: Option<Table>,
    qdiscs: Option<Qdiscs>,
    last: Counted,
    /// A reading was given, from which the next one counts.
    begun: bool,
}

impl CounterReader {
    /// Counters of the calling thread's network namespace, from now on. To count in another namespace, open this
    /// in [`super::Namespace::run`]; it can then be read from anywhere.
    ///
    /// Counters of connection tracking and of queueing disciplines are left out where they cannot be read: no
    /// `/proc/net/stat/nf_conntrack` (the module is not loaded), no traffic control in the kernel.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            snmp: Table::open("snmp")?,
            netstat: Table::open("netstat")?,
            dev: Table::open("dev")?,
            snmp6: Table::open("snmp6").ok(),
            conntrack: Table::open("stat/nf_conntrack").ok(),
            qdiscs: Qdiscs::open().ok(),
            last: Counted::new(),
            begun: false,
        })
    }

    /// What moved since the last reading, names as the kernel's: `TcpRetransSegs`, `TcpExtListenOverflows`,
    /// `IpInDiscards`, `Ip6InNoRoutes`, `eth0:rx_dropped`, `eth0:qdisc_drops`, `conntrack:drop`, and
    /// `softnet:dropped`, which is of the whole host and not of the namespace. A counter that went back, because its
    /// interface is new, counts from 0.
    ///
    /// What did not move is not listed, so a reading may be empty: the counters were read and stood still. The
    /// first reading lists every counter there is, with 0; the others count from it.
    pub fn read(&mut self) -> io::Result<HostCounters> {
        let at_ns = now_ns(KernelClock::Realtime);
        let now = self.now()?;
        let deltas = if self.begun {
            moved(&self.last, &now)
        } else {
            now.keys().map(|name| (name.clone(), 0)).collect()
        };
        self.last = now;
        self.begun = true;
        Ok(HostCounters { at_ns, deltas: at_most(MAX_NAMES, deltas) })
    }

    fn now(&mut self) -> io::Result<Counted> {
        let mut found = Counted::new();
        for table in [&self.snmp, &self.netstat] {
            tables::add_snmp(&table.read()?, &mut found);
        }
        tables::add_interfaces(&self.dev.read()?, &mut found);
        // Absent in some sandboxes, and no reason to do without the others.
        if let Some(text) = self.snmp6.as_ref().and_then(|table| table.read().ok()) {
            tables::add_snmp6(&text, &mut found);
        }
        if let Some(text) = self.conntrack.as_ref().and_then(|table| table.read().ok()) {
            tables::add_conntrack(&text, &mut found);
        }
        if let Ok(text) = std::fs::read_to_string("/proc/net/softnet_stat") {
            tables::add_softnet(&text, &mut found);
        }
        let drops = self.qdiscs.as_mut().map(Qdiscs::drops);
        match drops {
            Some(Ok(drops)) => found.extend(drops),
            // A kernel without traffic control says so each time: it is not asked again.
            Some(Err(_)) => self.qdiscs = None,
            None => {}
        }
        Ok(found)
    }
}

fn moved(last: &Counted, now: &Counted) -> Counted {
    let by = |(name, value): (&String, &u64)| {
        let last = last.get(name).copied().unwrap_or(0);
        let by = if *value >= last { value - last } else { *value };
        (by > 0).then(|| (name.clone(), by))
    };
    now.iter().filter_map(by).collect()
}

/// The first `most` counters, those of interfaces behind all others.
fn at_most(most: usize, counted: Counted) -> Counted {
    if counted.len() <= most {
        return counted;
    }
    let of_interface =
        |name: &str| name.split_once(':').is_some_and(|(owner, _)| !matches!(owner, "conntrack" | "softnet"));
    let (interfaces, others): (Counted, Counted) =
        counted.into_iter().partition(|(name, _)| of_interface(name));
    others.into_iter().chain(interfaces).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_connection_moves_the_counters_once() {
        let mut reader = CounterReader::open().expect("counters");
        let first = reader.read().expect("counters").deltas;
        assert!(
            first.contains_key("TcpExtListenOverflows") && first.contains_key("IpInDiscards"),
            "{first:?}"
        );
        assert!(first.values().all(|by| *by == 0), "the first reading says only what there is");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let client = std::net::TcpStream::connect(listener.local_addr().expect("address")).expect("connects");
        let moved = reader.read().expect("counters");
        assert!(moved.deltas.get("TcpActiveOpens").is_some_and(|opens| *opens >= 1), "{moved:?}");
        assert!(moved.deltas.values().all(|by| *by > 0));
        drop(client);
    }
    #[test]
    fn what_did_not_move_is_left_out_and_a_new_interface_counts_from_zero() {
        let last = Counted::from([("a".into(), 5), ("b".into(), 7), ("eth0:rx_errors".into(), 9)]);
        let now =
            Counted::from([("a".into(), 5), ("b".into(), 9), ("eth0:rx_errors".into(), 3), ("c".into(), 1)]);
        let expected = Counted::from([("b".into(), 2), ("eth0:rx_errors".into(), 3), ("c".into(), 1)]);
        assert_eq!(moved(&last, &now), expected);
    }

    #[test]
    fn beyond_the_bound_interfaces_are_left_out_first() {
        let mut many: Counted = (0..600).map(|n| (format!("eth{n:03}:rx_dropped"), 1)).collect();
        many.extend([
            ("softnet:dropped".to_owned(), 2),
            ("TcpOutRsts".to_owned(), 3),
            ("conntrack:drop".to_owned(), 4),
        ]);
        let kept = at_most(MAX_NAMES, many);
        assert_eq!(kept.len(), MAX_NAMES);
        assert_eq!((kept["softnet:dropped"], kept["TcpOutRsts"], kept["conntrack:drop"]), (2, 3, 4));
        assert!(kept.contains_key("eth508:rx_dropped") && !kept.contains_key("eth509:rx_dropped"));
    }
}
