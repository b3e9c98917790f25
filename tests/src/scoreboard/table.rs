//! The scores as a table.

use super::class::Class;
use super::condition::Quality;
use super::score::{ClockScore, Counts, Score, Scores};
use core::fmt::Write;
use correlate_proto::report::Severity;

const WIDTH: usize = 30;

/// The table.
pub fn render(scores: &Scores) -> String {
    let mut out = String::new();
    for (quality, score) in scores {
        let _ = writeln!(out, "{}", title(*quality, score));
        for (name, severity) in
            [("errors", Severity::Error), ("warnings", Severity::Warning), ("infos", Severity::Info)]
        {
            findings(&mut out, name, severity, score);
        }
        packets(&mut out, score);
        clock(&mut out, &score.clock);
        out.push('\n');
    }
    out
}

fn title(quality: Quality, score: &Score) -> String {
    let what = if quality == Quality::Clean {
        "Clean recordings".to_owned()
    } else {
        format!("{} % of the records missing", quality.word())
    };
    format!(
        "{what}: {} judged, {} inconclusive ({} without need), {} false findings called proven",
        score.judgements, score.inconclusive, score.needlessly_inconclusive, score.false_proven
    )
}

fn head(out: &mut String, name: &str) {
    let _ = writeln!(
        out,
        "  {name:WIDTH$} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>10} {:>8}",
        "true +", "false +", "suspected", "false -", "open", "true -", "precision", "recall"
    );
}

fn row(out: &mut String, name: &str, counts: Counts) {
    let share = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{share:.4}"));
    let _ = writeln!(
        out,
        "    {name:<28} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8} {:>10} {:>8}",
        counts.true_positive,
        counts.false_positive,
        counts.suspected,
        counts.false_negative,
        counts.open,
        counts.true_negative,
        share(counts.precision()),
        share(counts.recall())
    );
}

fn findings(out: &mut String, name: &str, severity: Severity, score: &Score) {
    let told = |counts: &Counts| counts.truths() + counts.false_positive + counts.suspected > 0;
    let rows: Vec<_> =
        score.findings.iter().filter(|((of, _), counts)| *of == severity && told(counts)).collect();
    if rows.is_empty() {
        return;
    }
    head(out, name);
    let mut sum = Counts::default();
    for ((_, code), counts) in rows {
        row(out, code, *counts);
        sum.add(*counts);
    }
    row(out, "(all)", sum);
}

fn packets(out: &mut String, score: &Score) {
    head(out, "packets");
    for class in Class::ALL {
        row(out, class.name(), score.packets.get(&class).copied().unwrap_or_default());
    }
}

fn clock(out: &mut String, clock: &ClockScore) {
    let shown = |ns: Option<u64>| ns.map_or("-".to_owned(), |ns| format!("{} us", ns / 1000));
    let _ = writeln!(
        out,
        "  clock: the bound holds the truth in {} of {} seconds; beyond the path's asymmetry the estimate is off by {} in \
         half of them, {} in 99 of 100, {} at worst, where the bound allows {}",
        clock.held,
        clock.seconds,
        shown(clock.percentile_ns(50)),
        shown(clock.percentile_ns(99)),
        shown(clock.percentile_ns(100)),
        shown(clock.mean_uncertainty_ns())
    );
}
