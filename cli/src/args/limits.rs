//! Limits of a run as they are typed.

use std::time::Duration;

/// Units of time, with their length in seconds.
const UNITS: [(&str, f64); 4] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

/// The longest run, as a bound for arithmetic: a year.
const LONGEST_SECS: f64 = 31_536_000.0;

/// Reads `10s`, `1.5m`, `250ms`, `2h`; a bare number is in seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = if unit.is_empty() { "s" } else { unit };
    let seconds = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| seconds);
    let (Some(seconds), Ok(number)) = (seconds, number.parse::<f64>()) else {
        return Err("write a number and a unit: 250ms, 10s, 2m, 1h".to_owned());
    };
    let total = number * seconds;
    if total <= 0.0 || total > LONGEST_SECS {
        return Err("it must be more than nothing and at most a year".to_owned());
    }
    Ok(Duration::from_secs_f64(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        for (text, ms) in [
            ("10s", 10_000),
            ("2m", 120_000),
            ("250ms", 250),
            ("1.5m", 90_000),
            ("3", 3000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "s", "10 s", "ten", "-1s", "0s", "1d", "99999999999h", "1.2.3s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
