//! What a right report says of a scenario.

use crate::truth::Truth;

/// What a right report says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expect {
    /// Findings that must be there.
    pub must: Vec<&'static str>,
    /// Findings that may be there beside them. `info` findings that are in neither list are no fault; errors
    /// and warnings are.
    pub may: Vec<&'static str>,
    /// Findings that must not be there.
    pub never: Vec<&'static str>,
    /// Exit statuses that are right.
    pub exit: Vec<i32>,
    /// Whether there is a problem to be found.
    pub problem: bool,
    /// Why packets are lost, if they are and the cause shows: `random`, `bursty`, `policer`, `tail-drop`, `outage`.
    pub cause: Option<&'static str>,
    /// Which connections the findings of `must` and `may` concern: all that one of a code's entries names, and no
    /// others. A code without an entry concerns no connection (a capture, a clock), or none that the ledger could
    /// name.
    pub truth: Vec<(&'static str, Truth)>,
}

impl Expect {
    /// Nothing is wrong: exit 0, and no error or warning.
    pub fn clean() -> Self {
        Self { exit: vec![0], ..Self::default() }
    }

    /// A problem, told by these findings.
    pub fn problem(must: &[&'static str]) -> Self {
        Self { must: must.to_vec(), exit: vec![1], problem: true, ..Self::default() }
    }

    /// Something worth telling but no error: exit 0.
    pub fn notable(must: &[&'static str]) -> Self {
        Self { must: must.to_vec(), ..Self::clean() }
    }

    /// No verdict is possible, for these findings.
    pub fn inconclusive(must: &[&'static str]) -> Self {
        Self { must: must.to_vec(), exit: vec![3], ..Self::default() }
    }

    /// Beside them these may be there.
    #[must_use]
    pub fn may(mut self, codes: &[&'static str]) -> Self {
        self.may.extend(codes);
        self
    }

    /// These must not.
    #[must_use]
    pub fn never(mut self, codes: &[&'static str]) -> Self {
        self.never.extend(codes);
        self
    }

    /// This exit status is right too.
    #[must_use]
    pub fn or_exit(mut self, status: i32) -> Self {
        self.exit.push(status);
        self
    }

    /// These findings concern these connections.
    #[must_use]
    pub fn of(mut self, truth: Truth, codes: &[&'static str]) -> Self {
        self.truth.extend(codes.iter().map(|code| (*code, truth)));
        self
    }

    /// Packets are lost for this cause.
    #[must_use]
    pub const fn cause(mut self, cause: &'static str) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Which connections a finding concerns; none where the scenario says nothing of it.
    pub fn truths(&self, code: &str) -> impl Iterator<Item = Truth> {
        self.truth.iter().filter(move |(of, _)| *of == code).map(|(_, truth)| *truth)
    }
}
