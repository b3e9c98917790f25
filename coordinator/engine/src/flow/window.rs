//! Receive windows: how much one end lets the other send, as one capture point sees it (RFC 9293 §3.8.6).

use super::stall::{Stall, Stalls};
use crate::connection::PacketRef;

/// A window with no room for a segment of this size is closed where no SYN told another (RFC 9293 §3.7.1).
const USUAL_MSS: u16 = 536;

/// The window that a packet tells, for the other direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// Offset that it acknowledges.
    pub(crate) ack: i64,
    /// The field as in the header.
    pub(crate) raw: u16,
    /// By how much it is to be shifted; unknown unless both SYNs were seen.
    pub(crate) shift: Option<u8>,
    /// Largest segment that its sender takes, if its SYN was seen.
    pub(crate) mss: Option<u16>,
    pub(crate) packet: PacketRef,
}

/// What the receiver of a direction lets its sender send.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Newest acknowledgement and the offset behind the last octet that it allows; the latter only where the
    /// window's scale is known.
    newest: Option<(i64, Option<i64>)>,
    /// Largest window so far, in octets.
    largest: u32,
    /// Smallest window that has room for a segment.
    least: u32,
    stalls: Option<Box<Stalls>>,
}

/// A packet of the direction, other than SYN, FIN and RST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Offset of its first octet.
    pub(crate) start: i64,
    /// Octets of payload.
    pub(crate) payload: u32,
    /// End of the highest octet seen before it.
    pub(crate) highest: Option<i64>,
    /// Highest octet acknowledged before it.
    pub(crate) acked: Option<i64>,
    pub(crate) at: i64,
}

impl Arrival {
    /// Whether it is a keep-alive or a probe of a closed window: it has no octet, or one that has been acknowledged,
    /// and stands just below what was sent before, so that the receiver throws it away and answers (RFC 9293
    /// §3.8.4, §3.8.6.1).
    pub(crate) fn is_probe(&self) -> bool {
        let end = self.start + 1;
        self.payload <= 1 && self.highest == Some(end) && (self.payload == 0 || self.acked >= Some(end))
    }
}

impl Window {
    /// Takes in the window that a packet of the other direction tells.
    pub(crate) fn hear(&mut self, told: Told) {
        // An older acknowledgement that was overtaken tells an older window.
        if self.newest.is_some_and(|(ack, _)| told.ack < ack) {
            return;
        }
        let shift = u32::from(told.shift.unwrap_or(0).min(MAX_SHIFT));
        let octets = u32::from(told.raw) << shift;
        self.newest = Some((told.ack, told.shift.map(|_| told.ack + i64::from(octets))));
        self.largest = self.largest.max(octets);
        // Where nothing larger than a few segments is ever granted, a small window is no closed one.
        self.least = u32::from(told.mss.unwrap_or(USUAL_MSS)).min(self.largest / 2).max(1);
        let closed = octets < if told.shift.is_some() { self.least } else { 1 };
        if closed {
            let edge = told.ack + i64::from(octets);
            self.stalls.get_or_insert_default().close(Stall::new(told.packet, edge));
        } else if let Some(stalls) = &mut self.stalls {
            stalls.open(told.packet);
        }
    }

    /// Whether it was ever closed.
    pub(crate) const fn has_stalled(&self) -> bool {
        self.stalls.is_some()
    }

    /// Takes in a packet of the direction.
    pub(crate) fn arrive(&mut self, arrival: Arrival) {
        if let Some(stalls) = &mut self.stalls {
            stalls.arrive(arrival);
        }
    }

    /// Octets beyond `sent`, the end of what was sent, that the sender may send; unknown without the window's scale.
    /// Negative if the window shrank.
    pub(crate) fn room(&self, sent: i64) -> Option<i64> {
        let (_, edge) = self.newest?;
        Some(edge? - sent)
    }

    /// Whether so many octets of room are too few for a segment.
    pub(crate) fn is_short(&self, room: i64) -> bool {
        room < i64::from(self.least)
    }

    /// Times during which the window was closed.
    pub(crate) fn stalls(&self) -> Option<&Stalls> {
        self.stalls.as_deref()
    }

    /// Notes that the packet `packet` of this capture point, a window's update, was lost on the path.
    pub(crate) fn lose_update(&mut self, packet: u64) {
        if let Some(stalls) = &mut self.stalls {
            stalls.lose_update(packet);
        }
    }
}

/// Largest shift (RFC 7323 §2.3); a larger one is to be taken as this.
const MAX_SHIFT: u8 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ack: i64, raw: u16, shift: Option<u8>, at: i64) -> Told {
        let packet = PacketRef { at, packet: at.unsigned_abs(), point: 1 };
        Told { ack, raw, shift, mss: Some(1460), packet }
    }

    fn closed_at(window: &Window) -> Option<i64> {
        window.stalls().and_then(|stalls| stalls.all().next()).map(|stall| stall.closed.at)
    }

    #[test]
    fn room_is_scaled_and_counted_from_what_was_sent() {
        let mut window = Window::default();
        assert_eq!(window.room(0), None);
        window.hear(told(1000, 502, Some(7), 1));
        assert_eq!(window.room(1000 + 64_000), Some(256));
        assert!(window.is_short(256) && !window.is_short(1460));
        window.hear(told(900, 0, Some(7), 2));
        assert_eq!(
            (window.room(1000), closed_at(&window)),
            (Some(64_256), None),
            "an older ACK tells nothing"
        );
    }

    #[test]
    fn without_the_scale_only_zero_is_closed() {
        let mut window = Window::default();
        window.hear(told(0, 500, None, 1));
        window.hear(told(0, 2, None, 2));
        assert_eq!((window.room(0), closed_at(&window)), (None, None));
        window.hear(told(0, 0, None, 3));
        assert_eq!(closed_at(&window), Some(3));
    }

    #[test]
    fn less_than_a_segment_is_closed_unless_the_window_is_always_small() {
        let mut window = Window::default();
        window.hear(told(0, 501, Some(7), 1));
        window.hear(told(0, 11, Some(7), 2));
        assert_eq!(closed_at(&window), Some(2), "1408 octets have no room for 1460");
        let mut tiny = Window::default();
        for at in 0..9 {
            tiny.hear(told(at, 400, Some(0), at));
        }
        assert_eq!(closed_at(&tiny), None);
        tiny.hear(told(9, 0, Some(0), 9));
        assert_eq!(closed_at(&tiny), Some(9));
    }

    #[test]
    fn a_probe_stands_just_below_what_was_sent() {
        let arrival = Arrival { start: 99, payload: 1, highest: Some(100), acked: Some(100), at: 0 };
        assert!(arrival.is_probe() && Arrival { payload: 0, acked: None, ..arrival }.is_probe());
        assert!(!Arrival { acked: Some(99), ..arrival }.is_probe(), "a lost octet is sent again");
        assert!(!Arrival { payload: 2, ..arrival }.is_probe());
        assert!(!Arrival { start: 100, ..arrival }.is_probe());
        assert!(!Arrival { highest: None, ..arrival }.is_probe());
    }

    #[test]
    fn an_impossible_shift_does_no_harm() {
        let mut window = Window::default();
        window.hear(told(0, u16::MAX, Some(255), 1));
        assert_eq!(window.room(0), Some(i64::from(u16::MAX) << 14));
    }
}
