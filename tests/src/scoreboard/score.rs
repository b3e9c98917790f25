//! What is counted.

use super::class::Class;
use super::condition::Quality;
use correlate_proto::report::Severity;
use std::collections::BTreeMap;

/// How often something was said rightly and wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Said, and so.
    pub true_positive: u64,
    /// Said, and not so.
    pub false_positive: u64,
    /// Suspected, and not so: an unconfirmed finding, which decides nothing.
    pub suspected: u64,
    /// Not said, and so.
    pub false_negative: u64,
    /// Not said, and so, where it was said that the evidence falls short.
    pub open: u64,
    /// Not said, and not so.
    pub true_negative: u64,
}

impl Counts {
    /// Adds another's.
    pub const fn add(&mut self, other: Self) {
        self.true_positive += other.true_positive;
        self.false_positive += other.false_positive;
        self.suspected += other.suspected;
        self.false_negative += other.false_negative;
        self.open += other.open;
        self.true_negative += other.true_negative;
    }

    /// How many there are to be found.
    pub const fn truths(&self) -> u64 {
        self.true_positive + self.false_negative + self.open
    }

    /// The share of what was said that is so; absent where nothing was said.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positive, self.true_positive + self.false_positive)
    }

    /// The share of what is so that was said; absent where there is nothing.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positive, self.truths())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few runs stay below 2^53")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// How the clock's bound held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClockScore {
    /// Seconds that were looked at.
    pub seconds: u64,
    /// Of them, those in which the bound holds the truth.
    pub held: u64,
    /// Of them, those with an estimate: by how much it is off beyond half of what the path's directions differ by, which
    /// no two captures can show, in ns.
    pub errors_ns: Vec<u64>,
    /// Sum of half the widths of the bounds of those with an estimate, in ns.
    pub uncertainty_ns: u64,
}

impl ClockScore {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.held += other.held;
        self.errors_ns.extend(&other.errors_ns);
        self.uncertainty_ns += other.uncertainty_ns;
    }

    /// The error that so many of a hundred estimates do not exceed, in ns; absent without estimates.
    pub fn percentile_ns(&self, percent: usize) -> Option<u64> {
        let mut errors = self.errors_ns.clone();
        errors.sort_unstable();
        errors.get((errors.len() * percent / 100).min(errors.len().saturating_sub(1))).copied()
    }

    /// How much the bound allows on average, in ns; absent without estimates.
    pub fn mean_uncertainty_ns(&self) -> Option<u64> {
        self.uncertainty_ns.checked_div(u64::try_from(self.errors_ns.len()).ok()?)
    }
}

/// Everything counted under one quality of the recordings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Score {
    /// Recordings judged.
    pub judgements: u64,
    /// Of them, those that ended inconclusive.
    pub inconclusive: u64,
    /// Of them, those that ended inconclusive where that is not among the right answers of the clean recording.
    pub needlessly_inconclusive: u64,
    /// Findings that are said to be proven and are false.
    pub false_proven: u64,
    /// Findings by severity and code: as bad as they were told to be, or, untold, as they can be at worst.
    pub findings: BTreeMap<(Severity, String), Counts>,
    /// Packets by class.
    pub packets: BTreeMap<Class, Counts>,
    /// The clocks.
    pub clock: ClockScore,
}

impl Score {
    /// Counts a finding.
    pub fn count_finding(&mut self, code: &str, severity: Severity, counts: Counts) {
        self.findings.entry((severity, code.to_owned())).or_default().add(counts);
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.judgements += other.judgements;
        self.inconclusive += other.inconclusive;
        self.needlessly_inconclusive += other.needlessly_inconclusive;
        self.false_proven += other.false_proven;
        for ((severity, code), counts) in &other.findings {
            self.count_finding(code, *severity, *counts);
        }
        for (class, counts) in &other.packets {
            self.packets.entry(*class).or_default().add(*counts);
        }
        self.clock.add(&other.clock);
    }
}

/// The scores by quality.
pub type Scores = BTreeMap<Quality, Score>;

/// Codes that were never told though there was cause to.
pub fn never_told(scores: &Scores) -> Vec<&str> {
    let mut codes: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for ((_, code), counts) in scores.values().flat_map(|score| &score.findings) {
        let [told, causes] = codes.entry(code).or_default();
        *told += counts.true_positive + counts.false_positive;
        *causes += counts.truths();
    }
    codes.into_iter().filter(|(_, [told, causes])| *told == 0 && *causes > 0).map(|(code, _)| code).collect()
}
