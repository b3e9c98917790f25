//! What the far end says of itself before it is told what to do.

use correlate_proto::Interface;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::str::FromStr;

/// The first line; the number is that of the protocol between `greet.sh` and this program.
const OPENS: &str = "correlate-ssh 1";
/// The last line.
const READY: &str = "ready";
/// Of a far end that ended and said nothing on its standard output.
pub(super) const SILENT: &str = "it ended without a word";
/// Lines before the greeting, which a login script may have said, and lines of it: a host of 4,096 interfaces has
/// some 13,000.
const MAX_LINES: usize = 32_768;

/// What captures there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::live) enum Tool {
    /// A correlate that may capture.
    Agent,
    /// tcpdump, as far as known without trying.
    Tcpdump,
    /// Neither.
    Nothing,
}

/// What a host said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::live) struct Greeting {
    /// The connection that it said this over, as sshd writes it; empty if it did not tell.
    pub(in crate::live) connection: String,
    /// Operating system and release.
    pub(super) system: String,
    /// Its interfaces with their addresses, none of them marked as captured; empty if it did not tell.
    pub(super) interfaces: Vec<Interface>,
    pub(in crate::live) tool: Tool,
}

impl Greeting {
    /// Takes the greeting from `lines`, whatever stands before it. An error if they end before it does.
    pub(super) fn read(mut lines: impl Iterator<Item = io::Result<String>>) -> io::Result<Self> {
        let mut greeting = Self {
            connection: String::new(),
            system: String::new(),
            interfaces: Vec::new(),
            tool: Tool::Nothing,
        };
        let mut known = BTreeMap::new();
        let mut opened = false;
        let mut noise = String::new();
        for _ in 0..MAX_LINES {
            let line = lines.next().unwrap_or_else(|| Err(ended(&noise)))?;
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match word {
                _ if line == OPENS => opened = true,
                _ if !opened => noise.clone_from(&line),
                "connection" => rest.trim().clone_into(&mut greeting.connection),
                "system" => rest.clone_into(&mut greeting.system),
                "link" => link(rest, &mut known),
                "address" => address(rest, &mut known),
                "tool" => greeting.tool = tool(rest),
                READY => {
                    greeting.interfaces = known.into_values().collect();
                    return Ok(greeting);
                }
                // Of a later version of the script, which says more.
                _ => {}
            }
        }
        Err(io::Error::other("it says too much before the session can begin"))
    }
}

/// The far end is gone; mostly it said why.
fn ended(noise: &str) -> io::Error {
    let said = if noise.is_empty() { SILENT } else { noise };
    io::Error::new(io::ErrorKind::UnexpectedEof, said)
}

fn tool(word: &str) -> Tool {
    match word {
        "agent" => Tool::Agent,
        "tcpdump" => Tool::Tcpdump,
        _ => Tool::Nothing,
    }
}

/// A line of `ip -o link show`: `2: eth0@if5: <BROADCAST,UP> mtu 1500 …`.
fn link(line: &str, known: &mut BTreeMap<u32, Interface>) {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let mtu = words.windows(2).find(|pair| pair[0] == "mtu").and_then(|pair| number(pair[1]));
    if let Some(interface) = interface(&words, known) {
        interface.mtu = mtu.unwrap_or(0);
    }
}

/// A line of `ip -o address show`: `2: eth0    inet 10.0.0.2/24 brd …`.
fn address(line: &str, known: &mut BTreeMap<u32, Interface>) {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let found = words.windows(2).find(|pair| matches!(pair[0], "inet" | "inet6"));
    let address =
        found.and_then(|pair| pair[1].split('/').next()).and_then(|text| IpAddr::from_str(text).ok());
    if let (Some(address), Some(interface)) = (address, interface(&words, known)) {
        interface.addresses.push(address);
    }
}

fn interface<'a>(words: &[&str], known: &'a mut BTreeMap<u32, Interface>) -> Option<&'a mut Interface> {
    let [index, name, ..] = words else { return None };
    let index = number(index.strip_suffix(':')?)?;
    // A link names the interface at its other end behind an @.
    let name = name.trim_end_matches(':').split('@').next().unwrap_or_default();
    Some(known.entry(index).or_insert_with(|| Interface {
        name: name.to_owned(),
        index,
        ..Interface::default()
    }))
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<Greeting> {
        Greeting::read(text.lines().map(|line| Ok(line.to_owned())))
    }

    #[test]
    fn a_greeting_is_read_behind_whatever_a_login_script_says() {
        let greeting = read(
            "Welcome to db!\ntool agent\ncorrelate-ssh 1\nconnection 10.0.0.1 4000 10.0.0.2 22\nsystem Linux 6.1\n\
             link 2: eth0@if9: <BROADCAST,UP> mtu 1400 qdisc noqueue\\    link/ether 00:11\n\
             link 1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue\n\
             address 2: eth0    inet 10.0.0.2/24 brd 10.0.0.255 scope global eth0\\       valid_lft forever\n\
             address 2: eth0    inet6 fd00::2/64 scope global \nnews of a later version\ntool tcpdump\nready\nnot read\n",
        )
        .expect("a greeting");
        let interface = |index, name: &str, mtu, addresses: &[&str]| Interface {
            name: name.into(),
            index,
            mtu,
            addresses: addresses.iter().map(|text| text.parse().expect("an address")).collect(),
            ..Interface::default()
        };
        let expected = Greeting {
            connection: "10.0.0.1 4000 10.0.0.2 22".into(),
            system: "Linux 6.1".into(),
            interfaces: vec![
                interface(1, "lo", 65_536, &[]),
                interface(2, "eth0", 1_400, &["10.0.0.2", "fd00::2"]),
            ],
            tool: Tool::Tcpdump,
        };
        assert_eq!(greeting, expected);
    }

    #[test]
    fn a_connection_that_ends_before_the_greeting_does_is_an_error() {
        for text in ["", "correlate-ssh 1\ntool agent\n", "ready\n"] {
            assert_eq!(read(text).expect_err(text).kind(), io::ErrorKind::UnexpectedEof);
        }
        let refused = read("This account is currently not available.\n").expect_err("no greeting");
        assert_eq!(refused.to_string(), "This account is currently not available.");
        let endless = std::iter::repeat_with(|| Ok("tool agent".to_owned()));
        assert!(Greeting::read(endless).is_err());
    }
}
