//! How well a finding is supported: log-odds that a capture lacks nothing, and the grades they are worth.
//!
//! Nearly every accusation rests on packets that are *not* in a capture. The innocent explanation is that the capture
//! missed them. How likely that is, each capture tells itself: by its drop counters, and by the octets that it is
//! proven to lack among those that it shows (ALGORITHMS §3.2 grades forged resets so; here all silence is).

use crate::point::Point;
use correlate_proto::CaptureKind;
use correlate_proto::report::Confidence;

/// Log-odds above which a finding is likely, strong, proven (ALGORITHMS §3.2).
const GRADES: [(f64, Confidence); 3] =
    [(15.0, Confidence::Proven), (8.0, Confidence::Strong), (3.0, Confidence::Likely)];

/// A live capture that counted no drop misses a packet less often than one in 10⁵ (§3.2): ln 10⁵.
const COUNTED_CLEAN: f64 = 11.5;

/// Before anything is known of a file, one packet in a thousand may be missing from it: its drops were counted by
/// whoever wrote it, and the file does not tell.
const FILE_CREDIT: f64 = 1_000.0;

/// What a capture that lacks packets must be outweighed by beyond its own estimate: its losses come together more often
/// than chance has it. One in twenty.
const LOSSY: f64 = 3.0;

/// What speaks against chance, in natural logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Odds {
    value: f64,
    /// The capture is known to lack packets, so that among many connections some must look so.
    lossy: bool,
}

impl Odds {
    /// The odds against so many packets, each sent at a time of its own, being absent from `point`'s capture though
    /// they passed there.
    pub(crate) fn of_absence(point: &Point, packets: u64) -> Self {
        Self { value: per_packet(point) * real(packets), lossy: point.is_suspect() }
    }

    /// Odds that rest on no capture.
    pub(crate) const fn of(value: f64) -> Self {
        Self { value, lossy: false }
    }

    /// Odds that need no capture to be complete.
    pub(crate) const fn certain() -> Self {
        Self { value: f64::INFINITY, lossy: false }
    }

    /// Nothing speaks for it.
    pub(crate) const fn none() -> Self {
        Self { value: f64::NEG_INFINITY, lossy: false }
    }

    /// The better of two grounds for the same thing.
    pub(crate) fn better(self, other: Self) -> Self {
        if self.value < other.value { other } else { self }
    }

    /// Both must have happened by chance.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { value: self.value + other.value, lossy: self.lossy || other.lossy }
    }

    /// Either may have happened by chance.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { value: self.value.min(other.value), lossy: self.lossy || other.lossy }
    }

    /// With further grounds for it, or against it if negative.
    pub(crate) fn plus(self, grounds: f64) -> Self {
        Self { value: self.value + grounds, ..self }
    }

    /// The grade of `affected` like cases with these odds together, out of `all` that there were to choose from. In a
    /// capture that lacks packets some of many connections look broken by chance alone: choosing them costs
    /// ln C(all, affected), at most k·(ln(n/k) + 1).
    pub(crate) fn grade(self, affected: u64, all: u64) -> Confidence {
        let chosen = affected.min(all.saturating_sub(affected));
        let choice = if chosen > 0 { real(chosen) * ((real(all) / real(chosen)).ln() + 1.0) } else { 0.0 };
        let value = if self.lossy { self.value - choice - LOSSY } else { self.value };
        GRADES.iter().find(|&&(least, _)| value > least).map_or(Confidence::Unconfirmed, |&(_, grade)| grade)
    }
}

/// Log-odds of one packet not having passed `point` if its capture does not show it.
fn per_packet(point: &Point) -> f64 {
    let missing = point.missed.saturating_add(point.counted_drops());
    if missing > 0 {
        // Laplace's rule of succession over the packets that acknowledgements vouch for.
        return ((real(point.verifiable) + real(missing) + 2.0) / (real(missing) + 1.0)).ln();
    }
    match point.info.kind {
        CaptureKind::Live { .. } => COUNTED_CLEAN,
        CaptureKind::File => (real(point.verifiable) + FILE_CREDIT).ln().min(COUNTED_CLEAN),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of packets stay below 2^53")]
const fn real(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use correlate_proto::{CapturePoint, CapturePointId, Role};

    fn point(kind: CaptureKind, verifiable: u64, missed: u64) -> Point {
        let info = CapturePoint {
            id: CapturePointId(0),
            role: Role::Client,
            host: String::new(),
            kind,
            interfaces: Vec::new(),
            link_type: "EN10MB".to_owned(),
            vouched: false,
        };
        let mut point = Point::new(info, 0, "client".to_owned());
        (point.verifiable, point.missed) = (verifiable, missed);
        point
    }

    #[test]
    fn a_capture_that_counts_its_drops_is_worth_more_than_a_file_that_does_not() {
        let live = point(CaptureKind::Live { all_interfaces: true }, 0, 0);
        let file = point(CaptureKind::File, 0, 0);
        assert_eq!(Odds::of_absence(&live, 1).grade(1, 1), Confidence::Strong);
        assert_eq!(Odds::of_absence(&file, 1).grade(1, 1), Confidence::Likely);
        assert_eq!(Odds::of_absence(&live, 2).grade(1, 1), Confidence::Proven);
        assert_eq!(Odds::of_absence(&file, 3).grade(1, 1), Confidence::Proven);
    }

    #[test]
    fn what_two_in_a_hundred_missing_packets_explain_is_not_confirmed() {
        let lossy = point(CaptureKind::File, 980, 20);
        assert_eq!(Odds::of_absence(&lossy, 1).grade(1, 40), Confidence::Unconfirmed);
        assert_eq!(Odds::of_absence(&lossy, 2).grade(1, 40), Confidence::Unconfirmed);
        assert_eq!(Odds::of_absence(&lossy, 6).grade(1, 40), Confidence::Proven);
        // One packet each of all forty is no choice among many.
        assert_eq!(Odds::of_absence(&lossy, 40).grade(40, 40), Confidence::Proven);
    }

    #[test]
    fn odds_of_alternatives_are_those_of_the_weaker() {
        let file = point(CaptureKind::File, 0, 0);
        let one = Odds::of_absence(&file, 1);
        assert_eq!(Odds::certain().or(one), one);
        assert_eq!(one.and(one), Odds::of_absence(&file, 2));
    }
}
