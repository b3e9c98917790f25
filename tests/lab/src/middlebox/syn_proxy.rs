//! A SYN proxy, as Linux's SYNPROXY is one (`net/netfilter/nf_synproxy_core.c`): it greets the client itself with a
//! closed window, calls the server only when the client has answered, and from then on translates the server's numbers
//! to those that it had made up.

use super::packet::Packet;
use crate::ledger::Leg;
use crate::rng::Rng;
use crate::rule::{Rewrite, SackBlocks};
use crate::wire::forge::Segment;
use crate::wire::view::{ETHERNET_LEN, TIMESTAMPS, TcpView, be32, find_option};
use correlate_proto::{Direction, FourTuple, TcpFlags};
use std::collections::BTreeMap;

/// The rule's name in the ledger.
const RULE: &str = "syn-proxy";

/// Window scale that it promises for the servers: Linux's own with its usual limit of 6 MiB on receive buffers.
const WINDOW_SCALE: u8 = 7;

const TTL: u8 = 64;
const MSS: u8 = 2;
const SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;

/// What becomes of a packet.
#[derive(Debug)]
pub(super) enum Proxied {
    /// It passes with these changes.
    Pass(Vec<(&'static str, Rewrite)>),
    /// The proxy takes it, and sends these by that rule: back to the packet's sender, or onward. Tuples are not set.
    Answer(&'static str, Vec<(bool, Segment)>),
}

/// The proxy for one port, with its connections.
#[derive(Debug)]
pub(super) struct SynProxy {
    port: u16,
    rng: Rng,
    calls: BTreeMap<FourTuple, Call>,
}

/// A connection through the proxy.
#[derive(Debug)]
struct Call {
    /// The client's SYN: its number, window and options.
    syn: (u32, u16, Vec<u8>),
    /// What the proxy made up: sequence number and timestamp.
    made_up: (u32, u32),
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The client was greeted.
    Greeted,
    /// The client has answered, and the server was called.
    Calling { answer: TcpView },
    /// The server has answered: by how much its sequence numbers and timestamps are shifted.
    Open { by: (u32, u32) },
}

impl SynProxy {
    /// A proxy for `port`.
    pub(super) const fn new(port: u16, seed: u64) -> Self {
        Self { port, rng: Rng::new(seed, 0x7379_6e00), calls: BTreeMap::new() }
    }

    /// What becomes of a packet.
    pub(super) fn consider(&mut self, packet: &Packet) -> Proxied {
        let way = packet.way;
        let Some(tcp) = packet.view.tcp().filter(|_| way.client_side.dst.port == self.port) else {
            return Proxied::Pass(Vec::new());
        };
        debug_assert_eq!(way.leg, Leg::Whole, "a relay needs no SYN proxy");
        if way.direction == Direction::ClientToServer && tcp.flags.is_syn() {
            return self.greet(packet, tcp);
        }
        let Some(call) = self.calls.get_mut(&way.client_side) else {
            return Proxied::Pass(Vec::new());
        };
        match (&call.stage, way.direction) {
            (Stage::Open { by: (seq, stamp) }, _) if !tcp.flags.is_syn_ack() => {
                let of = Direction::ServerToClient;
                let sack = SackBlocks::Shifted;
                Proxied::Pass(vec![
                    (RULE, Rewrite::ShiftSequence { of, by: *seq, sack }),
                    (RULE, Rewrite::ShiftTimestamps { of, by: *stamp }),
                ])
            }
            (Stage::Greeted, Direction::ClientToServer) if tcp.flags.has(TcpFlags::RST) => {
                Proxied::Answer(RULE, Vec::new())
            }
            (Stage::Greeted, Direction::ClientToServer) => call.call_server(tcp),
            (_, Direction::ServerToClient) if tcp.flags.is_syn_ack() => call.open(packet, tcp),
            // What the client says while the server is being called; it may say no more than that it is there.
            (_, Direction::ClientToServer) => Proxied::Answer(RULE, Vec::new()),
            // The server refuses: so be it.
            (_, Direction::ServerToClient) => Proxied::Pass(Vec::new()),
        }
    }

    /// Answers a SYN in the server's name.
    fn greet(&mut self, packet: &Packet, tcp: &TcpView) -> Proxied {
        let options = options_of(packet, tcp).to_vec();
        let known = self.calls.get(&packet.way.client_side).filter(|call| call.syn.0 == tcp.seq);
        let made_up = known.map(|call| call.made_up);
        let dice = self.rng.next_u64().to_be_bytes();
        let made_up = made_up.or_else(|| Some((be32(&dice, 0)?, be32(&dice, 4)?))).unwrap_or_default();
        let greeting = segment(
            (made_up.0, tcp.seq.wrapping_add(1)),
            TcpFlags(TcpFlags::SYN.0 | TcpFlags::ACK.0),
            0,
            greeting_options(&options, made_up.1),
        );
        let syn = (tcp.seq, tcp.window, options);
        self.calls.insert(packet.way.client_side, Call { syn, made_up, stage: Stage::Greeted });
        Proxied::Answer(RULE, vec![(true, greeting)])
    }
}

impl Call {
    /// Calls the server as the client did; the client's answer is kept.
    fn call_server(&mut self, answer: &TcpView) -> Proxied {
        if answer.ack != self.made_up.0.wrapping_add(1) {
            return Proxied::Answer(RULE, Vec::new());
        }
        let (seq, window, mut options) = self.syn.clone();
        if let (Some(found), Some(tsval)) = (find_option(&options, TIMESTAMPS), answer.tsval) {
            options[found.start + 2..found.start + 6].copy_from_slice(&tsval.to_be_bytes());
        }
        self.stage = Stage::Calling { answer: *answer };
        Proxied::Answer(RULE, vec![(false, segment((seq, 0), TcpFlags::SYN, window, options))])
    }

    /// Completes the server's handshake, and opens the window to the client.
    fn open(&mut self, packet: &Packet, greeting: &TcpView) -> Proxied {
        let (answer_window, answer_tsval) = match &self.stage {
            Stage::Calling { answer } => (answer.window, answer.tsval),
            // The server repeats itself.
            Stage::Open { .. } | Stage::Greeted => (self.syn.1, None),
        };
        let own = self.syn.0.wrapping_add(1);
        let stamps = |own: u32, echo: u32| {
            let mut options = vec![1, 1, TIMESTAMPS, 10];
            options.extend(own.to_be_bytes());
            options.extend(echo.to_be_bytes());
            options
        };
        let theirs = greeting.tsval.filter(|_| !options_of(packet, greeting).is_empty());
        let options = |own: Option<u32>, echo: Option<u32>| match (own, echo) {
            (Some(own), Some(echo)) => stamps(own, echo),
            _ => Vec::new(),
        };
        let to_server = segment(
            (own, greeting.seq.wrapping_add(1)),
            TcpFlags::ACK,
            answer_window,
            options(answer_tsval, theirs),
        );
        // The window of a SYN-ACK is not scaled, those after it are (RFC 7323 §2.2).
        let window = (greeting.window >> WINDOW_SCALE).max(1);
        let update = segment(
            (self.made_up.0.wrapping_add(1), own),
            TcpFlags::ACK,
            window,
            options(theirs.map(|_| self.made_up.1), answer_tsval),
        );
        let seq = self.made_up.0.wrapping_sub(greeting.seq);
        let stamp = theirs.map_or(0, |theirs| self.made_up.1.wrapping_sub(theirs));
        self.stage = Stage::Open { by: (seq, stamp) };
        Proxied::Answer(RULE, vec![(true, to_server), (false, update)])
    }
}

fn options_of<'a>(packet: &'a Packet, tcp: &TcpView) -> &'a [u8] {
    let start = ETHERNET_LEN + packet.view.ip.header_len;
    packet.frame.ethernet().get(start + 20..start + tcp.header_len).unwrap_or_default()
}

/// Options of a SYN-ACK to a SYN with these: what the client offers and the servers are known to take.
fn greeting_options(offered: &[u8], tsval: u32) -> Vec<u8> {
    let mut options = Vec::new();
    if let Some(found) = find_option(offered, MSS) {
        options.extend(&offered[found]);
    }
    if let Some(found) = find_option(offered, TIMESTAMPS) {
        // SACK-permitted takes the place of two no-operations before the timestamps.
        options.extend(find_option(offered, SACK_PERMITTED).map_or([1, 1], |_| [SACK_PERMITTED, 2]));
        options.extend([TIMESTAMPS, 10]);
        options.extend(tsval.to_be_bytes());
        options.extend(&offered[found.start + 2..found.start + 6]);
    } else if find_option(offered, SACK_PERMITTED).is_some() {
        options.extend([1, 1, SACK_PERMITTED, 2]);
    }
    if find_option(offered, SCALE).is_some() {
        options.extend([1, SCALE, 3, WINDOW_SCALE]);
    }
    options
}

const fn segment((seq, ack): (u32, u32), flags: TcpFlags, window: u16, options: Vec<u8>) -> Segment {
    Segment { tuple: NO_TUPLE, seq, ack, flags, window, options, ttl: TTL, ip_id: 0 }
}

/// What stands where the tuple will be.
const NO_TUPLE: FourTuple = {
    let nowhere =
        correlate_proto::Endpoint { addr: std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), port: 0 };
    FourTuple { src: nowhere, dst: nowhere }
};
