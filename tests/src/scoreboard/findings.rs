//! What is found, against what there is to be found.

use super::condition::Quality;
use super::due::{Due, Truth};
use super::recording::Recording;
use super::score::{Counts, Score};
use super::severity::severity_of;
use super::told::{Told, names};
use correlate_proto::report::{Code, Confidence, Report, Severity, Status};
use correlate_proto::{Direction, FourTuple};
use std::collections::{BTreeMap, BTreeSet};

/// Connections named for one wrong finding.
const MOST_NAMED: usize = 3;

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
    let names: BTreeMap<String, FourTuple> =
        names(report).filter_map(|(id, tuple)| Some((id.to_owned(), truth.name(tuple)?))).collect();
    let open = report.verdict.status == Status::Inconclusive;
    let mut wrong = Vec::new();
    for code in Code::ALL.iter().copied() {
        let told = |least| Told::of(report, (code, least), &names);
        let judge = |told: Option<&Told>| {
            let mut held = hold(&truth.due(code.name()), told, truth.all.len(), open);
            if let Some(told) = told {
                held.turn(&misdirected(told, |direction| truth.happened(code.name(), direction)));
            }
            held
        };
        let proven = judge(told(Confidence::Proven).as_ref());
        score.false_proven += u64::from(proven.counts.false_positive > 0);
        let told = told(Confidence::Unconfirmed);
        let held = judge(told.as_ref());
        let confirmed = told.as_ref().filter(|told| told.is_confirmed);
        let severity = confirmed.map_or_else(|| severity_of(code.name()), |told| told.severity);
        score.count_finding(code.name(), severity, held.counts);
        let says =
            told.map_or_else(|| format!("the verdict: {}", report.verdict.sentence), |told| told.sentences);
        let mut put = |told: bool, of: String| {
            let what = format!("{of}{says}");
            wrong.push(WrongFinding { code: code.name().to_owned(), severity, told, what });
        };
        if held.counts.false_positive > 0 {
            put(true, name("of", &held.false_ones, "that it does not concern: "));
        }
        if held.counts.false_negative > 0 {
            put(false, name("not of", &held.missed, ""));
        }
    }
    wrong
}

/// What comes of holding one code against the truth.
#[derive(Debug, Default)]
struct Held {
    counts: Counts,
    false_ones: Vec<FourTuple>,
    missed: Vec<FourTuple>,
}

impl Held {
    /// Counts connections as told falsely after all.
    fn turn(&mut self, wrong: &BTreeSet<FourTuple>) {
        let known: BTreeSet<FourTuple> = self.false_ones.iter().copied().collect();
        let more: Vec<FourTuple> = wrong.difference(&known).copied().collect();
        let count = number(more.len()).min(self.counts.true_positive);
        self.counts.true_positive -= count;
        self.counts.false_positive += count;
        self.false_ones.extend(more.into_iter().take(usize::try_from(count).unwrap_or(0)));
    }
}

/// Connections of which something is told in a direction in which nothing of the kind happened.
fn misdirected(
    told: &Told,
    happened: impl Fn(Direction) -> Option<BTreeSet<FourTuple>>,
) -> BTreeSet<FourTuple> {
    let wrong = |(direction, connections): (&Direction, &BTreeSet<FourTuple>)| {
        happened(*direction).map(|happened| connections.difference(&happened).copied().collect::<Vec<_>>())
    };
    told.by_direction.iter().filter_map(wrong).flatten().collect()
}

/// Holds what is told under one code against what is due, of so many connections. What is missing is open if it is
/// suspected, or if the verdict says that the evidence falls short.
fn hold(due: &Due, told: Option<&Told>, all: usize, open: bool) -> Held {
    let nothing = BTreeSet::new();
    let (said, suspected) = told.map_or((&nothing, &nothing), |told| (&told.connections, &told.suspected));
    let is_confirmed = told.is_some_and(|told| told.is_confirmed);
    let one = u64::from(is_confirmed);
    match due {
        Due::Of(concerned) => {
            let (missed, left_open): (Vec<FourTuple>, Vec<FourTuple>) =
                concerned.difference(said).partition(|missing| !open && !suspected.contains(missing));
            let mut held = beside(concerned, said, suspected, all);
            held.counts.open = number(left_open.len());
            held.counts.false_negative = number(missed.len());
            held.counts.true_negative =
                held.counts.true_negative.saturating_sub(number(missed.len() + left_open.len()));
            Held { missed, ..held }
        }
        Due::AtMost(concerned) => beside(concerned, said, suspected, all),
        Due::Any => {
            let left_open = !is_confirmed && (open || told.is_some());
            let counts = Counts {
                true_positive: one,
                open: u64::from(left_open),
                false_negative: u64::from(!is_confirmed && !left_open),
                ..Counts::default()
            };
            Held { counts, ..Held::default() }
        }
        Due::Allowed if told.is_some() => Held::default(),
        Due::Never if told.is_some() => {
            let counts = Counts {
                false_positive: if is_confirmed { number(said.len()).max(1) } else { 0 },
                suspected: if is_confirmed {
                    number(suspected.len())
                } else {
                    number(suspected.len()).max(1)
                },
                ..Counts::default()
            };
            Held { counts, ..Held::default() }
        }
        Due::Allowed | Due::Never => {
            let counts = Counts { true_negative: number(all).max(1), ..Counts::default() };
            Held { counts, ..Held::default() }
        }
    }
}

/// Counts what is told of the connections that it concerns, and of others.
fn beside(
    concerned: &BTreeSet<FourTuple>,
    said: &BTreeSet<FourTuple>,
    suspected: &BTreeSet<FourTuple>,
    all: usize,
) -> Held {
    let false_ones: Vec<FourTuple> = said.difference(concerned).copied().collect();
    let counts = Counts {
        true_positive: number(said.len() - false_ones.len()),
        false_positive: number(false_ones.len()),
        suspected: number(suspected.difference(concerned).count()),
        true_negative: number(all).saturating_sub(number(said.len())),
        ..Counts::default()
    };
    Held { counts, false_ones, missed: Vec::new() }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Connections in words; nothing where there are none to be named.
fn name(of: &str, connections: &[FourTuple], then: &str) -> String {
    if connections.is_empty() {
        return String::new();
    }
    let shown = connections.iter().take(MOST_NAMED).map(|tuple| format!("{} to {}", tuple.src, tuple.dst));
    let shown: Vec<String> = shown.collect();
    let more = if connections.len() > MOST_NAMED { ", …" } else { "" };
    let then = if then.is_empty() { ": " } else { then };
    format!("{of} {} connections ({}{more}) {then}", connections.len(), shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use correlate_proto::Endpoint;
    use std::net::{IpAddr, Ipv4Addr};

    fn connections(ports: &[u16]) -> BTreeSet<FourTuple> {
        let end = |port| Endpoint { addr: IpAddr::V4(Ipv4Addr::LOCALHOST), port };
        ports.iter().map(|port| FourTuple { src: end(*port), dst: end(80) }).collect()
    }

    fn told(connections: BTreeSet<FourTuple>, suspected: BTreeSet<FourTuple>) -> Told {
        Told {
            is_confirmed: !connections.is_empty(),
            connections,
            suspected,
            by_direction: BTreeMap::new(),
            severity: Severity::Error,
            sentences: String::new(),
        }
    }

    /// True and false positives, suspected, false negatives, open and true negatives of ten connections.
    fn counts(due: &Due, told: Option<&Told>, open: bool) -> [u64; 6] {
        let counts = hold(due, told, 10, open).counts;
        [
            counts.true_positive,
            counts.false_positive,
            counts.suspected,
            counts.false_negative,
            counts.open,
            counts.true_negative,
        ]
    }

    #[test]
    fn one_connection_too_many_is_false_and_the_others_are_right() {
        let due = Due::Of(connections(&[1, 2]));
        assert_eq!(
            counts(&due, Some(&told(connections(&[1, 2, 3]), BTreeSet::new())), false),
            [2, 1, 0, 0, 0, 7]
        );
    }

    #[test]
    fn what_is_missing_is_missed_and_without_a_verdict_it_is_open() {
        let due = Due::Of(connections(&[1, 2]));
        assert_eq!(counts(&due, None, false), [0, 0, 0, 2, 0, 8]);
        assert_eq!(counts(&due, None, true), [0, 0, 0, 0, 2, 8]);
        assert_eq!(counts(&Due::Any, None, false), [0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_suspicion_is_neither_right_nor_wrong() {
        let (due, suspicion) = (Due::Of(connections(&[1, 2])), told(connections(&[1]), connections(&[2, 3])));
        assert_eq!(counts(&due, Some(&suspicion), false), [1, 0, 1, 0, 1, 8]);
        let alone = told(BTreeSet::new(), connections(&[3]));
        assert_eq!(counts(&Due::Never, Some(&alone), false), [0, 0, 1, 0, 0, 0]);
        assert_eq!(counts(&Due::Any, Some(&alone), false), [0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn the_right_connection_in_the_wrong_direction_is_false() {
        let back = Direction::ServerToClient;
        let mut both = told(connections(&[1, 2]), BTreeSet::new());
        both.by_direction.insert(back, connections(&[1, 2]));
        let happened =
            |direction| Some(if direction == back { connections(&[1]) } else { connections(&[1, 2]) });
        let mut held = hold(&Due::Of(connections(&[1, 2])), Some(&both), 10, false);
        held.turn(&misdirected(&both, happened));
        assert_eq!((held.counts.true_positive, held.counts.false_positive), (1, 1));
        assert_eq!(held.false_ones.iter().copied().collect::<BTreeSet<_>>(), connections(&[2]));
        assert!(misdirected(&both, |_| None).is_empty(), "nothing is known of directions");
    }

    #[test]
    fn silence_is_right_where_nothing_is_due() {
        for due in [Due::Never, Due::Allowed, Due::AtMost(connections(&[1]))] {
            assert_eq!(counts(&due, None, false), [0, 0, 0, 0, 0, 10]);
        }
    }
}
