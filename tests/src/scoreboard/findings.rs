//! What is found, against what there is to be found.

use super::condition::Quality;
use super::recording::Recording;
use super::score::{Counts, Score};
use correlate_lab::Expect;
use correlate_proto::report::{Code, Confidence, Finding, Report, Severity, Status};
use std::collections::BTreeSet;

/// Codes that are true of a recording of which records are missing, whatever the scenario: the capture is incomplete,
/// and a connection whose handshake is gone at one end may stay without its other half.
const TRUE_OF_INCOMPLETE: [&str; 4] =
    ["capture-loss", "unpaired-connection", "not-captured", "clock-unaligned"];

/// A finding that is wrong, or missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongFinding {
    /// Its code.
    pub code: String,
    /// Its severity.
    pub severity: Severity,
    /// It was told and is not so.
    pub told: bool,
    /// In a sentence.
    pub what: String,
}

/// Counts into `score` what the report tells, and gives what is wrong with it.
pub fn compare(
    report: &Report,
    recording: &Recording,
    quality: Quality,
    score: &mut Score,
) -> Vec<WrongFinding> {
    let expect = &recording.scenario.expect;
    let mut wrong = Vec::new();
    let told: BTreeSet<&str> = report.findings.iter().map(|finding| finding.code.name()).collect();
    for finding in &report.findings {
        let code = finding.code.name();
        match standing(expect, finding, quality) {
            Standing::Due => {
                let counts = Counts { true_positive: 1, ..Counts::default() };
                score.count_finding(code, severity_of(code), counts);
            }
            Standing::Allowed => {}
            Standing::False => {
                score.count_finding(
                    code,
                    finding.severity,
                    Counts { false_positive: 1, ..Counts::default() },
                );
                score.false_proven += u64::from(finding.confidence == Confidence::Proven);
                wrong.push(WrongFinding {
                    code: code.to_owned(),
                    severity: finding.severity,
                    told: true,
                    what: sentence(finding),
                });
            }
        }
    }
    for code in expect.must.iter().filter(|code| !told.contains(**code)) {
        let open = report.verdict.status == Status::Inconclusive;
        let severity = severity_of(code);
        let counts = Counts { open: u64::from(open), false_negative: u64::from(!open), ..Counts::default() };
        score.count_finding(code, severity, counts);
        if !open {
            let what = format!("it is missing; the verdict: {}", report.verdict.sentence);
            wrong.push(WrongFinding { code: (*code).to_owned(), severity, told: false, what });
        }
    }
    for code in Code::ALL.iter().map(|code| code.name()) {
        if !told.contains(code) && !expect.must.contains(&code) {
            score.count_finding(code, severity_of(code), Counts { true_negative: 1, ..Counts::default() });
        }
    }
    wrong
}

enum Standing {
    Due,
    Allowed,
    False,
}

fn standing(expect: &Expect, finding: &Finding, quality: Quality) -> Standing {
    let code = finding.code.name();
    if expect.must.contains(&code) {
        return Standing::Due;
    }
    let of_capture = quality != Quality::Clean && TRUE_OF_INCOMPLETE.contains(&code);
    if expect.may.contains(&code) || of_capture {
        return Standing::Allowed;
    }
    if finding.severity > Severity::Info || expect.never.contains(&code) {
        Standing::False
    } else {
        Standing::Allowed
    }
}

fn sentence(finding: &Finding) -> String {
    let confidence = match finding.confidence {
        Confidence::Unconfirmed => "unconfirmed",
        Confidence::Likely => "likely",
        Confidence::Strong => "strong",
        Confidence::Proven => "proven",
    };
    let direction = finding.direction.map_or(String::new(), |direction| format!(", {direction:?}"));
    format!("{confidence}{direction}: {}", finding.sentence)
}

/// How bad the finding of that code is at its worst, by the table of findings that the project promises.
pub fn severity_of(code: &str) -> Severity {
    const ERRORS: [&str; 17] = [
        "syn-lost",
        "syn-ack-lost",
        "syn-unanswered",
        "syn-ack-ignored",
        "accept-queue-full",
        "connection-refused",
        "refused-in-path",
        "rst-injected",
        "idle-expiry",
        "packet-loss",
        "asymmetric-loss",
        "one-way-blackhole",
        "outage",
        "path-mtu-blackhole",
        "sack-not-rewritten",
        "window-scale-mismatch",
        "payload-altered",
    ];
    const WARNINGS: [&str; 8] = [
        "handshake-ack-lost",
        "challenge-ack",
        "rst-lost",
        "option-stripped",
        "ecn-bleached",
        "zero-window",
        "window-update-lost",
        "capture-loss",
    ];
    if ERRORS.contains(&code) {
        Severity::Error
    } else if WARNINGS.contains(&code) {
        Severity::Warning
    } else {
        Severity::Info
    }
}
