//! A packet inside the middlebox.

use super::route::Way;
use crate::wire::cut::{on_the_wire, part};
use crate::wire::frame::Frame;
use crate::wire::view::View;
use std::ops::Range;

/// A packet with what was found out about it.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) at_ns: i64,
    pub(super) way: Way,
    pub(super) view: View,
    pub(super) frame: Frame,
}

impl Packet {
    /// The packets that it is on a wire.
    pub(super) fn wire(&self) -> Vec<View> {
        on_the_wire(&self.view, self.frame.gso_size())
    }

    /// The packet with these of its wire packets only.
    pub(super) fn only(&self, wire: &Range<usize>) -> Option<Self> {
        let (tcp, size) = (self.view.tcp()?, usize::from(self.frame.gso_size()));
        let octets = wire.start * size..tcp.payload_len.min(wire.end * size);
        let frame = part(&self.frame, octets)?;
        let view = View::read(frame.ethernet())?;
        Some(Self { view, frame, ..*self })
    }
}
