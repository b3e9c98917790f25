//! What a capture point records of a packet: headers, never payload.

use crate::seq::SeqNum;
use crate::time::{Local, Timestamp};
use crate::tuple::FourTuple;
use core::num::NonZeroU16;
use std::net::IpAddr;

/// TCP flags, the twelve bits of the header's fourth word (RFC 9293 §3.1; AE: RFC 9768).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    /// No more data from sender.
    pub const FIN: Self = Self(0x001);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(0x002);
    /// Reset the connection.
    pub const RST: Self = Self(0x004);
    /// Push function.
    pub const PSH: Self = Self(0x008);
    /// The acknowledgement field is significant.
    pub const ACK: Self = Self(0x010);
    /// The urgent pointer is significant.
    pub const URG: Self = Self(0x020);
    /// ECN echo (RFC 3168).
    pub const ECE: Self = Self(0x040);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x080);
    /// Accurate ECN (RFC 9768).
    pub const AE: Self = Self(0x100);

    /// Whether every flag of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether SYN is set and ACK is not: the first packet of a connection.
    #[must_use]
    pub const fn is_syn(self) -> bool {
        self.0 & 0x012 == 0x002
    }

    /// Whether SYN and ACK are both set.
    #[must_use]
    pub const fn is_syn_ack(self) -> bool {
        self.0 & 0x012 == 0x012
    }
}

/// Which way a frame crossed the interface that it was captured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Heard {
    /// The capture format does not tell (most files).
    #[default]
    Unknown,
    /// Sent by this host.
    Out,
    /// Received by this host.
    In,
}

/// Up to four SACK blocks (RFC 2018 §3: 40 octets of options leave room for no more).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SackBlocks {
    blocks: [(SeqNum, SeqNum); 4],
    len: u8,
}

impl SackBlocks {
    /// Appends the block `[left, right)`; a fifth is ignored, as no header has room for it.
    pub fn push(&mut self, left: SeqNum, right: SeqNum) {
        if let Some(slot) = self.blocks.get_mut(usize::from(self.len)) {
            *slot = (left, right);
            self.len += 1;
        }
    }

    /// The blocks in header order, each `[left, right)`.
    #[must_use]
    pub fn as_slice(&self) -> &[(SeqNum, SeqNum)] {
        &self.blocks[..usize::from(self.len)]
    }
}

/// TCP options that the analysis reads (RFC 9293 §3.2, RFC 7323, RFC 2018).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TcpOptions {
    /// Maximum segment size, only on SYN packets.
    pub mss: Option<u16>,
    /// Window scale shift, only on SYN packets.
    pub window_scale: Option<u8>,
    /// SACK permitted, only on SYN packets.
    pub sack_permitted: bool,
    /// Timestamps option: (`TSval`, `TSecr`).
    pub timestamps: Option<(u32, u32)>,
    /// SACK blocks.
    pub sack: SackBlocks,
    /// Hash of the kinds of all options in their order, values left out; 0 if there are none. For telling
    /// whether a device changed the layout.
    pub layout: u32,
}

/// IP header fields of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct IpFields {
    /// IPv4 identification; absent for IPv6. Of an offloaded packet: that of its first wire segment.
    pub id: Option<u16>,
    /// TTL or hop limit, as captured.
    pub ttl: u8,
    /// DSCP and ECN: IPv4 TOS or IPv6 traffic class.
    pub tos: u8,
    /// Don't-fragment bit; true for IPv6, which routers never fragment.
    pub dont_fragment: bool,
    /// Octets of the whole IP packet, header included, as on the wire. Of an offloaded packet this may exceed
    /// 65,535 (BIG TCP).
    pub len: u32,
    /// IPv6 flow label; 0 for IPv4.
    pub flow_label: u32,
}

/// One TCP packet as a capture point saw it. An offloaded super-packet (TSO, GRO) is one `Segment`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Number of the packet in its capture, from 1. In a file: the number that Wireshark shows, counted over
    /// all frames. Live: counted over the frames that passed the filter.
    pub packet: u64,
    /// When it was captured, by the capture point's own clock.
    pub at: Timestamp<Local>,
    /// Which way it crossed the interface.
    pub heard: Heard,
    /// Index into the capture point's interfaces.
    pub interface: u16,
    /// Source and destination.
    pub tuple: FourTuple,
    /// Sequence number of the first octet.
    pub seq: SeqNum,
    /// Acknowledgement number; meaningful with the ACK flag.
    pub ack: SeqNum,
    /// Flags.
    pub flags: TcpFlags,
    /// Window as in the header, before scaling.
    pub window: u16,
    /// Octets of TCP payload on the wire, from the IP lengths, whatever was captured of them.
    pub payload_len: u32,
    /// Octets of payload in each wire segment of an offloaded super-packet, where the capture tells.
    pub gso_size: Option<NonZeroU16>,
    /// IP header fields.
    pub ip: IpFields,
    /// TCP options.
    pub options: TcpOptions,
    /// One's-complement sum of the payload, folded to 16 bits, derived from the TCP checksum by RFC 1624
    /// arithmetic; absent where offload left the checksum partial or the header was cut.
    pub payload_sum: Option<u16>,
    /// The first fragment of a fragmented datagram: `payload_len` is that of the fragment, the rest follows in
    /// fragments that carry no TCP header.
    pub first_fragment: bool,
    /// The capture cut the frame inside the TCP header or its options; fields behind the cut are absent.
    pub header_truncated: bool,
}

impl Segment {
    /// Length in sequence space: payload, plus one for SYN and one for FIN (RFC 9293 §3.4).
    #[must_use]
    pub const fn seq_len(&self) -> u32 {
        self.payload_len
            .saturating_add((self.flags.0 & TcpFlags::SYN.0 != 0) as u32)
            .saturating_add((self.flags.0 & TcpFlags::FIN.0 != 0) as u32)
    }
}

/// An ICMP or `ICMPv6` error message that quotes a TCP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpError {
    /// Number of the packet in its capture, as [`Segment::packet`].
    pub packet: u64,
    /// When it was captured, by the capture point's own clock.
    pub at: Timestamp<Local>,
    /// Which way it crossed the interface.
    pub heard: Heard,
    /// Index into the capture point's interfaces.
    pub interface: u16,
    /// Who sent the message.
    pub from: IpAddr,
    /// Whom it was sent to.
    pub to: IpAddr,
    /// What it reports.
    pub kind: IcmpKind,
    /// ICMP type as on the wire.
    pub icmp_type: u8,
    /// ICMP code as on the wire.
    pub icmp_code: u8,
    /// Four-tuple of the quoted packet, as that packet travelled.
    pub quoted: FourTuple,
    /// Sequence number of the quoted packet.
    pub quoted_seq: SeqNum,
    /// IPv4 identification of the quoted packet.
    pub quoted_ip_id: Option<u16>,
    /// Octets of the quoted IP packet.
    pub quoted_ip_len: u32,
    /// TTL that the message arrived with.
    pub ttl: u8,
}

/// What an ICMP error reports (RFC 792, RFC 1191, RFC 4443).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IcmpKind {
    /// The packet was too big for a link: its MTU in octets (0 if the router did not say, RFC 1191 §4).
    TooBig {
        /// MTU of the next hop.
        mtu: u32,
    },
    /// No listener at that port.
    PortUnreachable,
    /// A filter forbids it.
    Prohibited,
    /// No way to the host or network.
    Unreachable,
    /// TTL ran out.
    TimeExceeded,
    /// Any other error.
    Other,
}

/// One captured packet that the analysis can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// A TCP packet.
    Segment(Segment),
    /// An ICMP error that quotes one.
    IcmpError(IcmpError),
}

impl Record {
    /// When the packet was captured.
    #[must_use]
    pub const fn at(&self) -> Timestamp<Local> {
        match self {
            Self::Segment(segment) => segment.at,
            Self::IcmpError(error) => error.at,
        }
    }

    /// The same record with another stamp.
    #[must_use]
    pub const fn stamped(mut self, at: Timestamp<Local>) -> Self {
        match &mut self {
            Self::Segment(segment) => segment.at = at,
            Self::IcmpError(error) => error.at = at,
        }
        self
    }

    /// The same record of a capture whose packets are numbered from `before` plus 1.
    #[must_use]
    pub const fn numbered_after(mut self, before: u64) -> Self {
        match &mut self {
            Self::Segment(segment) => segment.packet = segment.packet.saturating_add(before),
            Self::IcmpError(error) => error.packet = error.packet.saturating_add(before),
        }
        self
    }

    /// Number of the packet in its capture.
    #[must_use]
    pub const fn packet(&self) -> u64 {
        match self {
            Self::Segment(segment) => segment.packet,
            Self::IcmpError(error) => error.packet,
        }
    }
}
