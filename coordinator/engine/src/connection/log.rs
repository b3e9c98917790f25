//! Packets that findings speak of one by one: handshakes, resets, ICMP errors.

use super::{Few, Offers, PacketRef};
use correlate_proto::{Direction, IcmpError};

/// Handshake packets at one capture point.
#[derive(Debug, Default)]
pub(crate) struct HandshakeLog {
    pub(crate) syn: Few<PacketRef>,
    pub(crate) syn_ack: Few<PacketRef>,
    /// What either kind offered.
    pub(crate) offers: Offers,
    /// First packet of the opener that acknowledges the SYN-ACK.
    pub(crate) ack: Option<PacketRef>,
    /// First plain ACK with which the called host answered a SYN instead of a SYN-ACK, of numbers of another
    /// connection.
    pub(crate) challenge: Option<PacketRef>,
    /// Last SYN.
    pub(crate) last_syn: Option<PacketRef>,
    /// Last SYN-ACK.
    pub(crate) last_syn_ack: Option<PacketRef>,
    /// The opener answered the SYN-ACK with a RST.
    pub(crate) rejected: bool,
}

/// Whether a packet of one end was seen at the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SentState {
    /// Not decided yet.
    Open,
    /// Seen at both ends.
    Matched,
    /// Seen at this end only, and the other end's capture is clear: it was lost, or forged.
    OneEnded,
    /// Seen at this end only, and the other end's capture does not carry a verdict.
    Unclear,
}

/// A RST at one capture point.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent observations of one packet, weighed one by one"
)]
pub(crate) struct RstSeen {
    pub(crate) position: usize,
    pub(crate) direction: Direction,
    pub(crate) packet: PacketRef,
    pub(crate) state: SentState,
    pub(crate) ttl: u8,
    /// TTL of other packets of its sender at this point.
    pub(crate) usual_ttl: Option<u8>,
    /// Since the packet before it on this connection at this point.
    pub(crate) idle_ns: i64,
    /// It answers a SYN: the connection was not established.
    pub(crate) answers_syn: bool,
    /// Its IPv4 identification goes on from its nominal sender's last packet, as far as this capture shows it.
    pub(crate) id_continues: bool,
    /// It has the timestamps option, or the connection has none.
    pub(crate) timestamps_fit: bool,
    /// Its sequence number is the next that its nominal sender would use.
    pub(crate) seq_fits: bool,
    /// Both directions had sent their FIN before it.
    pub(crate) after_close: bool,
}

/// An ICMP error at one capture point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IcmpSeen {
    pub(crate) position: usize,
    pub(crate) packet: PacketRef,
    /// Direction of the packet that it quotes.
    pub(crate) quoted: Direction,
    pub(crate) error: IcmpError,
}
