//! The report as `JUnit` XML, as pipelines collect it: a test case for the verdict and one for each code that could fail.
//!
//! It agrees with the exit status: a failure is in it exactly where the status is 1, an error exactly where it is 2 or
//! 3. What is inconclusive is an error, not skipped: most pipelines count what is skipped as passed.

use super::style::Style;
use super::xml::Document;
use super::{finding, words};
use crate::args::VerdictArgs;
use crate::exit::{ExitStatus, confirmed, is_inconclusive, judge};
use correlate_proto::Role;
use correlate_proto::report::{Code, Finding, Report, Severity};

/// Codes whose findings are never worse than `info`: nothing to fail, unless it was expected.
const HARMLESS: [Code; 17] = [
    Code::SynAckInjected,
    Code::AckLoss,
    Code::ResetByClient,
    Code::ResetByServer,
    Code::ZeroWindow,
    Code::AddressTranslated,
    Code::SequenceRewritten,
    Code::MssClamped,
    Code::DscpRewritten,
    Code::Proxied,
    Code::SpuriousRetransmission,
    Code::Reordering,
    Code::Duplication,
    Code::SlowServer,
    Code::SlowClient,
    Code::UnpairedConnection,
    Code::ClockUnaligned,
];

/// How a test case ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// With what is worth reading all the same.
    Passed(String),
    Skipped(String),
    Failed {
        kind: String,
        message: String,
        text: String,
    },
    Error {
        kind: &'static str,
        message: String,
        text: String,
    },
}

struct Case {
    name: &'static str,
    outcome: Outcome,
}

/// The report as `JUnit` XML, judged as the exit status is.
pub(crate) fn report(report: &Report, rule: &VerdictArgs) -> String {
    let mut cases = vec![Case { name: "verdict", outcome: verdict(report, rule) }];
    let codes = Code::ALL.iter().copied().filter(|code| has_case(*code, report, rule));
    cases.extend(codes.map(|code| Case { name: code.name(), outcome: of_code(code, report, rule) }));
    let properties = properties(report);
    let seconds =
        report.session.started_at.zip(report.session.ended_at).map_or(0, |(from, to)| to.0 - from.0);
    let seconds = format!("{}.{:03}", seconds / 1_000_000_000, seconds % 1_000_000_000 / 1_000_000);
    let began = report.session.started_at.map(|at| at.to_string()[..19].to_owned());
    document(&cases, &properties, &seconds, began.as_deref())
}

/// A document that says that there is no report: the one case `correlate` ended with an error.
pub(crate) fn failed(what: &str, remedy: &str) -> String {
    let outcome = Outcome::Error { kind: "error", message: what.to_owned(), text: remedy.to_owned() };
    document(&[Case { name: "correlate", outcome }], &[], "0.000", None)
}

fn verdict(report: &Report, rule: &VerdictArgs) -> Outcome {
    let verdict = &report.verdict;
    let status = judge(report, rule.fail_on, &rule.expect);
    let (message, text) = if rule.expect.is_empty() {
        (verdict.sentence.clone(), verdict.reasons.join("\n"))
    } else {
        let found =
            report.findings.iter().filter(|found| found.severity > Severity::Info && confirmed(found));
        let found: Vec<&str> = found.map(|found| found.code.name()).collect();
        let expected: Vec<&str> = rule.expect.iter().map(|code| code.name()).collect();
        let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        let message = format!("expected {}; found {found}", expected.join(", "));
        let lines = [std::slice::from_ref(&verdict.sentence), &verdict.reasons].concat();
        (message, lines.join("\n"))
    };
    match status {
        ExitStatus::Clean => Outcome::Passed([message, text].join("\n").trim_end().to_owned()),
        ExitStatus::Problem => {
            let kind = verdict.code.map_or("expectation", Code::name).to_owned();
            Outcome::Failed { kind, message, text }
        }
        ExitStatus::Inconclusive | ExitStatus::Error | ExitStatus::Aborted => {
            Outcome::Error { kind: "inconclusive", message, text }
        }
    }
}

/// Whether a code could fail the run, or did.
fn has_case(code: Code, report: &Report, rule: &VerdictArgs) -> bool {
    // That nothing was captured makes the verdict inconclusive and stands there.
    let may_fail = code != Code::NotCaptured && !HARMLESS.contains(&code);
    let bad = |found: &Finding| found.code == code && found.severity > Severity::Info;
    may_fail || rule.expect.contains(&code) || report.findings.iter().any(bad)
}

fn of_code(code: Code, report: &Report, rule: &VerdictArgs) -> Outcome {
    let found: Vec<&Finding> = report.findings.iter().filter(|found| found.code == code).collect();
    let text: Vec<String> = found.iter().map(|found| finding::block(found, report, Style::PLAIN)).collect();
    let text = text.join("\n");
    let sure = found.iter().copied().find(|found| confirmed(found));
    let threshold = if rule.expect.is_empty() { rule.fail_on.threshold() } else { Some(Severity::Warning) };
    let bad = |found: &&Finding| confirmed(found) && threshold.is_some_and(|least| found.severity >= least);
    match (sure, rule.expect.contains(&code)) {
        (Some(_), true) => return Outcome::Passed(text),
        (None, true) if found.is_empty() && !is_inconclusive(report) => {
            return Outcome::Failed {
                kind: "expectation".to_owned(),
                message: format!("{code} was expected and not found"),
                text,
            };
        }
        (_, true | false) => {}
    }
    if let Some(bad) = found.iter().copied().find(bad) {
        let place = words::location(bad.location);
        let kind = format!("{} {} {place}", words::severity(bad.severity), words::confidence(bad.confidence));
        return Outcome::Failed { kind, message: bad.sentence.clone(), text };
    }
    match (found.first(), sure) {
        (Some(first), None) => Outcome::Skipped(format!("unconfirmed: {}", first.sentence)),
        (None, None) if is_inconclusive(report) => {
            Outcome::Skipped("the evidence carries no verdict".to_owned())
        }
        (_, _) => Outcome::Passed(text),
    }
}

fn properties(report: &Report) -> Vec<(String, String)> {
    let mut all = vec![
        ("version".to_owned(), report.tool.version.clone()),
        ("session".to_owned(), report.session.id.clone()),
        ("filter".to_owned(), report.session.filter.clone()),
    ];
    let points = report.capture_points.iter().filter(|point| point.role != Role::Via);
    all.extend(points.map(|point| (point.id.clone(), point.host.clone())));
    if let Some(command) = &report.session.command {
        let status = command.exit_status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        all.push(("command".to_owned(), command.argv.join(" ")));
        all.push(("command.exit_status".to_owned(), status));
    }
    all
}

fn document(cases: &[Case], properties: &[(String, String)], seconds: &str, began: Option<&str>) -> String {
    let count = |is: fn(&Outcome) -> bool| cases.iter().filter(|case| is(&case.outcome)).count().to_string();
    let failures = count(|outcome| matches!(outcome, Outcome::Failed { .. }));
    let errors = count(|outcome| matches!(outcome, Outcome::Error { .. }));
    let (tests, skipped) = (cases.len().to_string(), count(|outcome| matches!(outcome, Outcome::Skipped(_))));
    let totals = [
        ("name", "correlate"),
        ("tests", &tests),
        ("failures", &failures),
        ("errors", &errors),
        ("skipped", &skipped),
        ("time", seconds),
    ];
    let mut xml = Document::new();
    xml.open("testsuites", &totals);
    let timestamp = began.map(|began| ("timestamp", began));
    xml.open("testsuite", &totals.into_iter().chain(timestamp).collect::<Vec<_>>());
    if !properties.is_empty() {
        xml.open("properties", &[]);
        for (name, value) in properties {
            xml.leaf("property", &[("name", name), ("value", value)], "");
        }
        xml.close();
    }
    for case in cases {
        write_case(&mut xml, case);
    }
    xml.finish()
}

fn write_case(xml: &mut Document, case: &Case) {
    let attributes = [("classname", "correlate"), ("name", case.name)];
    match &case.outcome {
        Outcome::Passed(text) if text.is_empty() => return xml.leaf("testcase", &attributes, ""),
        Outcome::Passed(text) => {
            xml.open("testcase", &attributes);
            xml.leaf("system-out", &[], text);
        }
        Outcome::Skipped(message) => {
            xml.open("testcase", &attributes);
            xml.leaf("skipped", &[("message", message)], "");
        }
        Outcome::Failed { kind, message, text } => {
            xml.open("testcase", &attributes);
            xml.leaf("failure", &[("message", message), ("type", kind)], text);
        }
        Outcome::Error { kind, message, text } => {
            xml.open("testcase", &attributes);
            xml.leaf("error", &[("message", message), ("type", kind)], text);
        }
    }
    xml.close();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::FailOn;
    use crate::render::sample::{broken, finding as sample, report as clean};
    use correlate_proto::report::{Confidence, Status};

    /// What a document says: the outcome of each case, by element, and the totals.
    fn outcomes(text: &str) -> Vec<(String, String)> {
        let parsed = roxmltree::Document::parse(text).expect(text);
        let suite = parsed.root_element().first_element_child().expect("a suite");
        let cases = suite.children().filter(|node| node.has_tag_name("testcase"));
        let said: Vec<(String, String)> = cases
            .map(|case| {
                let outcome =
                    case.first_element_child().map_or("passed", |node| match node.tag_name().name() {
                        "system-out" => "passed",
                        "failure" => "failure",
                        "error" => "error",
                        _ => "skipped",
                    });
                (case.attribute("name").unwrap_or_default().to_owned(), outcome.to_owned())
            })
            .collect();
        for (total, outcome) in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")] {
            let counted = said.iter().filter(|(_, said)| said == outcome).count();
            assert_eq!(suite.attribute(total), Some(counted.to_string().as_str()), "{text}");
        }
        assert_eq!(suite.attribute("tests"), Some(said.len().to_string().as_str()), "{text}");
        said
    }

    fn with(outcome: &str, text: &str) -> Vec<String> {
        outcomes(text).into_iter().filter(|(_, said)| said == outcome).map(|(name, _)| name).collect()
    }

    fn rule(fail_on: FailOn, expect: &[Code]) -> VerdictArgs {
        VerdictArgs { fail_on, expect: expect.to_vec() }
    }

    #[test]
    fn a_clean_report_passes_in_every_case() {
        let said = outcomes(&report(&clean(), &VerdictArgs::default()));
        assert!(said.len() > 20 && said[0].0 == "verdict", "{said:?}");
        assert!(said.iter().all(|(_, outcome)| outcome == "passed"), "{said:?}");
    }

    #[test]
    fn a_finding_fails_its_case_and_the_verdict_with_its_evidence() {
        let text = report(&broken(), &VerdictArgs::default());
        assert_eq!(with("failure", &text), ["verdict", "syn-ack-lost"]);
        let parsed = roxmltree::Document::parse(&text).expect(&text);
        let failures: Vec<_> = parsed.descendants().filter(|node| node.has_tag_name("failure")).collect();
        assert_eq!(
            failures[1].attribute("message"),
            Some("The server sent 7 SYN-ACKs and none reached the client.")
        );
        assert_eq!(failures[1].attribute("type"), Some("error proven server-to-client-path"));
        let body = failures[1].text().expect("evidence");
        assert!(body.contains("never-received") && body.contains("next: Look at what"), "{body}");
    }

    #[test]
    fn the_cases_agree_with_the_exit_status() {
        let unconfirmed =
            |code| Finding { confidence: Confidence::Unconfirmed, ..sample(code, Severity::Error) };
        let of = |status, findings: Vec<Finding>| {
            let mut report = clean();
            report.verdict.status = status;
            report.findings = findings;
            report
        };
        let reports = [
            of(Status::Clean, vec![]),
            of(Status::Clean, vec![sample(Code::AddressTranslated, Severity::Info)]),
            of(Status::Clean, vec![unconfirmed(Code::RstInjected)]),
            of(Status::Problem, vec![sample(Code::RstLost, Severity::Warning)]),
            of(Status::Problem, vec![sample(Code::SynLost, Severity::Error), unconfirmed(Code::RstInjected)]),
            of(Status::Problem, vec![sample(Code::Proxied, Severity::Error)]),
            of(Status::Inconclusive, vec![sample(Code::NotCaptured, Severity::Info)]),
            of(Status::Inconclusive, vec![unconfirmed(Code::SynLost)]),
        ];
        let expectations: [&[Code]; 4] =
            [&[], &[Code::SynLost], &[Code::RstLost, Code::SynLost], &[Code::AddressTranslated]];
        for (at, given) in reports.iter().enumerate() {
            for fail_on in [FailOn::Error, FailOn::Warning, FailOn::Never] {
                for expect in expectations {
                    let text = report(given, &rule(fail_on, expect));
                    let failed = !with("failure", &text).is_empty();
                    let error = !with("error", &text).is_empty();
                    let status = judge(given, fail_on, expect);
                    let agrees = match status {
                        ExitStatus::Clean => !failed && !error,
                        ExitStatus::Problem => failed && !error,
                        ExitStatus::Inconclusive | ExitStatus::Error | ExitStatus::Aborted => {
                            !failed && error
                        }
                    };
                    assert!(agrees, "report {at}, {fail_on:?}, {expect:?}: {status:?}\n{text}");
                }
            }
        }
    }

    #[test]
    fn what_was_expected_passes_and_what_is_missing_fails() {
        let text = report(&broken(), &rule(FailOn::Error, &[Code::SynAckLost]));
        assert_eq!(with("failure", &text), Vec::<String>::new());
        let text = report(&broken(), &rule(FailOn::Error, &[Code::SynAckLost, Code::MssClamped]));
        assert_eq!(with("failure", &text), ["verdict", "mss-clamped"]);
        assert!(text.contains("expected syn-ack-lost, mss-clamped; found syn-ack-lost"), "{text}");
    }

    #[test]
    fn a_case_that_nothing_was_seen_of_is_skipped_where_the_verdict_is_open() {
        let mut open = clean();
        open.verdict.status = Status::Inconclusive;
        let text = report(&open, &VerdictArgs::default());
        assert_eq!(with("error", &text), ["verdict"]);
        assert!(with("passed", &text).is_empty(), "{text}");
    }

    #[test]
    fn hostile_names_stay_what_they_are() {
        let mut hostile = broken();
        hostile.session.filter = "port 1 \"]]><x>&".into();
        hostile.findings[0].sentence = "</failure>\u{1b}[31m\u{0}".into();
        let text = report(&hostile, &VerdictArgs::default());
        assert_eq!(with("failure", &text), ["verdict", "syn-ack-lost"]);
        let parsed = roxmltree::Document::parse(&text).expect(&text);
        let values: Vec<&str> = parsed.descendants().filter_map(|node| node.attribute("value")).collect();
        assert!(values.contains(&"port 1 \"]]><x>&"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn without_a_report_there_is_one_case_with_an_error() {
        let text = failed("no container is called <web>", "start it");
        assert_eq!(outcomes(&text), [("correlate".to_owned(), "error".to_owned())]);
        assert!(text.contains("no container is called &lt;web&gt;") && text.contains("start it"), "{text}");
    }
}
