//! The exit status: a contract that scripts and pipelines hang on.
//!
//! Where several apply, 2 stands before 1, 1 before 3, and 3 before 0. A 2 never comes from a report: it is what
//! [`crate::error::CliError`] ends with.

use correlate_proto::report::{Code, Confidence, Finding, Report, Severity, Status};
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// 0: nothing at or above `--fail-on`, or exactly what `--expect` named.
    Clean,
    /// 1: a problem was found.
    Problem,
    /// 2: bad usage, no privilege, a host out of reach, a broken file.
    Error,
    /// 3: the evidence does not carry a verdict.
    Inconclusive,
    /// 130: aborted by a second interrupt (128 + SIGINT, as shells have it).
    Aborted,
}

impl ExitStatus {
    /// The number that the shell sees.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Problem => 1,
            Self::Error => 2,
            Self::Inconclusive => 3,
            Self::Aborted => 130,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.number())
    }
}

/// From which severity on a finding makes the status 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum FailOn {
    /// Errors only.
    #[default]
    Error,
    /// Errors and warnings.
    Warning,
    /// Nothing: only an inconclusive session ends other than 0.
    Never,
}

impl FailOn {
    /// The least severity that makes it.
    pub(crate) const fn threshold(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Never => None,
        }
    }
}

/// The status that `report` earns.
///
/// Without `expected`: 1 if a finding at or above `fail_on` is better supported than `unconfirmed`; else 3 if the
/// verdict is inconclusive or a capture point has nothing; else 0.
///
/// With `expected`, `fail_on` has no say: 1 if an error or warning was found that is not expected, or if a code is
/// missing that conclusive evidence would have shown; 3 if the evidence cannot tell; 0 if exactly the expected
/// error and warning codes appear. A code of severity `info` may be expected too and must then appear.
pub(crate) fn judge(report: &Report, fail_on: FailOn, expected: &[Code]) -> ExitStatus {
    let inconclusive = is_inconclusive(report);
    let otherwise = if inconclusive { ExitStatus::Inconclusive } else { ExitStatus::Clean };
    if expected.is_empty() {
        let found = fail_on.threshold().is_some_and(|least| {
            report.findings.iter().any(|finding| finding.severity >= least && confirmed(finding))
        });
        return if found { ExitStatus::Problem } else { otherwise };
    }
    let unexpected = report.findings.iter().any(|finding| {
        finding.severity >= Severity::Warning && confirmed(finding) && !expected.contains(&finding.code)
    });
    if unexpected {
        return ExitStatus::Problem;
    }
    let missing = |code: &&Code| !report.findings.iter().any(|f| f.code == **code && confirmed(f));
    let suspected = |code: &Code| report.findings.iter().any(|finding| finding.code == *code);
    let mut absent = expected.iter().filter(missing).peekable();
    if absent.peek().is_none() {
        return otherwise;
    }
    // What is missing is held against the run only where the evidence could have shown it.
    if inconclusive || absent.any(suspected) { ExitStatus::Inconclusive } else { ExitStatus::Problem }
}

/// Whether the evidence carries no verdict, or a capture point has nothing.
pub(crate) fn is_inconclusive(report: &Report) -> bool {
    report.verdict.status == Status::Inconclusive
        || report.findings.iter().any(|finding| finding.code == Code::NotCaptured)
}

/// Whether a finding is better supported than a suspicion.
pub(crate) fn confirmed(finding: &Finding) -> bool {
    finding.confidence > Confidence::Unconfirmed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample::{finding, report};

    fn with(findings: Vec<Finding>, status: Status) -> Report {
        let mut report = report();
        report.verdict.status = status;
        report.findings = findings;
        report
    }

    fn unconfirmed(code: Code, severity: Severity) -> Finding {
        Finding { confidence: Confidence::Unconfirmed, ..finding(code, severity) }
    }

    #[test]
    fn the_numbers_are_the_contract() {
        let numbers = [
            ExitStatus::Clean,
            ExitStatus::Problem,
            ExitStatus::Error,
            ExitStatus::Inconclusive,
            ExitStatus::Aborted,
        ]
        .map(ExitStatus::number);
        assert_eq!(numbers, [0, 1, 2, 3, 130]);
    }

    #[test]
    fn fail_on_sets_the_threshold() {
        let warning = with(vec![finding(Code::RstLost, Severity::Warning)], Status::Problem);
        let error = with(vec![finding(Code::SynLost, Severity::Error)], Status::Problem);
        let info = with(vec![finding(Code::ResetByServer, Severity::Info)], Status::Clean);
        let table = [
            (&info, FailOn::Warning, ExitStatus::Clean),
            (&warning, FailOn::Error, ExitStatus::Clean),
            (&warning, FailOn::Warning, ExitStatus::Problem),
            (&warning, FailOn::Never, ExitStatus::Clean),
            (&error, FailOn::Error, ExitStatus::Problem),
            (&error, FailOn::Warning, ExitStatus::Problem),
            (&error, FailOn::Never, ExitStatus::Clean),
        ];
        for (report, fail_on, status) in table {
            assert_eq!(judge(report, fail_on, &[]), status, "{fail_on:?} {:?}", report.findings[0].code);
        }
    }

    #[test]
    fn what_is_unconfirmed_never_makes_a_1() {
        let findings = vec![unconfirmed(Code::RstInjected, Severity::Error)];
        assert_eq!(judge(&with(findings.clone(), Status::Clean), FailOn::Warning, &[]), ExitStatus::Clean);
        let inconclusive = with(findings, Status::Inconclusive);
        assert_eq!(judge(&inconclusive, FailOn::Warning, &[]), ExitStatus::Inconclusive);
        assert_eq!(judge(&inconclusive, FailOn::Error, &[Code::SynLost]), ExitStatus::Inconclusive);
    }

    #[test]
    fn a_capture_point_without_packets_makes_a_3_but_a_problem_stands_before_it() {
        let nothing = finding(Code::NotCaptured, Severity::Info);
        for fail_on in [FailOn::Error, FailOn::Warning, FailOn::Never] {
            let report = with(vec![nothing.clone()], Status::Clean);
            assert_eq!(judge(&report, fail_on, &[]), ExitStatus::Inconclusive);
        }
        let both = with(vec![finding(Code::SynLost, Severity::Error), nothing], Status::Problem);
        assert_eq!(judge(&both, FailOn::Error, &[]), ExitStatus::Problem);
        assert_eq!(judge(&both, FailOn::Never, &[]), ExitStatus::Inconclusive);
    }

    #[test]
    fn an_inconclusive_verdict_makes_a_3_whatever_fails_the_run() {
        for fail_on in [FailOn::Error, FailOn::Warning, FailOn::Never] {
            let report = with(Vec::new(), Status::Inconclusive);
            assert_eq!(judge(&report, fail_on, &[]), ExitStatus::Inconclusive);
        }
    }

    #[test]
    fn expectations_are_met_only_by_exactly_the_expected_codes() {
        let lost = finding(Code::SynAckLost, Severity::Error);
        let rst = finding(Code::RstLost, Severity::Warning);
        let nat = finding(Code::AddressTranslated, Severity::Info);
        let one = with(vec![lost.clone(), nat], Status::Problem);
        let two = with(vec![lost, rst], Status::Problem);
        let none = with(Vec::new(), Status::Clean);
        let table: [(&Report, &[Code], ExitStatus); 8] = [
            (&one, &[Code::SynAckLost], ExitStatus::Clean),
            (&one, &[Code::SynAckLost, Code::AddressTranslated], ExitStatus::Clean),
            (&one, &[Code::SynAckLost, Code::RstLost], ExitStatus::Problem),
            (&two, &[Code::SynAckLost], ExitStatus::Problem),
            (&two, &[Code::RstLost, Code::SynAckLost], ExitStatus::Clean),
            (&two, &[Code::PacketLoss], ExitStatus::Problem),
            (&none, &[Code::SynAckLost], ExitStatus::Problem),
            (&none, &[Code::AddressTranslated], ExitStatus::Problem),
        ];
        for (report, expected, status) in table {
            for fail_on in [FailOn::Error, FailOn::Warning, FailOn::Never] {
                assert_eq!(judge(report, fail_on, expected), status, "{expected:?}");
            }
        }
    }

    #[test]
    fn an_expected_code_that_the_evidence_cannot_carry_is_inconclusive() {
        let suspicion = with(vec![unconfirmed(Code::SynAckLost, Severity::Error)], Status::Clean);
        assert_eq!(judge(&suspicion, FailOn::Error, &[Code::SynAckLost]), ExitStatus::Inconclusive);
        let nothing = with(Vec::new(), Status::Inconclusive);
        assert_eq!(judge(&nothing, FailOn::Error, &[Code::SynAckLost]), ExitStatus::Inconclusive);
        let absent = with(vec![finding(Code::NotCaptured, Severity::Info)], Status::Inconclusive);
        assert_eq!(judge(&absent, FailOn::Error, &[Code::NotCaptured]), ExitStatus::Inconclusive);
    }

    #[test]
    fn an_unconfirmed_suspicion_beside_what_was_expected_does_no_harm() {
        let findings =
            vec![finding(Code::SynAckLost, Severity::Error), unconfirmed(Code::RstInjected, Severity::Error)];
        let report = with(findings, Status::Problem);
        assert_eq!(judge(&report, FailOn::Error, &[Code::SynAckLost]), ExitStatus::Clean);
    }
}
