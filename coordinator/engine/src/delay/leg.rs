//! One way of an exchange: a request, or an answer.

use super::sender::Parts;

/// A stamp with the number of its packet in that capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    pub(crate) at: i64,
    pub(crate) packet: u64,
}

/// Octets that had not arrived before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fresh {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// When they were sent for the first time, by the sender's clock.
    pub(crate) first_at: i64,
    /// When the copy that arrived was sent, by the sender's clock.
    pub(crate) sent: Mark,
    /// When it arrived, by the receiver's clock.
    pub(crate) received: Mark,
    /// Why the sender took time before it.
    pub(crate) gap: Parts,
}

/// A request or an answer while its octets come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// First octet sent.
    pub(crate) began: Mark,
    /// Time with a full window before the first octet.
    pub(crate) window_before: i64,
    /// When the last of its octets was sent for the first time.
    last_new: i64,
    /// From the first octet to that.
    parts: Parts,
    /// The packet that came last: with it all had come.
    sent_at: i64,
    pub(crate) done: Mark,
}

/// A request or an answer that is complete. The sender's time from the first octet to the last packet's sending is the
/// sum of `parts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Way {
    pub(crate) parts: Parts,
    /// Stamps of the packet that completed it, at sender and receiver.
    pub(crate) sent: i64,
    pub(crate) received: i64,
}

impl Leg {
    pub(crate) const fn begin(fresh: &Fresh) -> Self {
        Self {
            from: fresh.start,
            to: fresh.end,
            began: Mark { at: fresh.first_at, packet: fresh.sent.packet },
            window_before: fresh.gap.window,
            last_new: fresh.first_at,
            parts: Parts { window: 0, recovery: 0, pause: 0, sending: 0 },
            sent_at: fresh.sent.at,
            done: fresh.received,
        }
    }

    pub(crate) fn extend(&mut self, fresh: &Fresh) {
        if fresh.first_at < self.began.at {
            self.parts.sending += self.began.at - fresh.first_at;
            self.began = Mark { at: fresh.first_at, packet: fresh.sent.packet };
        } else if fresh.first_at > self.last_new {
            self.parts = self.parts.plus(fresh.gap.within(fresh.first_at - self.last_new));
            self.last_new = fresh.first_at;
        }
        self.from = self.from.min(fresh.start);
        self.to = self.to.max(fresh.end);
        if fresh.received.at >= self.done.at {
            (self.sent_at, self.done) = (fresh.sent.at, fresh.received);
        }
    }

    /// As it stands. What the packet that came last was sent later than all new octets, a loss cost.
    pub(crate) fn way(&self) -> Way {
        let late = self.sent_at - self.last_new;
        let mut parts = if late < 0 { self.parts.without(-late) } else { self.parts };
        parts.recovery += late.max(0);
        Way { parts, sent: self.sent_at, received: self.done.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fresh(start: i64, first_at: i64, sent: i64, received: i64) -> Fresh {
        let mark = |at| Mark { at, packet: 1 };
        let gap = Parts::default();
        Fresh { start, end: start + 10, first_at, sent: mark(sent), received: mark(received), gap }
    }

    #[test]
    fn a_lost_last_segment_costs_its_recovery() {
        let mut leg = Leg::begin(&fresh(0, 100, 100, 5000));
        leg.extend(&fresh(10, 110, 110, 5010));
        leg.extend(&fresh(20, 120, 320, 5220));
        let way = leg.way();
        assert_eq!(way.parts, Parts { sending: 20, recovery: 200, ..Parts::default() });
        assert_eq!((way.sent, way.received, leg.done.at), (320, 5220, 5220));
    }

    #[test]
    fn a_lost_first_segment_began_when_it_was_first_sent() {
        let mut leg = Leg::begin(&fresh(10, 110, 110, 5010));
        leg.extend(&fresh(0, 100, 310, 5210));
        assert_eq!((leg.began.at, leg.from, leg.to), (100, 0, 20));
        assert_eq!(leg.way().parts, Parts { sending: 10, recovery: 200, ..Parts::default() });
    }

    #[test]
    fn a_segment_that_was_recovered_early_costs_nothing() {
        let mut leg = Leg::begin(&fresh(0, 100, 100, 5000));
        leg.extend(&fresh(20, 400, 400, 5300));
        leg.extend(&fresh(10, 110, 210, 5110));
        assert_eq!(leg.way().parts, Parts { sending: 300, ..Parts::default() });
    }

    proptest! {
        #[test]
        fn the_parts_are_the_senders_time(
            segments in prop::collection::vec((0i64..9999, 0i64..3000, 0i64..3000, 0i64..500, 0i64..500), 1..30),
        ) {
            let mut leg: Option<Leg> = None;
            for (place, &(first_at, again, delay, window, pause)) in (0..).zip(&segments) {
                let mut next = fresh(place * 10, first_at, first_at + again, 70_000 + first_at + again + delay);
                next.gap = Parts { window, pause, ..Parts::default() };
                match &mut leg {
                    Some(leg) => leg.extend(&next),
                    None => leg = Some(Leg::begin(&next)),
                }
            }
            let leg = leg.unwrap();
            let way = leg.way();
            prop_assert_eq!(way.parts.total(), way.sent - leg.began.at);
            let all = [way.parts.window, way.parts.recovery, way.parts.pause, way.parts.sending];
            prop_assert!(all.iter().all(|&part| part >= 0), "{:?}", way.parts);
        }
    }
}
