//! A frame with the offload metadata that travels beside it.

use crate::sys::packet::VNET_LEN;

const NEEDS_CHECKSUM: u8 = 1; // VIRTIO_NET_HDR_F_NEEDS_CSUM
const ETHERNET_LEN: usize = 14;

/// An Ethernet frame behind its `virtio_net_hdr` (`linux/virtio_net.h`), as packet sockets exchange it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    /// A frame as received: `virtio_net_hdr`, then Ethernet. `None` if it is too short for both.
    pub(crate) fn received(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < VNET_LEN + ETHERNET_LEN {
            return None;
        }
        let mut frame = Self(bytes.to_vec());
        // "Checksum was verified" (bit 1) means something only when receiving.
        frame.0[0] &= NEEDS_CHECKSUM;
        Some(frame)
    }

    /// A plain frame with complete checksums.
    pub(crate) fn plain(ethernet: &[u8]) -> Self {
        let mut bytes = vec![0; VNET_LEN];
        bytes.extend_from_slice(ethernet);
        Self(bytes)
    }

    /// What a packet socket sends.
    pub(crate) fn as_sent(&self) -> &[u8] {
        &self.0
    }

    /// The Ethernet frame.
    pub(crate) fn ethernet(&self) -> &[u8] {
        &self.0[VNET_LEN..]
    }

    /// The Ethernet frame, to edit.
    pub(crate) fn ethernet_mut(&mut self) -> &mut [u8] {
        &mut self.0[VNET_LEN..]
    }

    /// Whether the transport checksum covers only the pseudo-header yet.
    pub(crate) fn has_partial_checksum(&self) -> bool {
        self.0[0] & NEEDS_CHECKSUM != 0
    }

    /// Octets of payload in each wire segment of a super-packet; 0 for a plain frame.
    pub(crate) fn gso_size(&self) -> u16 {
        // gso_type 0 is VIRTIO_NET_HDR_GSO_NONE.
        if self.0[1] == 0 { 0 } else { u16::from_ne_bytes([self.0[4], self.0[5]]) }
    }

    /// Other octets with the same offload metadata.
    pub(crate) fn with_ethernet(&self, ethernet: &[u8]) -> Self {
        Self([&self.0[..VNET_LEN], ethernet].concat())
    }

    /// Makes it a frame of one wire segment; a partial checksum stays partial.
    pub(crate) fn make_plain(&mut self) {
        self.0[1..6].fill(0); // gso_type, hdr_len, gso_size
    }

    /// Says that the transport checksum is complete, which the caller sees to.
    pub(crate) fn make_complete(&mut self) {
        self.0[0] &= !NEEDS_CHECKSUM;
        self.0[6..10].fill(0); // csum_start, csum_offset
    }
}
