//! What is found, against what there is to be found.

use super::condition::Quality;
use super::recording::Recording;
use super::score::{Counts, Score};
use correlate_lab::Entry;
use correlate_proto::report::{Code, Confidence, EndpointReport, Finding, Report, Severity, Status};
use correlate_proto::{Direction, Endpoint, FourTuple};
use std::collections::{BTreeMap, BTreeSet};

/// Connections named for one wrong finding.
const MOST_NAMED: usize = 3;

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

/// Counts into `score` what the report tells of which connections, and gives what is wrong with it.
pub fn compare(
    report: &Report,
    recording: &Recording,
    quality: Quality,
    score: &mut Score,
) -> Vec<WrongFinding> {
    let truth = Truth::new(recording, quality);
    let told = Told::of(report, &truth);
    let mut wrong = Vec::new();
    for code in Code::ALL.iter().copied() {
        let due = truth.due(code.name());
        let (counts, what) = match told.by_code.get(&code) {
            Some(connections) => due.told(connections, truth.all.len()),
            None => due.missing(report, truth.all.len()),
        };
        let severity = told.severity(code);
        score.count_finding(code.name(), severity, counts);
        if counts.false_positive > 0 {
            score.false_proven += told.proven(code);
        }
        let sentences = told.sentences(code);
        for (told, what) in what {
            let what = format!("{what}{sentences}");
            wrong.push(WrongFinding { code: code.name().to_owned(), severity, told, what });
        }
    }
    wrong
}

/// What there is to be found.
struct Truth<'a> {
    recording: &'a Recording,
    quality: Quality,
    all: BTreeSet<FourTuple>,
    /// Connections as the servers name them.
    aliases: BTreeMap<FourTuple, FourTuple>,
}

/// What is due to be said under one code.
enum Due {
    /// This, of these connections and no others.
    Of(BTreeSet<FourTuple>),
    /// This, whatever connections it names.
    Any,
    /// Nothing, and if anything, of no others than these.
    AtMost(BTreeSet<FourTuple>),
    /// Nothing; it is no fault if it is said.
    Allowed,
    /// Nothing; it is one.
    Never,
}

impl<'a> Truth<'a> {
    fn new(recording: &'a Recording, quality: Quality) -> Self {
        let alias = |entry: &Entry| match entry.direction {
            Direction::ClientToServer => (entry.left, entry.connection),
            Direction::ServerToClient => (entry.came.reversed(), entry.connection),
        };
        let aliases = recording.ledger().iter().map(alias).collect();
        Self { recording, quality, all: recording.outcome.connections(), aliases }
    }

    fn due(&self, code: &str) -> Due {
        let expect = &self.recording.scenario.expect;
        let concerned = self.recording.outcome.concerned_by(expect, code);
        let listed = |codes: &[&str]| codes.contains(&code);
        if self.quality != Quality::Clean && TRUE_OF_INCOMPLETE.contains(&code) && !listed(&expect.must) {
            return Due::Allowed;
        }
        match (listed(&expect.must), concerned) {
            // What must be there by plan did not happen in this run.
            (true, Some(concerned)) if concerned.is_empty() => Due::AtMost(concerned),
            (true, Some(concerned)) => Due::Of(concerned),
            (true, None) => Due::Any,
            (false, Some(concerned)) if listed(&expect.may) => Due::AtMost(concerned),
            (false, _) if listed(&expect.may) => Due::Allowed,
            // Infos beside the lists are no fault, unless they are forbidden.
            (false, _) if !listed(&expect.never) && severity_of(code) == Severity::Info => Due::Allowed,
            (false, _) => Due::Never,
        }
    }
}

/// Counts, and what is wrong: whether it was told, and in words.
type Held = (Counts, Vec<(bool, String)>);

impl Due {
    fn told(&self, told: &BTreeSet<FourTuple>, all: usize) -> Held {
        let others = |known: &BTreeSet<FourTuple>| told.difference(known).copied().collect::<Vec<_>>();
        match self {
            Self::Of(concerned) => {
                let false_ones = others(concerned);
                let missed: Vec<FourTuple> = concerned.difference(told).copied().collect();
                let mut held = hold(told, &false_ones, &missed, all);
                if !false_ones.is_empty() {
                    held.1.push((true, format!("of {} that it does not concern: ", name(&false_ones))));
                }
                if !missed.is_empty() {
                    held.1.push((false, format!("not of {}: ", name(&missed))));
                }
                held
            }
            Self::AtMost(concerned) => {
                let false_ones = others(concerned);
                let mut held = hold(told, &false_ones, &[], all);
                if !false_ones.is_empty() {
                    held.1.push((true, format!("of {} that it does not concern: ", name(&false_ones))));
                }
                held
            }
            Self::Any => (Counts { true_positive: 1, ..Counts::default() }, Vec::new()),
            Self::Allowed => (Counts::default(), Vec::new()),
            Self::Never => {
                let counts = Counts { false_positive: number(told.len()).max(1), ..Counts::default() };
                (counts, vec![(true, String::new())])
            }
        }
    }

    fn missing(&self, report: &Report, all: usize) -> Held {
        let open = report.verdict.status == Status::Inconclusive;
        let missed = match self {
            Self::Of(concerned) => number(concerned.len()),
            Self::Any => 1,
            Self::AtMost(_) | Self::Allowed | Self::Never => {
                return (Counts { true_negative: number(all).max(1), ..Counts::default() }, Vec::new());
            }
        };
        let true_negative = number(all).saturating_sub(missed);
        if open {
            return (Counts { open: missed, true_negative, ..Counts::default() }, Vec::new());
        }
        let what = format!("of {missed} connections; the verdict: {}", report.verdict.sentence);
        (Counts { false_negative: missed, true_negative, ..Counts::default() }, vec![(false, what)])
    }
}

fn hold(told: &BTreeSet<FourTuple>, false_ones: &[FourTuple], missed: &[FourTuple], all: usize) -> Held {
    let (told, wrong, missed) = (number(told.len()), number(false_ones.len()), number(missed.len()));
    let counts = Counts {
        true_positive: told - wrong,
        false_positive: wrong,
        false_negative: missed,
        true_negative: number(all).saturating_sub(told + missed),
        ..Counts::default()
    };
    (counts, Vec::new())
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn name(connections: &[FourTuple]) -> String {
    let shown: Vec<String> =
        connections.iter().take(MOST_NAMED).map(|tuple| format!("{}-{}", tuple.src, tuple.dst)).collect();
    let more = if connections.len() > MOST_NAMED { ", …" } else { "" };
    format!("{} connections ({}{more})", connections.len(), shown.join(", "))
}

/// What the report tells.
struct Told<'a> {
    by_code: BTreeMap<Code, BTreeSet<FourTuple>>,
    findings: &'a [Finding],
}

impl<'a> Told<'a> {
    fn of(report: &'a Report, truth: &Truth<'_>) -> Self {
        let tuples: BTreeMap<&str, FourTuple> = report
            .connections
            .iter()
            .filter_map(|connection| {
                let tuple = FourTuple { src: end(&connection.client)?, dst: end(&connection.server)? };
                let named = if truth.all.contains(&tuple) { None } else { truth.aliases.get(&tuple) };
                Some((connection.id.as_str(), named.copied().unwrap_or(tuple)))
            })
            .collect();
        let mut by_code: BTreeMap<Code, BTreeSet<FourTuple>> = BTreeMap::new();
        for finding in &report.findings {
            let connections = finding.connections.iter().filter_map(|id| tuples.get(id.as_str()).copied());
            by_code.entry(finding.code).or_default().extend(connections);
        }
        Self { by_code, findings: &report.findings }
    }

    fn all(&self, code: Code) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.code == code)
    }

    /// As bad as it is told to be, or, untold, as it is at its worst.
    fn severity(&self, code: Code) -> Severity {
        let told = self.all(code).map(|finding| finding.severity).max();
        told.unwrap_or_else(|| severity_of(code.name()))
    }

    fn proven(&self, code: Code) -> u64 {
        u64::from(self.all(code).any(|finding| finding.confidence == Confidence::Proven))
    }

    fn sentences(&self, code: Code) -> String {
        self.all(code).map(sentence).collect::<Vec<_>>().join(" + ")
    }
}

fn end(end: &EndpointReport) -> Option<Endpoint> {
    Some(Endpoint { addr: end.address.parse().ok()?, port: end.port })
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
