//! An end to captures that see more packets than their host's owner allows.

use crate::capture::{CaptureError, FrameSource, Next};
use correlate_proto::{Interface, Local, PointStats, Timestamp};

const SECOND_NS: i64 = 1_000_000_000;

/// Counts frames by the second of their stamps.
#[derive(Debug)]
pub(super) struct Pace {
    limit: u64,
    /// Where this comes from, for the error.
    rule: String,
    began: Option<Timestamp<Local>>,
    count: u64,
}

impl Pace {
    pub(super) const fn new(limit: u64, rule: String) -> Self {
        Self { limit, rule, began: None, count: 0 }
    }

    /// Notes a frame; an error if it is one too many within a second.
    fn note(&mut self, at: Timestamp<Local>) -> Result<(), CaptureError> {
        let since = self.began.map(|began| at.as_ns().saturating_sub(began.as_ns()));
        // A clock that is set back begins a new second too.
        if !since.is_some_and(|since| (0..SECOND_NS).contains(&since)) {
            self.began = Some(at);
            self.count = 0;
        }
        self.count += 1;
        if self.count > self.limit {
            return Err(CaptureError::Forbidden { rule: self.rule.clone(), limit: self.limit });
        }
        Ok(())
    }
}

/// A source under a limit.
pub(super) struct Paced {
    pub(super) source: Box<dyn FrameSource>,
    pub(super) pace: Pace,
}

impl FrameSource for Paced {
    fn next(&mut self) -> Result<Next<'_>, CaptureError> {
        let next = self.source.next()?;
        if let Next::Frame(frame) = &next {
            self.pace.note(frame.at)?;
        }
        Ok(next)
    }

    fn stats(&self) -> PointStats {
        self.source.stats()
    }

    fn interfaces(&self) -> &[Interface] {
        self.source.interfaces()
    }

    fn link_type_name(&self) -> String {
        self.source.link_type_name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_may_have_so_many_frames_and_the_next_as_many_again() {
        let mut pace = Pace::new(3, "/p.toml, `packets_per_second`".to_owned());
        let mut note = |ns: i64| pace.note(Timestamp::from_ns(ns));
        for ns in [5, 6, 7, 5 + SECOND_NS, 6 + SECOND_NS, 7 + SECOND_NS] {
            assert!(note(ns).is_ok(), "{ns}");
        }
        let error = note(8 + SECOND_NS).unwrap_err().to_string();
        assert!(error.contains("more than 3 packets") && error.contains("packets_per_second"), "{error}");
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let mut pace = Pace::new(1, String::new());
        assert!(pace.note(Timestamp::from_ns(10 * SECOND_NS)).is_ok());
        assert!(pace.note(Timestamp::from_ns(SECOND_NS)).is_ok());
    }
}
