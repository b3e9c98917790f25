//! Captures in network namespaces that the tests make for themselves.

use super::{Live, LiveOptions};
use crate::capture::{CaptureError, FrameSource, Next};
use crate::filter::{Exclusion, Filter};
use crate::host::{CounterReader, Namespace, Privileges};
use correlate_proto::{Endpoint, Heard};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A network namespace that lives as long as a child process in it.
struct Held {
    child: Child,
}

impl Held {
    fn new() -> Self {
        let mut child = Command::new("unshare")
            .args(["-n", "sh", "-c", "ip link set lo up && echo ready && exec sleep 300"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        Self { child }
    }

    fn path(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.child.id()).into()
    }

    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        Namespace::named(&self.path()).run(work).expect("entered")
    }

    fn ip(&self, words: &str) {
        let status = self.run(|| Command::new("ip").args(words.split(' ')).status()).expect("ip runs");
        assert!(status.success(), "ip {words}");
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client and a server host with a cable between them: `c0` and `s0`.
struct Pair {
    client: Held,
    server: Held,
}

impl Pair {
    /// Absent, with the reason printed, where this cannot be made.
    fn new() -> Option<Self> {
        let privileges = Privileges::current();
        let tools = ["ip", "unshare"].iter().all(|tool| Command::new(tool).arg("--help").output().is_ok());
        if !(privileges.sys_admin && privileges.net_raw && privileges.net_admin && tools) {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "no privilege or no ip and unshare: {privileges:?}"
            );
            println!("skipped: this takes root, ip and unshare: {privileges:?}");
            return None;
        }
        let (client, server) = (Held::new(), Held::new());
        client.ip(&format!("link add c0 type veth peer name s0 netns {}", server.child.id()));
        for (host, interface, last) in [(&client, "c0", 1), (&server, "s0", 2)] {
            host.ip(&format!("addr add 10.77.0.{last}/24 dev {interface}"));
            host.ip(&format!("addr add fd77::{last}/64 dev {interface} nodad"));
            host.ip(&format!("link set {interface} up"));
        }
        Some(Self { client, server })
    }

    fn capture(&self, words: &str, change: impl FnOnce(&mut LiveOptions)) -> Live {
        let mut options = LiveOptions {
            namespace: Some(self.client.path()),
            interfaces: vec!["c0".to_owned()],
            filter: Filter::parse(words).expect("compiles"),
            ..LiveOptions::default()
        };
        change(&mut options);
        Live::open(&options).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Sends `len` octets from the client to the server's `address`, and waits until they have arrived.
    fn transfer(&self, address: &str, len: usize) {
        let listener = self.server.run(|| TcpListener::bind(address)).expect("listens");
        let reader = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accepts");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("reads");
            all.len()
        });
        let mut stream = self.client.run(|| TcpStream::connect(address)).expect("connects");
        stream.write_all(&vec![7; len]).expect("writes");
        drop(stream);
        assert_eq!(reader.join().expect("no panic"), len);
    }
}

/// What a test looks at in a frame.
#[derive(Debug, Clone)]
struct Seen {
    heard: Heard,
    wire_len: u32,
    bytes: Vec<u8>,
    gso_size: Option<u16>,
    checksum_partial: bool,
    interface: String,
}

impl Seen {
    fn flags(&self) -> u8 {
        let header = if self.bytes[12..14] == [0x86, 0xdd] { 54 } else { 34 };
        self.bytes[header + 13]
    }

    fn ports(&self) -> [u16; 2] {
        let header = if self.bytes[12..14] == [0x86, 0xdd] { 54 } else { 34 };
        let port = |at: usize| u16::from_be_bytes([self.bytes[header + at], self.bytes[header + at + 1]]);
        [port(0), port(2)]
    }
}

/// Stops the capture and reads it to its end.
fn drain(live: &mut Live) -> Vec<Seen> {
    live.stop().expect("stops");
    let began = Instant::now();
    let mut found = Vec::new();
    loop {
        assert!(began.elapsed() < Duration::from_secs(30), "a stopped capture ends");
        let seen = match live.next().expect("reads") {
            Next::End => return found,
            Next::Idle => continue,
            Next::Frame(frame) => (
                frame.interface,
                Seen {
                    heard: frame.heard,
                    wire_len: frame.wire_len,
                    bytes: frame.bytes.to_vec(),
                    gso_size: frame.gso_size.map(Into::into),
                    checksum_partial: frame.checksum_partial,
                    interface: String::new(),
                },
            ),
        };
        let interface = live.interfaces()[usize::from(seen.0)].name.clone();
        found.push(Seen { interface, ..seen.1 });
    }
}

#[test]
fn both_directions_are_captured_over_both_families_and_nothing_but_the_filter() {
    let Some(pair) = Pair::new() else { return };
    let mut live = pair.capture("port 5432", |_| ());
    for address in ["10.77.0.2:5432", "[fd77::2]:5432", "10.77.0.2:9999"] {
        pair.transfer(address, 1000);
    }
    let began = live.started();
    let found = drain(&mut live);
    for ipv6 in [false, true] {
        let of_family = |seen: &&Seen| (seen.bytes[12..14] == [0x86, 0xdd]) == ipv6;
        let with = |flags: u8| {
            found.iter().filter(of_family).filter(|seen| seen.flags() & 0x17 == flags).collect::<Vec<_>>()
        };
        let (syn, syn_ack) = (with(0x02), with(0x12));
        assert_eq!((syn.len(), syn_ack.len()), (1, 1), "IPv6: {ipv6}");
        assert_eq!((syn[0].heard, syn_ack[0].heard), (Heard::Out, Heard::In));
    }
    assert!(found.iter().all(|seen| seen.ports().contains(&5432) && seen.interface == "c0"));
    assert!(
        found.iter().any(|seen| seen.heard == Heard::Out && seen.checksum_partial),
        "veth leaves checksums unfinished"
    );
    let stats = live.stats();
    assert_eq!((stats.frames, stats.dropped_by_kernel), (found.len() as u64, 0));
    assert!(stats.interface_frames.is_some_and(|frames| frames > stats.frames), "{stats:?}");
    assert!(
        stats.coverage[0].from == began && stats.last_at.is_some_and(|last| last <= stats.coverage[0].to),
        "{stats:?}"
    );
    assert!(live.warnings().is_empty());
    assert_eq!(live.link_type_name(), "EN10MB");
    let addresses = &live.interfaces().iter().find(|interface| interface.captured).expect("c0").addresses;
    assert!(addresses.contains(&"10.77.0.1".parse().expect("address")), "{addresses:?}");
}

#[test]
fn segment_sizes_of_offloaded_packets_are_known_and_the_snaplen_cuts() {
    let Some(pair) = Pair::new() else { return };
    let mut live = pair.capture("port 5432", |options| options.snaplen = 100);
    pair.transfer("10.77.0.2:5432", 4_000_000);
    let found = drain(&mut live);
    let large: Vec<&Seen> =
        found.iter().filter(|seen| seen.heard == Heard::Out && seen.wire_len > 1514).collect();
    assert!(!large.is_empty(), "no offloaded packet among {} frames", found.len());
    assert!(large.iter().all(|seen| seen.gso_size == Some(1448)), "{:?}", large[0]);
    assert!(found.iter().filter(|seen| seen.wire_len < 1514).all(|seen| seen.gso_size.is_none()));
    assert!(found.iter().all(|seen| seen.bytes.len() == seen.wire_len.min(100) as usize));
    let payload: u64 =
        found.iter().filter(|seen| seen.heard == Heard::Out).map(|seen| u64::from(seen.wire_len) - 66).sum();
    assert!(payload >= 4_000_000, "{payload} octets of payload captured");
}

#[test]
fn a_full_ring_drops_and_says_how_many_and_when() {
    let Some(pair) = Pair::new() else { return };
    let mut live = pair.capture("port 5432", |options| (options.ring_bytes, options.snaplen) = (1, 65_535));
    let mut counting = pair.capture("port 5432", |options| options.snaplen = 64);
    let before = live.started();
    // Nobody reads meanwhile, and 20 MB do not fit two blocks of 256 KiB.
    pair.transfer("10.77.0.2:5432", 20_000_000);
    let (found, all) = (drain(&mut live), drain(&mut counting));
    let (stats, reference) = (live.stats(), counting.stats());
    assert_eq!(reference.dropped_by_kernel, 0, "{reference:?}");
    assert!(stats.dropped_by_kernel > 0 && stats.drop_windows.len() == 1, "{stats:?}");
    assert_eq!(found.len() as u64 + stats.dropped_by_kernel, all.len() as u64);
    let window = stats.drop_windows[0];
    assert!(window.from >= before && stats.last_at.is_some_and(|last| window.to >= last), "{stats:?}");
}

#[test]
fn a_loopback_packet_is_captured_once() {
    let Some(pair) = Pair::new() else { return };
    let mut live = pair.capture("port 5432", |options| options.interfaces.clear());
    let listener = pair.client.run(|| TcpListener::bind("127.0.0.1:5432")).expect("listens");
    let stream = pair.client.run(|| TcpStream::connect("127.0.0.1:5432")).expect("connects");
    drop((stream, listener));
    pair.transfer("10.77.0.2:5432", 10);
    let found = drain(&mut live);
    let syns = |interface: &str| {
        found
            .iter()
            .filter(|seen| seen.interface == interface && seen.flags() & 0x12 == 0x02)
            .map(|seen| seen.heard)
            .collect::<Vec<_>>()
    };
    assert_eq!((syns("lo"), syns("c0")), (vec![Heard::In], vec![Heard::Out]));
}

#[test]
fn several_interfaces_are_chosen_by_name_and_one_that_appears_later_is_not() {
    let Some(pair) = Pair::new() else { return };
    pair.client.ip("link add x0 type veth peer name x1");
    let mut live = pair.capture("", |options| options.interfaces = vec!["x0".to_owned(), "lo".to_owned()]);
    pair.transfer("10.77.0.2:5432", 10);
    let listener = pair.client.run(|| TcpListener::bind("127.0.0.1:5432")).expect("listens");
    drop(pair.client.run(|| TcpStream::connect("127.0.0.1:5432")).expect("connects"));
    drop(listener);
    let found = drain(&mut live);
    assert!(!found.is_empty() && found.iter().all(|seen| seen.interface == "lo"), "{found:?}");
}

#[test]
fn an_interface_that_appears_while_all_are_captured_is_captured_and_listed() {
    let Some(pair) = Pair::new() else { return };
    let mut live = pair.capture("", |options| options.interfaces.clear());
    let before = live.interfaces().len();
    pair.client.ip(&format!("link add c9 type veth peer name s9 netns {}", pair.server.child.id()));
    for (host, interface, last) in [(&pair.client, "c9", 1), (&pair.server, "s9", 2)] {
        host.ip(&format!("addr add 10.99.0.{last}/24 dev {interface}"));
        host.ip(&format!("link set {interface} up"));
    }
    pair.transfer("10.99.0.2:5432", 10);
    let found = drain(&mut live);
    assert!(!found.is_empty() && found.iter().all(|seen| seen.interface == "c9"), "{found:?}");
    assert_eq!(live.interfaces().len(), before + 1);
    assert!(live.interfaces()[before].captured && live.interfaces()[before].mtu == 1500);
}

#[test]
fn an_idle_capture_says_so_and_its_watermark_follows_the_clock() {
    let Some(pair) = Pair::new() else { return };
    let mut live = pair.capture("port 1", |_| ());
    let mut last = live.watermark();
    assert!(last <= live.started());
    for _ in 0..4 {
        assert!(matches!(live.next().expect("reads"), Next::Idle));
        let behind = super::now().since(live.watermark()).as_ns();
        let settled = live.watermark() <= live.started() || behind >= 180_000_000;
        assert!(live.watermark() >= last && settled, "{behind} ns behind");
        last = live.watermark();
    }
    assert!(last > live.started(), "after 400 ms without a frame the first ones are proven empty");
}

#[test]
fn excluded_connections_are_not_captured() {
    let Some(pair) = Pair::new() else { return };
    let control = Endpoint { addr: "10.77.0.2".parse().expect("address"), port: 4433 };
    let mut live = pair.capture("host 10.77.0.2", |options| {
        options.filter = options.filter.excluding(&[Exclusion::Endpoint(control)]).expect("fits");
    });
    pair.transfer("10.77.0.2:4433", 1000);
    pair.transfer("10.77.0.2:5432", 1000);
    let found = drain(&mut live);
    assert!(!found.is_empty() && found.iter().all(|seen| seen.ports().contains(&5432)));
}

#[test]
fn the_end_of_an_interface_is_the_end_of_its_capture() {
    let Some(pair) = Pair::new() else { return };
    let mut live = pair.capture("", |_| ());
    pair.client.ip("link del c0");
    let began = Instant::now();
    while !matches!(live.next().expect("reads"), Next::End) {
        assert!(began.elapsed() < Duration::from_secs(10), "it ends");
    }
    assert!(live.stats().ended_early.is_some_and(|reason| reason.contains("gone")));
}

#[test]
fn counters_of_a_namespace_are_read_from_outside_it() {
    let Some(pair) = Pair::new() else { return };
    let mut server = pair.server.run(CounterReader::open).expect("counters");
    let mut client = pair.client.run(CounterReader::open).expect("counters");
    for reader in [&mut server, &mut client] {
        reader.read().expect("the reading that the next one counts from");
    }
    pair.transfer("10.77.0.2:5432", 1000);
    let (server, client) = (server.read().expect("counters"), client.read().expect("counters"));
    assert_eq!((server.deltas.get("TcpPassiveOpens"), server.deltas.get("TcpActiveOpens")), (Some(&1), None));
    assert_eq!((client.deltas.get("TcpPassiveOpens"), client.deltas.get("TcpActiveOpens")), (None, Some(&1)));
}

#[test]
fn a_wrong_name_is_an_error_that_lists_the_right_ones() {
    let Some(pair) = Pair::new() else { return };
    let open = |change: &dyn Fn(&mut LiveOptions)| {
        let mut options = LiveOptions { namespace: Some(pair.client.path()), ..LiveOptions::default() };
        change(&mut options);
        Live::open(&options).map(|_| ()).expect_err("refused")
    };
    let error = open(&|options| options.interfaces = vec!["eth7".to_owned()]);
    let CaptureError::NoSuchInterface { known, .. } = &error else { panic!("{error}") };
    assert!(known.contains("lo") && known.contains("c0"), "{error}");
    let error = open(&|options| options.interfaces = vec!["lo".to_owned(); 65]);
    assert!(matches!(error, CaptureError::TooManyInterfaces { given: 65, .. }), "{error}");
    let error = open(&|options| options.namespace = Some("no-such-name".into()));
    assert!(matches!(error, CaptureError::Namespace(_)), "{error}");
}
