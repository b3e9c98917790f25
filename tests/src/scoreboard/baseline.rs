//! Whether figures are worse than those of another time.

use super::figures::SCHEMA;
use serde_json::Value;

/// What may vary from run to run without being worse: the lab's packets depend on the machine's timing. Counts may
/// exceed the baseline's by this many standard deviations of a count of that size; a count that is zero in the
/// baseline has to stay zero where it is of findings.
const DEVIATIONS: f64 = 3.0;

/// Wrong words about packets that are allowed where the baseline has none, per 10,000 packets that there are.
const STRAY_PER_10_000: f64 = 5.0;

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
    for (quality, now) in now["qualities"].as_object().into_iter().flatten() {
        let before = &before["qualities"][quality];
        let mut say = |what: String| worse.push(format!("{quality}: {what}"));
        for name in ["false_proven", "needlessly_inconclusive"] {
            exceeds(name, &now[name], &before[name]).into_iter().for_each(&mut say);
        }
        for (severity, now) in now["findings"].as_object().into_iter().flatten() {
            for (code, now) in now.as_object().into_iter().flatten() {
                let before = &before["findings"][severity][code];
                for name in ["false_positives", "false_negatives"] {
                    let name_of = format!("{severity} {code}: {name}");
                    exceeds(&name_of, &now[name], &before[name]).into_iter().for_each(&mut say);
                }
            }
        }
        for (class, now) in now["packets"].as_object().into_iter().flatten() {
            packets(class, now, &before["packets"][class]).into_iter().for_each(&mut say);
        }
        if now["clock"]["held"] != now["clock"]["seconds"] {
            say(format!(
                "clock: the bound holds in {} of {} seconds",
                now["clock"]["held"], now["clock"]["seconds"]
            ));
        }
    }
    Ok(worse)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}

/// A count of findings, which are few.
fn exceeds(name: &str, now: &Value, before: &Value) -> Option<String> {
    let (now, before) = (number(now), number(before));
    (now > before + DEVIATIONS.min(1.0) * before.sqrt()).then(|| format!("{name}: {now}, was {before}"))
}

/// Counts of packets, of which there are not as many each time.
fn packets(class: &str, now: &Value, before: &Value) -> Vec<String> {
    let all = |value: &Value| {
        ["true_positives", "false_negatives", "open"].iter().map(|name| number(&value[*name])).sum::<f64>()
    };
    let (size, size_before) = (all(now), all(before));
    let scale = if size_before > 0.0 { size / size_before } else { 1.0 };
    let mut worse = Vec::new();
    for name in ["false_positives", "false_negatives", "open"] {
        let (count, before) = (number(&now[name]), number(&before[name]) * scale);
        let allowed = before + DEVIATIONS * before.sqrt() + size * STRAY_PER_10_000 / 10_000.0;
        if count > allowed.max(before) {
            worse.push(format!("{class}: {name}: {count} of {size}, {before:.1} would be as before"));
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
    fn a_first_false_error_is_worse() {
        let (before, now) = (figures(&json!({}), [900, 0, 0]), figures(&code(1, 0), [900, 0, 0]));
        assert_eq!(worse(&now, &before).unwrap(), ["2: error packet-loss: false_positives: 1, was 0"]);
    }

    #[test]
    fn packets_may_vary_as_counts_do_and_no_further() {
        let before = figures(&json!({}), [900, 0, 100]);
        assert_eq!(worse(&figures(&json!({}), [1780, 0, 220]), &before), Ok(vec![]), "twice as many packets");
        let now = worse(&figures(&json!({}), [850, 0, 150]), &before).unwrap();
        assert_eq!(now, ["2: lost: false_negatives: 150 of 1000, 100.0 would be as before"]);
        assert_eq!(worse(&figures(&json!({}), [900, 3, 100]), &before).unwrap().len(), 1);
    }

    #[test]
    fn another_selection_cannot_be_compared() {
        let before = figures(&json!({}), [1, 0, 0]);
        let mut now = before.clone();
        now["selection"]["seeds"] = json!([2]);
        assert!(worse(&now, &before).unwrap_err().contains("another selection"));
    }
}
