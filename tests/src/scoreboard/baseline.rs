//! Whether figures are worse than those of another time.

use super::condition::Quality;
use super::figures::SCHEMA;
use serde_json::Value;

/// How much figures vary without being worse: the lab's packets depend on the machine's timing, and with records missing
/// on which were drawn. Each is a share of what there is to be found.
#[derive(Debug, Clone, Copy)]
struct Slack {
    /// Of connections that a finding concerns, those of which it is not told.
    missed: f64,
    /// At least so many of them: one finding that is not told is missed of all connections of its recording, up to eight.
    named: f64,
    /// False findings, whatever there is: connections, of which one finding may name eight. With many records missing
    /// which ones were drawn decides; without, no error is forgiven.
    accused: f64,
    /// The same of warnings. A machine that others use too now and then gives a host of the lab no processor for longer
    /// than its timers run: then it is slow, and its window closes. One connection is no more than that.
    warned: f64,
    /// The same of notes, and of findings that are called proven, notes among them: a busy kernel reorders a packet now
    /// and then.
    noted: f64,
    /// Of packets of a class, those of which something wrong is said or nothing.
    packets: f64,
}

impl Slack {
    const fn of(quality: Quality) -> Self {
        match quality {
            Quality::Clean => {
                Self { missed: 0.0, named: 1.0, accused: 0.0, warned: 1.0, noted: 2.0, packets: 0.005 }
            }
            Quality::HalfPercent => {
                Self { missed: 0.02, named: 8.0, accused: 2.0, warned: 2.0, noted: 8.0, packets: 0.01 }
            }
            Quality::TwoPercent => {
                Self { missed: 0.05, named: 8.0, accused: 8.0, warned: 8.0, noted: 16.0, packets: 0.02 }
            }
            Quality::TenPercent => {
                Self { missed: 0.15, named: 16.0, accused: 24.0, warned: 24.0, noted: 32.0, packets: 0.05 }
            }
        }
    }
}

/// Counts vary by their root; three of those are a change.
const DEVIATIONS: f64 = 3.0;

/// What is worse in `now` than in `before`, in sentences; an error if they cannot be compared.
pub fn worse(now: &Value, before: &Value) -> Result<Vec<String>, String> {
    if before["schema"] != SCHEMA {
        return Err("the baseline holds no figures of a scoreboard".to_owned());
    }
    if before["selection"] != now["selection"] {
        return Err(format!(
            "the baseline is of another selection: {} and not {}",
            before["selection"], now["selection"]
        ));
    }
    let mut worse = Vec::new();
    for (word, now) in now["qualities"].as_object().into_iter().flatten() {
        let slack =
            Slack::of(Quality::from_word(word).ok_or_else(|| format!("no quality is called {word}"))?);
        let before = &before["qualities"][word];
        let found = [whole(now, before, slack), findings(now, before, slack), packets(now, before, slack)];
        worse.extend(found.into_iter().flatten().map(|what| format!("{word}: {what}")));
    }
    Ok(worse)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}

/// Says that a count is worse if it exceeds what it was by more than the slack and what a count of that size varies by.
fn exceeds(name: &str, now: f64, before: f64, slack: f64) -> Option<String> {
    (now > before + DEVIATIONS * before.sqrt() + slack).then(|| format!("{name}: {now}, was {before:.0}"))
}

/// How many there are to be found.
fn truths(counts: &Value) -> f64 {
    ["true_positives", "false_negatives", "open"].iter().map(|name| number(&counts[*name])).sum()
}

fn whole(now: &Value, before: &Value, slack: Slack) -> Vec<String> {
    let count = |name| exceeds(name, number(&now[name]), number(&before[name]), slack.noted);
    let mut worse: Vec<String> =
        ["false_proven", "needlessly_inconclusive"].into_iter().filter_map(count).collect();
    let clock = &now["clock"];
    if clock["held"] != clock["seconds"] {
        worse.push(format!("clock: the bound holds in {} of {} seconds", clock["held"], clock["seconds"]));
    }
    worse
}

fn findings(now: &Value, before: &Value, slack: Slack) -> Vec<String> {
    let mut worse = Vec::new();
    for (severity, codes) in now["findings"].as_object().into_iter().flatten() {
        for (code, counts) in codes.as_object().into_iter().flatten() {
            let before = &before["findings"][severity][code];
            let of = |name: &str| {
                (number(&counts[name]), number(&before[name]), format!("{severity} {code}: {name}"))
            };
            let (now, was, name) = of("false_positives");
            let allowed = match severity.as_str() {
                "info" => slack.noted,
                "warning" => slack.warned,
                _ => slack.accused,
            };
            worse.extend(exceeds(&name, now, was, allowed));
            let (now, was, name) = of("false_negatives");
            worse.extend(exceeds(&name, now, was, (slack.missed * truths(counts)).ceil().max(slack.named)));
        }
    }
    worse
}

/// Counts of packets, of which there are not as many each time.
fn packets(now: &Value, before: &Value, slack: Slack) -> Vec<String> {
    let mut worse = Vec::new();
    for (class, counts) in now["packets"].as_object().into_iter().flatten() {
        let before = &before["packets"][class];
        let (size, size_before) = (truths(counts), truths(before));
        let scale = if size_before > 0.0 { size / size_before } else { 1.0 };
        for name in ["false_positives", "false_negatives", "open"] {
            let (now, was) = (number(&counts[name]), number(&before[name]) * scale);
            let name = format!("{class}, of {size}: {name}");
            worse.extend(exceeds(&name, now, was, slack.packets * size));
        }
    }
    worse
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn figures(findings: &Value, lost: [u64; 3]) -> Value {
        let [right, wrong, missed] = lost;
        json!({
            "schema": SCHEMA,
            "selection": { "seeds": [1] },
            "qualities": { "2": {
                "false_proven": 0,
                "findings": findings,
                "packets": { "lost": {
                    "true_positives": right, "false_positives": wrong, "false_negatives": missed
                } },
                "clock": { "seconds": 5, "held": 5 },
            } },
        })
    }

    fn code(wrong: u64, missed: u64) -> Value {
        json!({ "error": { "packet-loss": { "false_positives": wrong, "false_negatives": missed } } })
    }

    #[test]
    fn nothing_is_worse_than_itself_and_less_is_not_worse() {
        let before = figures(&code(1, 2), [900, 5, 100]);
        assert_eq!(worse(&before, &before), Ok(vec![]));
        assert_eq!(worse(&figures(&code(0, 0), [990, 0, 10]), &before), Ok(vec![]));
    }

    #[test]
    fn a_false_error_is_worse_at_once_where_nothing_is_missing() {
        let (before, now) = (figures(&json!({}), [900, 0, 0]), figures(&code(9, 0), [900, 0, 0]));
        assert_eq!(worse(&now, &before).unwrap(), ["2: error packet-loss: false_positives: 9, was 0"]);
        assert_eq!(worse(&figures(&code(8, 0), [900, 0, 0]), &before), Ok(vec![]));
        let clean = |mut figures: Value| {
            figures["qualities"]["clean"] = figures["qualities"]["2"].take();
            figures["qualities"].as_object_mut().unwrap().remove("2");
            figures
        };
        let now = clean(figures(&code(1, 0), [900, 0, 0]));
        assert_eq!(
            worse(&now, &clean(before)).unwrap(),
            ["clean: error packet-loss: false_positives: 1, was 0"]
        );
    }

    #[test]
    fn packets_may_vary_as_counts_do_and_no_further() {
        let before = figures(&json!({}), [900, 0, 100]);
        assert_eq!(worse(&figures(&json!({}), [1780, 0, 220]), &before), Ok(vec![]), "twice as many packets");
        let now = worse(&figures(&json!({}), [840, 0, 160]), &before).unwrap();
        assert_eq!(now, ["2: lost, of 1000: false_negatives: 160, was 100"]);
        assert_eq!(worse(&figures(&json!({}), [900, 20, 100]), &before), Ok(vec![]), "one in fifty");
        assert_eq!(worse(&figures(&json!({}), [900, 21, 100]), &before).unwrap().len(), 1);
    }

    #[test]
    fn a_clock_must_hold_whatever_it_did_before() {
        let mut now = figures(&json!({}), [900, 0, 0]);
        now["qualities"]["2"]["clock"]["held"] = json!(4);
        assert_eq!(worse(&now, &now).unwrap(), ["2: clock: the bound holds in 4 of 5 seconds"]);
    }

    #[test]
    fn another_selection_cannot_be_compared() {
        let before = figures(&json!({}), [1, 0, 0]);
        let mut now = before.clone();
        now["selection"]["seeds"] = json!([2]);
        assert!(worse(&now, &before).unwrap_err().contains("another selection"));
    }
}
