//! Nanoseconds between integers and floating point, in one place so that each conversion is judged once.
//!
//! Instants and offsets stay `i64`; only differences within a window become `f64`, where 2⁵³ ns are 104 days
//! exact to the nanosecond.

/// A difference in nanoseconds as a real number.
#[expect(clippy::cast_precision_loss, reason = "differences within a window are below 2^53 ns")]
pub(super) fn real(ns: i64) -> f64 {
    ns as f64
}

/// A count as a real number.
#[expect(clippy::cast_precision_loss, reason = "counts of points in a window are below 2^53")]
pub(super) fn count(n: usize) -> f64 {
    n as f64
}

/// The largest whole number of nanoseconds not above `v`; saturates.
#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
pub(super) fn floor_ns(v: f64) -> i64 {
    v.floor() as i64
}

/// The smallest whole number of nanoseconds not below `v`; saturates.
#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
pub(super) fn ceil_ns(v: f64) -> i64 {
    v.ceil() as i64
}

/// The nearest whole number of nanoseconds; saturates.
#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
pub(super) fn round_ns(v: f64) -> i64 {
    v.round() as i64
}

/// The median, by sorting; 0 of nothing.
pub(super) fn median(values: &mut [f64]) -> f64 {
    quantile(values, 1, 2)
}

/// The `num/den` quantile (nearest rank from below), by selection; 0 of nothing.
pub(super) fn quantile(values: &mut [f64], num: usize, den: usize) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let rank = ((values.len() - 1) * num) / den;
    *values.select_nth_unstable_by(rank, f64::total_cmp).1
}
