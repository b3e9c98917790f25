//! Up to when a capture has been read: what a coordinator may rely on not to change any more.

use correlate_proto::{ClockSample, Local, Span, Timestamp};

/// Stamps within one capture may go backwards by tens of µs; what is older than this has been read.
const STAMP_DISORDER: Span = Span::from_ms(10);
/// When a live source says that it is idle, everything stamped this long before it was asked has been read: a packet
/// may wait in the kernel's block until the block is handed over.
const IDLE_DELAY: Span = Span::from_ms(100);

/// Up to when everything has been read, by both clocks.
#[derive(Debug, Default)]
pub(super) struct Horizon {
    newest: Option<Timestamp<Local>>,
    idle_since: Option<Timestamp<Local>>,
    idle_since_raw: Option<i64>,
}

impl Horizon {
    /// Of a capture that begins: nothing was captured before.
    pub(super) fn new(began: Option<ClockSample>) -> Self {
        Self { idle_since_raw: began.map(|sample| sample.raw_ns), ..Self::default() }
    }

    /// A packet of that stamp was read.
    pub(super) fn read(&mut self, at: Timestamp<Local>) {
        self.newest = self.newest.max(Some(at));
    }

    /// The source had nothing, and was asked at `since`; `raw_ns` is that instant by the raw clock.
    pub(super) fn idle(&mut self, since: Timestamp<Local>, raw_ns: Option<i64>) {
        self.idle_since = Some(since);
        self.idle_since_raw = raw_ns.or(self.idle_since_raw);
    }

    /// The real-time clock was set: what it showed before cannot be compared with what it shows from now on.
    pub(super) fn clock_was_set(&mut self) {
        (self.newest, self.idle_since) = (None, None);
    }

    /// Every packet stamped up to here has been read.
    pub(super) fn stamp(&self) -> Option<Timestamp<Local>> {
        let by_traffic = self.newest.map(|newest| newest.plus(Span(-STAMP_DISORDER.0)));
        let by_silence = self.idle_since.map(|since| since.plus(Span(-IDLE_DELAY.0)));
        by_traffic.max(by_silence)
    }

    /// Every packet captured up to here by the raw clock has been read, as silence proves it. What the packets
    /// themselves prove the coordinator sees.
    pub(super) fn raw_ns(&self) -> Option<i64> {
        self.idle_since_raw.map(|since| since.saturating_sub(IDLE_DELAY.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: i64) -> Timestamp<Local> {
        Timestamp::from_ns(ms * 1_000_000)
    }

    #[test]
    fn traffic_and_silence_both_move_it_and_a_clock_that_is_set_back_does_not_hold_it() {
        let mut horizon = Horizon::default();
        assert_eq!((horizon.stamp(), horizon.raw_ns()), (None, None));
        horizon.read(ms(500));
        horizon.read(ms(499));
        assert_eq!((horizon.stamp(), horizon.raw_ns()), (Some(ms(490)), None));
        horizon.idle(ms(1_000), Some(7_000_000_000));
        assert_eq!((horizon.stamp(), horizon.raw_ns()), (Some(ms(900)), Some(6_900_000_000)));
        horizon.clock_was_set();
        horizon.read(ms(20));
        assert_eq!((horizon.stamp(), horizon.raw_ns()), (Some(ms(10)), Some(6_900_000_000)));
    }
}
