//! A host that forwards for a container and drops between its two interfaces, by a packet filter that counts what it
//! drops: the real capture path against that count.

use crate::support::live::Live;
use crate::support::report::Report;
use crate::support::scratch;
use correlate_lab::{LabError, Namespace};
use correlate_tests::permits::Permit;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 9, 2, 2)), 7000);
const CONNECTIONS: usize = 4;
/// Octets each way on each connection: some 700 segments.
const OCTETS: usize = 1_000_000;

/// Data segments that come in on `$IN` and go out on `$OUT`: every 33rd of them is dropped, and counted.
const DROP: &str = "iifname IN oifname OUT meta length > 200 numgen inc mod 33 == 7 counter drop";

/// A container `cont0`, its host with `veth0` and `eth0`, and a server.
struct Hosts {
    container: Namespace,
    host: Namespace,
    server: Namespace,
}

impl Hosts {
    /// `Ok(None)` where it cannot be built, for want of a program or of privileges.
    fn build(rule: &str) -> Option<Self> {
        for program in ["ip", "nft"] {
            if Command::new(program).arg("-V").output().is_err() {
                scratch::skip(&format!("{program} is not installed"));
                return None;
            }
        }
        let made = || {
            Ok(Self {
                container: Namespace::new("container")?,
                host: Namespace::new("host")?,
                server: Namespace::new("server")?,
            })
        };
        let hosts = match made() {
            Ok(hosts) => hosts,
            Err(error @ LabError::NoPrivilege { .. }) => {
                scratch::skip(&error.to_string());
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let (container, server) = (hosts.container.path(), hosts.server.path());
        let (container, server) = (container.display(), server.display());
        // Segments as they are on the wire: the filter counts packets.
        sh(
            &hosts.host,
            &format!(
                "ip link set lo up
                 ip link add veth0 type veth peer name cont0 netns {container}
                 ip link add eth0 type veth peer name server0 netns {server}
                 ip addr add 10.9.1.1/24 dev veth0
                 ip addr add 10.9.2.1/24 dev eth0
                 ip link set veth0 up
                 ip link set eth0 up
                 nft add table inet lab
                 nft 'add chain inet lab forward {{ type filter hook forward priority 0; }}'
                 nft 'add rule inet lab forward {rule}'"
            ),
        );
        let forward = || std::fs::write("/proc/sys/net/ipv4/ip_forward", "1");
        hosts.host.enter(forward).expect("enters").expect("forwards");
        for (namespace, name, address) in
            [(&hosts.container, "cont0", "10.9.1.2"), (&hosts.server, "server0", "10.9.2.2")]
        {
            let gateway = format!("{}.1", address.strip_suffix(".2").expect("a host"));
            sh(
                namespace,
                &format!(
                    "ip link set lo up
                     ip addr add {address}/24 dev {name}
                     ip link set {name} up gso_max_segs 1
                     ip route add default via {gateway}"
                ),
            );
        }
        Some(hosts)
    }

    /// What the packet filter dropped.
    fn dropped(&self) -> u64 {
        let rules = sh(&self.host, "nft list table inet lab");
        let count = rules.split("counter packets ").nth(1).and_then(|rest| rest.split(' ').next());
        count.and_then(|count| count.parse().ok()).expect("a counter")
    }

    /// Octets both ways on each connection.
    fn talk(&self) {
        let listener = self.server.enter(|| TcpListener::bind(SERVER)).expect("enters").expect("listens");
        std::thread::scope(|scope| {
            let serve = || (0..CONNECTIONS).try_for_each(|_| serve(&listener));
            let serving = scope.spawn(serve);
            let asked = self.container.enter(|| (0..CONNECTIONS).try_for_each(|_| ask()));
            asked.expect("enters").expect("the client talks");
            serving.join().expect("the server ends").expect("the server talks");
        });
    }

    /// What `run` says of it, capturing all interfaces of the host and of the server.
    fn judge(&self, name: &str) -> Report {
        let hosts = [&self.host, &self.server].map(|host| format!("netns:{}", host.path().display()));
        let live = Live::start(&hosts, &scratch::folder(name).join("session.correlate"));
        self.talk();
        Report::read(&live.stop()).expect("a report")
    }
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let (mut connection, _) = listener.accept()?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    connection.read_exact(&mut vec![0; OCTETS])?;
    connection.write_all(&vec![1; OCTETS])?;
    connection.read(&mut [0]).map(drop)
}

fn ask() -> io::Result<()> {
    let mut connection = TcpStream::connect(SERVER)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    connection.write_all(&vec![2; OCTETS])?;
    connection.read_exact(&mut vec![0; OCTETS])
}

/// Runs shell commands in `namespace`, each of which must succeed, and gives what they print.
fn sh(namespace: &Namespace, script: &str) -> String {
    let run = || Command::new("sh").args(["-ec", script]).output();
    let output = namespace.enter(run).expect("enters").expect("a shell");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The one loss that is told is the host's, with `least` in a hundred of the segments that the packet filter dropped, and
/// never more than those.
fn assert_told(name: &str, (from, to): (&str, &str), direction: &str, least: u64, words: [&str; 2]) {
    let Some(hosts) = Hosts::build(&DROP.replace("IN", from).replace("OUT", to)) else { return };
    let permit = Permit::take();
    let report = hosts.judge(name);
    drop(permit);
    let dropped = hosts.dropped();
    assert!(dropped > 20, "{dropped}");
    let found = report.finding("packet-loss").expect("loss");
    assert_eq!(found.text("location"), "client-host", "{}", found.shown());
    assert_eq!(found.text("direction"), direction, "{}", found.shown());
    let told = found.field("count").as_u64().expect("a count");
    assert!(told <= dropped && told * 100 >= dropped * least, "{dropped} dropped: {}", found.shown());
    for words in words {
        assert!(found.text("sentence").contains(words), "{}", found.shown());
    }
}

#[test]
fn what_a_host_drops_of_its_container_is_its_own_loss_and_as_much_as_it_counted() {
    let words = ["coming in on veth0", "never going out on eth0"];
    assert_told("inside-host-out", ("veth0", "eth0"), "client-to-server", 100, words);
}

#[test]
fn what_a_host_drops_on_the_way_to_its_container_arrived_and_is_its_own_loss() {
    // Of what was dropped twice only the first is sure to have been sent again for it.
    let words = ["coming in on eth0", "never going out on veth0"];
    assert_told("inside-host-in", ("eth0", "veth0"), "server-to-client", 90, words);
}

#[test]
fn a_host_that_forwards_everything_is_accused_of_nothing() {
    let Some(hosts) = Hosts::build("meta length > 200 counter accept") else { return };
    let permit = Permit::take();
    let report = hosts.judge("inside-host-clean");
    drop(permit);
    assert!(hosts.dropped() > 1000, "the rule saw the traffic");
    assert!(report.finding("packet-loss").is_none());
    assert_eq!(report.at("/verdict/status"), "clean");
}
