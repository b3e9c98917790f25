//! Whether a report says what a scenario planted.

use crate::exit::ExitStatus;
use correlate_lab::Expect;
use correlate_proto::report::{Confidence, Report, Severity};

/// What is wrong with the report, in plain sentences; nothing if it is right.
pub(super) fn complaints(report: &Report, status: ExitStatus, expect: &Expect) -> Vec<String> {
    let found = |name: &str| report.findings.iter().any(|finding| finding.code.name() == name);
    let mut wrong = Vec::new();
    for name in expect.must.iter().filter(|name| !found(name)) {
        wrong.push(format!("it did not find {name}"));
    }
    for name in expect.never.iter().filter(|name| found(name)) {
        wrong.push(format!("it wrongly reported {name}"));
    }
    for finding in &report.findings {
        let name = finding.code.name();
        let known = [&expect.must, &expect.may, &expect.never].iter().any(|names| names.contains(&name));
        let accuses = finding.severity >= Severity::Warning && finding.confidence > Confidence::Unconfirmed;
        if accuses && !known {
            wrong.push(format!("it reported {name}, which nothing in the scenario causes"));
        }
    }
    if !expect.exit.contains(&i32::from(status.number())) {
        let right: Vec<String> = expect.exit.iter().map(ToString::to_string).collect();
        wrong.push(format!("its exit status would be {} instead of {}", status.number(), right.join(" or ")));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample::{broken, finding, report};
    use correlate_proto::report::Code;

    #[test]
    fn a_right_report_has_no_complaints() {
        let expect = Expect::problem(&["syn-ack-lost"]);
        assert_eq!(complaints(&broken(), ExitStatus::Problem, &expect), Vec::<String>::new());
        assert_eq!(complaints(&report(), ExitStatus::Clean, &Expect::clean()), Vec::<String>::new());
    }

    #[test]
    fn every_way_to_be_wrong_is_named() {
        let expect = Expect::problem(&["syn-lost", "outage"]).never(&["syn-ack-lost"]);
        let mut wrong = broken();
        wrong.findings.push(finding(Code::RstLost, Severity::Warning));
        let complaints = complaints(&wrong, ExitStatus::Inconclusive, &expect);
        let parts = [
            "did not find syn-lost",
            "did not find outage",
            "wrongly reported syn-ack-lost",
            "reported rst-lost",
            "3 instead of 1",
        ];
        assert_eq!(complaints.len(), parts.len(), "{complaints:?}");
        for (complaint, part) in complaints.iter().zip(parts) {
            assert!(complaint.contains(part), "{complaint}");
        }
    }

    #[test]
    fn an_unexpected_suspicion_is_no_accusation() {
        let mut quiet = report();
        let suspicion = finding(Code::RstInjected, Severity::Error);
        quiet
            .findings
            .push(correlate_proto::report::Finding { confidence: Confidence::Unconfirmed, ..suspicion });
        assert!(complaints(&quiet, ExitStatus::Clean, &Expect::clean()).is_empty());
    }
}
