//! What a SYN or SYN-ACK offers: the terms of the connection, and what tells it from the SYNs of others.

use super::PacketRef;
use correlate_proto::{Segment, TcpFlags};

/// Flags that agree on ECN in the handshake (RFC 3168 §6.1.1, RFC 9768 §3.1.1).
const ECN_FLAGS: u16 = TcpFlags::ECE.0 | TcpFlags::CWR.0 | TcpFlags::AE.0;

/// How many SYNs and SYN-ACKs of one connection are remembered at each end; a stack repeats either six times.
const MAX_OFFERS: usize = 16;

/// One SYN or SYN-ACK at one capture point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) packet: PacketRef,
    /// It is a SYN-ACK.
    pub(crate) answers: bool,
    /// Its timestamp, and the one that it echoes.
    pub(crate) stamps: Option<(u32, u32)>,
    pub(crate) ip_id: Option<u16>,
    pub(crate) window: u16,
    /// Kinds of its options, in order, as a hash.
    pub(crate) layout: u32,
    /// Absent if the capture cut the header.
    pub(crate) terms: Option<Terms>,
}

/// What a SYN or SYN-ACK says about how its sender will talk and wants to be talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) mss: Option<u16>,
    pub(crate) window_scale: Option<u8>,
    pub(crate) sack_permitted: bool,
    pub(crate) timestamps: bool,
    /// ECE, CWR and AE.
    pub(crate) ecn: u16,
}

impl Offer {
    /// What `segment`, a SYN or SYN-ACK, offers.
    pub(crate) fn of(packet: PacketRef, segment: &Segment) -> Self {
        let options = &segment.options;
        Self {
            packet,
            answers: segment.flags.has(TcpFlags::ACK),
            stamps: options.timestamps,
            ip_id: segment.ip.id,
            window: segment.window,
            layout: options.layout,
            terms: (!segment.header_truncated).then_some(Terms {
                mss: options.mss,
                window_scale: options.window_scale,
                sack_permitted: options.sack_permitted,
                timestamps: options.timestamps.is_some(),
                ecn: segment.flags.0 & ECN_FLAGS,
            }),
        }
    }

    /// Whether this and `other`, captured elsewhere, bear a mark that no two packets of a connection share.
    pub(crate) fn is_surely(&self, other: &Self) -> bool {
        let stamp = |offer: &Self| offer.stamps.map(|(value, _)| value);
        let id = |offer: &Self| offer.ip_id.filter(|&id| id != 0);
        let same = |a: Option<u32>, b: Option<u32>| a.is_some() && a == b;
        same(stamp(self), stamp(other)) || same(id(self).map(u32::from), id(other).map(u32::from))
    }
}

/// The offers of one connection at one capture point, in order.
#[derive(Debug, Default)]
pub(crate) struct Offers(Vec<Offer>);

impl Offers {
    /// Adds one, unless there are as many as are kept.
    pub(crate) fn push(&mut self, offer: Offer) {
        if self.have_room() {
            self.0.push(offer);
        }
    }

    /// The one that is packet `number` of its capture.
    pub(crate) fn numbered(&self, number: u64) -> Option<&Offer> {
        self.0.iter().find(|offer| offer.packet.packet == number)
    }

    /// Whether one more would be kept.
    pub(crate) fn have_room(&self) -> bool {
        self.0.len() < MAX_OFFERS
    }

    /// All that are kept.
    pub(crate) fn iter(&self) -> core::slice::Iter<'_, Offer> {
        self.0.iter()
    }

    /// The SYNs, or the SYN-ACKs.
    pub(crate) fn of_kind(&self, answers: bool) -> impl Iterator<Item = &Offer> {
        self.0.iter().filter(move |offer| offer.answers == answers)
    }
}
