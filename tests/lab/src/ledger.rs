//! The middlebox's book: what it did to every packet.

use correlate_proto::{Direction, FourTuple, TcpFlags};
use std::io::{self, Write};

/// What was done to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Done {
    /// It passed unchanged, but for the TTL.
    Forward,
    /// It passed with other addresses or ports, or other fields changed.
    Rewrite,
    /// It was dropped.
    Drop,
    /// This is the second copy of the packet in an earlier entry.
    Duplicate,
    /// It was held back so that others could overtake it, then passed.
    Hold,
    /// No host sent it: the middlebox made it.
    Inject,
    /// It did not go on as a packet of its own, and nothing of it is lost: the middlebox answered it itself, or its
    /// payload left with the packet of an earlier entry.
    Absorb,
    /// This is another piece of the packet in an earlier entry, which leaves as a packet of its own. What came is in
    /// that entry.
    Piece,
}

impl Done {
    /// Word in the CSV.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Rewrite => "rewrite",
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Hold => "hold",
            Self::Inject => "inject",
            Self::Absorb => "absorb",
            Self::Piece => "piece",
        }
    }
}

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A TCP packet.
    Tcp,
    /// An ICMP or `ICMPv6` error that quotes TCP. Ports of the tuples are 0, TCP fields are 0.
    Icmp,
}

/// Which part of the way a packet travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leg {
    /// From host to host.
    Whole,
    /// Between the client and a relay.
    Near,
    /// Between a relay and the server.
    Far,
}

/// One decision about one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When the packet came in (or was made), ns by `CLOCK_REALTIME`.
    pub at_in_ns: i64,
    /// When it was sent on; absent if it never was.
    pub at_out_ns: Option<i64>,
    /// Direction of travel.
    pub direction: Direction,
    /// TCP or ICMP.
    pub protocol: Protocol,
    /// The connection, from client to server as the client sees it.
    pub connection: FourTuple,
    /// Part of the way. Beyond a relay the connection is the relay's own, as the relay sees it.
    pub leg: Leg,
    /// Four-tuple as it came.
    pub came: FourTuple,
    /// Four-tuple as it left.
    pub left: FourTuple,
    /// Which server it went to or came from, from 0.
    pub server: usize,
    /// IPv4 identification; absent for IPv6.
    pub ip_id: Option<u16>,
    /// Octets of the IP packet.
    pub ip_len: usize,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// TCP flags.
    pub flags: TcpFlags,
    /// Octets of TCP payload.
    pub payload_len: usize,
    /// Payload of each wire segment of a super-packet; 0 for a plain one.
    pub gso_size: u16,
    /// How many packets this is on a wire.
    pub wire_segments: usize,
    /// Own value of the timestamps option.
    pub tsval: Option<u32>,
    /// How many SACK blocks it bears.
    pub sack_blocks: usize,
    /// What was done.
    pub done: Done,
    /// Names of the rules that had an effect on it, joined by `+`; empty if none.
    pub rule: String,
    /// How long it was meant to stay, path delay included, in ns.
    pub delay_ns: u64,
    /// Sequence number as it left.
    pub seq_left: u32,
    /// Acknowledgement number as it left.
    pub ack_left: u32,
    /// IPv4 identification as it left.
    pub ip_id_left: Option<u16>,
    /// TCP flags as it left.
    pub flags_left: TcpFlags,
    /// Octets of TCP payload as it left.
    pub payload_len_left: usize,
    /// Own value of the timestamps option as it left.
    pub tsval_left: Option<u32>,
    /// In how many IPv4 fragments it left; 1 if whole.
    pub fragments: usize,
}

impl Entry {
    /// Whether the rule of that name had an effect on the packet, or made it.
    pub fn is_by(&self, rule: &str) -> bool {
        self.rule.split('+').any(|name| name == rule)
    }

    /// Whether it stands for a packet that a host sent: it is neither a copy nor forged nor a further piece.
    pub const fn is_by_host(&self) -> bool {
        !matches!(self.done, Done::Duplicate | Done::Inject | Done::Piece)
    }

    /// The sequence number of one of its wire segments, counted from 0, and how many octets of sequence space that has.
    /// A SYN and a FIN are octets too; a FIN goes with the last segment.
    pub fn octets(&self, place: usize) -> (u32, u32) {
        let flag = |flag: TcpFlags| u32::from(self.flags.has(flag));
        let len = u32::try_from(self.payload_len).unwrap_or(0) + flag(TcpFlags::SYN) + flag(TcpFlags::FIN);
        let last = self.wire_segments.saturating_sub(1);
        if last == 0 {
            return (self.seq, len);
        }
        let size = u32::from(self.gso_size);
        let offset = u32::try_from(place).unwrap_or(u32::MAX).saturating_mul(size).min(len);
        let octets = if place >= last { len - offset } else { size.min(len - offset) };
        (self.seq.wrapping_add(offset), octets)
    }
}

/// How many packets entered the middlebox in one direction, and what became of them, counted as on a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// TCP segments that a host sent.
    pub sent: usize,
    /// Of them, those that were dropped.
    pub lost: usize,
    /// Segments that the receiver got twice.
    pub duplicated: usize,
    /// Segments that no host sent.
    pub injected: usize,
}

impl Totals {
    /// Counts the TCP entries of one direction.
    pub fn of(entries: &[Entry], direction: Direction) -> Self {
        let mut totals = Self::default();
        for entry in entries {
            if entry.direction != direction || entry.protocol != Protocol::Tcp {
                continue;
            }
            let counts: &mut [&mut usize] = match entry.done {
                Done::Forward | Done::Rewrite | Done::Hold | Done::Absorb => &mut [&mut totals.sent],
                Done::Drop => &mut [&mut totals.sent, &mut totals.lost],
                Done::Duplicate => &mut [&mut totals.duplicated],
                Done::Inject => &mut [&mut totals.injected],
                Done::Piece => &mut [],
            };
            for count in counts {
                **count += entry.wire_segments;
            }
        }
        totals
    }
}

const HEADER: &str = "t_in_ns,t_out_ns,direction,protocol,server,came_src,came_dst,left_src,left_dst,ip_id,ip_len,\
seq,ack,flags,payload_len,gso_size,wire_segments,tsval,done,rule,delay_ns,seq_left,ack_left,\
connection_src,connection_dst,leg,sack_blocks,ip_id_left,flags_left,payload_len_left,tsval_left,fragments";

/// Writes the ledger as CSV, one line per entry, with a header line. Absent values are empty.
pub fn write_csv(entries: &[Entry], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{HEADER}")?;
    for entry in entries {
        write_entry(entry, out)?;
    }
    out.flush()
}

fn write_entry(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let direction = match entry.direction {
        Direction::ClientToServer => "c2s",
        Direction::ServerToClient => "s2c",
    };
    let protocol = match entry.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Icmp => "icmp",
    };
    write!(out, "{},{},{direction},{protocol},{},", entry.at_in_ns, text(entry.at_out_ns), entry.server)?;
    write!(out, "{},{},{},{},", entry.came.src, entry.came.dst, entry.left.src, entry.left.dst)?;
    write!(out, "{},{},{},{},", text(entry.ip_id), entry.ip_len, entry.seq, entry.ack)?;
    write!(out, "0x{:03x},{},{},", entry.flags.0, entry.payload_len, entry.gso_size)?;
    write!(out, "{},{},{},", entry.wire_segments, text(entry.tsval), entry.done.word())?;
    write!(out, "{},{},{},{},", entry.rule, entry.delay_ns, entry.seq_left, entry.ack_left)?;
    let leg = match entry.leg {
        Leg::Whole => "whole",
        Leg::Near => "near",
        Leg::Far => "far",
    };
    write!(out, "{},{},{leg},", entry.connection.src, entry.connection.dst)?;
    write!(out, "{},{},0x{:03x},", entry.sack_blocks, text(entry.ip_id_left), entry.flags_left.0)?;
    writeln!(out, "{},{},{}", entry.payload_len_left, text(entry.tsval_left), entry.fragments)
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}
