//! Straight lines between two readings, in whole nanoseconds.

/// The value at `x` on the line through two points, the second at a greater `x`; rounded down, and saturating.
pub(super) fn between((x0, y0): (i64, i64), (x1, y1): (i64, i64), x: i64) -> i64 {
    let (by, whole) = (x.saturating_sub(x0), x1.saturating_sub(x0).max(1));
    let gain = y1.saturating_sub(y0).saturating_sub(whole);
    let part = if let Some(product) = gain.checked_mul(by) {
        product.div_euclid(whole)
    } else {
        // Beyond what samples of one clock are apart: minutes, at a rate that is off by a tenth.
        let part = (i128::from(gain) * i128::from(by)).div_euclid(i128::from(whole));
        i64::try_from(part).unwrap_or(gain)
    };
    y0.saturating_add(by).saturating_add(part)
}

/// Nanoseconds as a real number.
#[expect(clippy::cast_precision_loss, reason = "spans between samples are below 2^53 ns, 104 days")]
pub(super) const fn real(ns: i64) -> f64 {
    ns as f64
}

/// The nearest whole number of nanoseconds; saturates.
#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
pub(super) fn round(ns: f64) -> i64 {
    ns.round() as i64
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn a_line_is_exact_at_its_ends_and_rounds_down_between() {
        let (a, b) = ((1_000, 5_000), (2_000, 6_010));
        assert_eq!((between(a, b, 1_000), between(a, b, 2_000)), (5_000, 6_010));
        assert_eq!((between(a, b, 1_500), between(a, b, 1_999)), (5_505, 6_008));
    }

    #[test]
    fn no_numbers_overflow_it() {
        for y in [i64::MIN, 0, i64::MAX] {
            for x in [i64::MIN, -1, 0, i64::MAX] {
                let _ = between((0, i64::MAX), (i64::MAX, y), x);
                let _ = between((i64::MIN, y), (i64::MAX, i64::MIN), x);
            }
        }
    }
}
