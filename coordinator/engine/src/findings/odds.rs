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

/// A file of which nothing proves that it is whole may also be one that lacks a tenth of its packets: one in a hundred
/// is, before acknowledgements vouch for packets that are in it.
const CARELESS: f64 = 4.605;
/// What each absent packet is worth then, ln 10, and each one vouched for, ln (1 / 0.9).
const CARELESS_ABSENT: f64 = core::f64::consts::LN_10;
const CARELESS_PRESENT: f64 = 0.105;

/// What speaks against chance, in natural logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Odds {
    /// Grounds that rest on no absence.
    grounds: f64,
    /// Absent packets, by each capture's own estimate of what it lacks.
    absent: f64,
    packets: f64,
    /// Against the captures being careless ones; infinite where that is known.
    careful: f64,
    /// The capture is known to lack packets, so that among many connections some must look so.
    lossy: bool,
}

impl Odds {
    /// The odds against so many packets, each sent at a time of its own, being absent from `point`'s capture though
    /// they passed there.
    pub(crate) fn of_absence(point: &Point, packets: u64) -> Self {
        let lossy = point.is_suspect();
        let careful = match point.info.kind {
            CaptureKind::File if !lossy => CARELESS + CARELESS_PRESENT * real(point.verifiable),
            CaptureKind::File | CaptureKind::Live { .. } => f64::INFINITY,
        };
        let packets = real(packets);
        Self { grounds: 0.0, absent: per_packet(point) * packets, packets, careful, lossy }
    }

    /// Odds that rest on no capture.
    pub(crate) const fn of(grounds: f64) -> Self {
        Self { grounds, absent: 0.0, packets: 0.0, careful: 0.0, lossy: false }
    }

    /// The odds against so many packets being lost on a path of which nothing is known: a path that loses one in ten
    /// is as bad as paths are.
    pub(crate) fn lost_on_the_way(packets: u64) -> Self {
        Self::of(core::f64::consts::LN_10 * real(packets))
    }

    /// Odds that need no capture to be complete.
    pub(crate) const fn certain() -> Self {
        Self::of(f64::INFINITY)
    }

    /// Nothing speaks for it.
    pub(crate) const fn none() -> Self {
        Self::of(f64::NEG_INFINITY)
    }

    /// The better of two grounds for the same thing.
    pub(crate) fn better(self, other: Self) -> Self {
        if self.value() < other.value() { other } else { self }
    }

    /// Both must have happened by chance.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            grounds: self.grounds + other.grounds,
            absent: self.absent + other.absent,
            packets: self.packets + other.packets,
            careful: self.careful.max(other.careful),
            lossy: self.lossy || other.lossy,
        }
    }

    /// Either may have happened by chance.
    pub(crate) fn or(self, other: Self) -> Self {
        let weaker = if other.value() < self.value() { other } else { self };
        Self { lossy: self.lossy || other.lossy, ..weaker }
    }

    /// With further grounds for it, or against it if negative.
    pub(crate) fn plus(self, grounds: f64) -> Self {
        Self { grounds: self.grounds + grounds, ..self }
    }

    fn value(self) -> f64 {
        self.grounds + self.absent.min(self.careful + CARELESS_ABSENT * self.packets)
    }

    /// The grade of `affected` like cases with these odds together, out of `all` that there were to choose from. In a
    /// capture that lacks packets some of many connections look broken by chance alone: choosing them costs
    /// ln C(all, affected), at most k·(ln(n/k) + 1).
    pub(crate) fn grade(self, affected: u64, all: u64) -> Confidence {
        let chosen = affected.min(all.saturating_sub(affected));
        let choice = if chosen > 0 { real(chosen) * ((real(all) / real(chosen)).ln() + 1.0) } else { 0.0 };
        let value = if self.lossy { self.value() - choice - LOSSY } else { self.value() };
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
        assert_eq!(Odds::of_absence(&file, 2).grade(1, 1), Confidence::Strong);
    }

    #[test]
    fn a_file_that_nothing_vouches_for_proves_little_by_three_absent_packets() {
        let [bare, vouched] = [0, 100].map(|verifiable| point(CaptureKind::File, verifiable, 0));
        assert_eq!(Odds::of_absence(&bare, 3).grade(1, 4), Confidence::Strong);
        assert_eq!(Odds::of_absence(&vouched, 3).grade(1, 4), Confidence::Proven);
        assert_eq!(Odds::of_absence(&bare, 5).grade(1, 4), Confidence::Proven);
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
