//! Up to when everything has been delivered.

use crate::capture::ring::BLOCK_TIMEOUT;
use correlate_proto::{Local, Span, Timestamp};

/// By how much a stamp may be older than one that stood before it: some tens of µs between processors; the
/// margin is a hundredfold.
const DISORDER: Span = Span::from_ms(10);
/// How late the kernel's timer may be on a busy processor, beyond its interval.
const LATE_TIMER: Span = Span::from_ms(50);
/// A clock that is this far behind what it was has been set back.
const SET_BACK: Span = Span::from_secs(1);

/// The watermark of one capture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watermark {
    at: Timestamp<Local>,
    /// A frame of the block that is being read; what it says holds as soon as the frame is delivered.
    newest: Timestamp<Local>,
}

impl Watermark {
    /// Nothing is delivered before the capture began.
    pub(super) fn new(started: Timestamp<Local>) -> Self {
        let at = started.plus(Span(-DISORDER.as_ns()));
        Self { at, newest: started }
    }

    /// A frame is about to be delivered.
    pub(super) fn frame(&mut self, at: Timestamp<Local>) {
        if at > self.newest || self.newest.since(at) > SET_BACK {
            self.newest = at;
            self.raise(at.plus(Span(-DISORDER.as_ns())));
        }
    }

    /// The ring was found empty, and the clock showed `at` just before.
    pub(super) fn empty(&mut self, at: Timestamp<Local>) {
        let held = i64::try_from(2 * BLOCK_TIMEOUT.as_nanos()).unwrap_or(i64::MAX);
        self.raise(at.plus(Span(-held)).plus(Span(-LATE_TIMER.as_ns())).plus(Span(-DISORDER.as_ns())));
    }

    fn raise(&mut self, to: Timestamp<Local>) {
        if to > self.at || self.at.since(to) > SET_BACK {
            self.at = to;
        }
    }

    pub(super) fn get(&self) -> Timestamp<Local> {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: i64) -> Timestamp<Local> {
        Timestamp::from_ns(1_700_000_000_000_000_000 + ms * 1_000_000)
    }

    #[test]
    fn it_follows_frames_at_ten_milliseconds_and_never_goes_back_for_a_late_one() {
        let mut watermark = Watermark::new(ms(0));
        assert_eq!(watermark.get(), ms(-10));
        watermark.frame(ms(100));
        watermark.frame(ms(99));
        assert_eq!(watermark.get(), ms(90));
    }

    #[test]
    fn an_empty_ring_proves_what_is_older_than_two_block_time_outs_and_a_late_timer() {
        let mut watermark = Watermark::new(ms(0));
        watermark.frame(ms(100));
        watermark.empty(ms(200));
        assert_eq!(watermark.get(), ms(90), "200 - 180 is less than what the frame proved");
        watermark.empty(ms(1000));
        assert_eq!(watermark.get(), ms(820));
    }

    #[test]
    fn it_follows_a_clock_that_was_set_back() {
        let mut watermark = Watermark::new(ms(0));
        watermark.frame(ms(10_000));
        watermark.frame(ms(2_000));
        assert_eq!(watermark.get(), ms(1_990));
        watermark.empty(ms(500));
        assert_eq!(watermark.get(), ms(320));
    }
}
