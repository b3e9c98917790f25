//! Numbers as people read them.

use correlate_proto::report::ReportTime;

/// `1234567` as `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: `1 packet`, `2 packets`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A span in the unit that leaves three or four significant digits: `412 ns`, `1.234 ms`, `-3.500 s`.
pub(super) fn span(ns: i64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "µs")];
    let sign = if ns < 0 { "-" } else { "" };
    let size = ns.unsigned_abs();
    for (unit, name) in UNITS {
        if size >= unit {
            let thousandths = size / (unit / 1000);
            return format!("{sign}{}.{:03} {name}", count(thousandths / 1000), thousandths % 1000);
        }
    }
    format!("{sign}{size} ns")
}

/// A span with its sign always shown.
pub(super) fn signed_span(ns: i64) -> String {
    if ns < 0 { span(ns) } else { format!("+{}", span(ns)) }
}

/// A ratio as a percentage, with more places the smaller it is.
pub(super) fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    let places = if percent == 0.0 || percent >= 10.0 {
        1
    } else if percent >= 0.1 {
        2
    } else {
        4
    };
    format!("{percent:.places$} %")
}

/// Octets: `312 B`, `1.2 MB`. Decimal units, as link rates have them.
pub(super) fn bytes(number: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    for (unit, name) in UNITS {
        if number >= unit {
            let tenths = number / (unit / 10);
            return format!("{}.{} {name}", count(tenths / 10), tenths % 10);
        }
    }
    format!("{number} B")
}

/// Parts per 10⁹ as parts per million with sign.
pub(super) fn ppm(ppb: i64) -> String {
    let sign = if ppb < 0 { "-" } else { "+" };
    let size = ppb.unsigned_abs();
    format!("{sign}{}.{:03} ppm", count(size / 1000), size % 1000)
}

/// The day of an instant: `2026-11-20`.
pub(super) fn day(at: ReportTime) -> String {
    split(at).0
}

/// The time of day of an instant in UTC, to the nanosecond.
pub(super) fn time_of_day(at: ReportTime) -> String {
    split(at).1
}

/// Day and time of an instant to the millisecond: `2026-11-20 12:00:00.123`.
pub(super) fn instant(at: ReportTime) -> String {
    let (day, mut time) = split(at);
    time.truncate("12:00:00.123".len());
    format!("{day} {time}")
}

fn split(at: ReportTime) -> (String, String) {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    (day.to_owned(), time.trim_end_matches('Z').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!((counted(1, "packet"), counted(0, "packet")), ("1 packet".into(), "0 packets".into()));
    }

    #[test]
    fn spans_take_the_unit_that_fits() {
        for (ns, text) in [
            (0, "0 ns"),
            (-412, "-412 ns"),
            (1_500, "1.500 µs"),
            (12_345_678, "12.345 ms"),
            (-3_500_000_000, "-3.500 s"),
            (86_400_000_000_000, "86,400.000 s"),
        ] {
            assert_eq!(span(ns), text);
        }
        assert_eq!(signed_span(5), "+5 ns");
        assert!(span(i64::MIN).starts_with('-'));
    }

    #[test]
    fn small_ratios_keep_their_digits() {
        for (ratio, text) in
            [(0.0, "0.0 %"), (0.5, "50.0 %"), (0.0123, "1.23 %"), (0.000_123, "0.0123 %"), (1.0, "100.0 %")]
        {
            assert_eq!(percent(ratio), text);
        }
    }

    #[test]
    fn octets_and_rates_and_instants() {
        assert_eq!((bytes(312), bytes(1_250_000)), ("312 B".into(), "1.2 MB".into()));
        assert_eq!((ppm(-1_234), ppm(50)), ("-1.234 ppm".into(), "+0.050 ppm".into()));
        let at = ReportTime(1_700_000_000_123_456_789);
        assert_eq!(instant(at), "2023-11-14 22:13:20.123");
        assert_eq!((day(at), time_of_day(at)), ("2023-11-14".into(), "22:13:20.123456789".into()));
    }
}
