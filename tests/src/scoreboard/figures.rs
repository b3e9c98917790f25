//! The scores as JSON.

use super::options::Options;
use super::score::{Counts, Score, Scores};
use super::selection::{ip_word, offloads_word};
use correlate_lab::{IpVersion, Offloads};
use correlate_proto::report::Severity;
use serde_json::{Map, Value, json};

/// Name of the document.
pub const SCHEMA: &str = "correlate.scoreboard/v1";

/// All figures.
pub fn write(options: &Options, runs: usize, scores: &Scores) -> Value {
    let by_quality: Map<String, Value> =
        scores.iter().map(|(quality, score)| (quality.word().to_owned(), one(score))).collect();
    json!({
        "schema": SCHEMA,
        "selection": selection(options),
        "runs": runs,
        "qualities": by_quality,
    })
}

/// What the figures are of: those of another selection cannot be compared with them.
fn selection(options: &Options) -> Value {
    json!({
        "scenarios": options.scenarios,
        "seeds": options.seeds,
        "kinds": options.kinds.iter().copied().map(kind).collect::<Vec<_>>(),
        "missing": options.qualities.iter().map(|quality| quality.word()).collect::<Vec<_>>(),
        "vouched": options.vouch,
        "at": options.places.iter().map(|place| place.word()).collect::<Vec<_>>(),
    })
}

fn kind((ip, offloads): (IpVersion, Offloads)) -> String {
    format!("IPv{}, offloads {}", ip_word(ip), offloads_word(offloads))
}

fn one(score: &Score) -> Value {
    let mut findings = json!({ "error": {}, "warning": {}, "info": {} });
    for ((severity, code), found) in &score.findings {
        if found.truths() + found.false_positive + found.suspected > 0 {
            findings[severity_word(*severity)][code] = counts(*found);
        }
    }
    let packets: Map<String, Value> =
        score.packets.iter().map(|(class, found)| (class.name().to_owned(), counts(*found))).collect();
    let clock = &score.clock;
    json!({
        "judgements": score.judgements,
        "inconclusive": score.inconclusive,
        "needlessly_inconclusive": score.needlessly_inconclusive,
        "false_proven": score.false_proven,
        "findings": findings,
        "packets": packets,
        "clock": {
            "seconds": clock.seconds,
            "held": clock.held,
            "estimated": clock.errors_ns.len(),
            "median_error_ns": clock.percentile_ns(50),
            "p99_error_ns": clock.percentile_ns(99),
            "worst_error_ns": clock.percentile_ns(100),
            "mean_uncertainty_ns": clock.mean_uncertainty_ns(),
        },
    })
}

fn counts(counts: Counts) -> Value {
    json!({
        "true_positives": counts.true_positive,
        "false_positives": counts.false_positive,
        "suspected": counts.suspected,
        "false_negatives": counts.false_negative,
        "open": counts.open,
        "true_negatives": counts.true_negative,
        "precision": counts.precision(),
        "recall": counts.recall(),
    })
}

/// Its word in figures.
pub const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}
