//! One fit: the line of maximum margin between both directions, and the certificate at one instant.
//!
//! Notation: at the instant `t`, `o(x) = α + β·(x − t)`. `upper(β)` is the largest α that the forward points
//! allow, `lower(β)` the smallest that the reverse points allow; their difference, the margin, is concave in β.
//!
//! The certificate does not assume a straight clock. If the rate stays within `wander` of some β, then
//! `o(t) ≤ y − β·(x − t) + wander·|x − t|` for every forward point: so the points are loosened by their distance
//! before the linear programme is solved, and its optimum over all feasible β contains the truth.

use super::hull::{Hull, Pt};
use super::limits::Limits;
use super::num::{count, median, real, round_ns};
use super::ring::Point;

/// A line and its bounds at the instant of the fit, offsets in nanoseconds relative to `base`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    /// What the offsets are relative to.
    pub(super) base: i64,
    /// Middle of the margin at the instant; absent with one direction only.
    pub(super) estimate: Option<f64>,
    /// The truth is not below; absent without reverse packets.
    pub(super) lower: Option<f64>,
    /// The truth is not above; absent without forward packets.
    pub(super) upper: Option<f64>,
    /// Rate of the line.
    pub(super) slope: f64,
    /// How far the data settle the slope: 0 not at all, 1 entirely.
    pub(super) settled: f64,
    /// How far the slope may be off as the data scatter.
    pub(super) slope_error: f64,
    /// No instantaneous rate within the window is outside.
    pub(super) rates: (f64, f64),
    /// The margin: minimum round trip, free of skew. Absent with one direction only.
    pub(super) margin: Option<f64>,
    /// From the estimate to the fastest packets of either direction, along the line's slope: the envelopes lie so
    /// much above and below it. Absent with one direction only.
    pub(super) half: Option<f64>,
    /// Scatter of the estimate from queueing, by the points' distance from the line.
    pub(super) scatter: f64,
}

/// The points of a window, each direction ordered by time and mirrored as the ring stores them.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    pub(super) forward: Vec<Point>,
    pub(super) reverse: Vec<Point>,
}

/// A line chosen for the estimate.
struct Line {
    alpha: f64,
    slope: f64,
    settled: f64,
    slope_error: f64,
    margin: f64,
    half: f64,
    scatter: f64,
}

/// Fits the window at the instant `t`; `usual` is the slope to prefer while the data do not decide. Absent if
/// there is no point, or if no line of a possible rate passes between the two directions.
pub(super) fn fit(window: &Window, t: i64, limits: &Limits, usual: f64) -> Option<Fit> {
    let base = base_of(window)?;
    let forward = localise(&window.forward, t, base);
    let reverse = localise(&window.reverse, t, base.saturating_neg());
    let loose =
        |points: &[Pt]| Hull::lower(points.iter().map(|p| Pt { x: p.x, y: p.y + limits.wander * p.x.abs() }));
    let corners = [Hull::halves(&forward), Hull::halves(&reverse)];
    let (above, below) = (loose(&corners[0]), loose(&corners[1]));
    let (from, to) = match (&above, &below) {
        (Some(above), Some(below)) => feasible(above, below, limits.max_rate)?,
        _ => (-limits.max_rate, limits.max_rate),
    };
    let line = line([&forward, &reverse], &corners, limits, usual);
    let most = limits.max_rate + limits.wander;
    Some(Fit {
        base,
        estimate: line.as_ref().map(|line| line.alpha),
        upper: above.map(|hull| hull.support(hull.best_slope(from, to))),
        lower: below.map(|hull| -hull.support(hull.best_slope(-to, -from))),
        slope: line.as_ref().map_or(usual, |line| line.slope),
        settled: line.as_ref().map_or(0.0, |line| line.settled),
        slope_error: line.as_ref().map_or(limits.usual_skew, |line| line.slope_error),
        rates: ((from - limits.wander).max(-most), (to + limits.wander).min(most)),
        margin: line.as_ref().map(|line| line.margin),
        half: line.as_ref().map(|line| line.half),
        scatter: line.as_ref().map_or(0.0, |line| line.scatter),
    })
}

/// Bounds from the largest possible rate alone, for a window that no fit of [`fit`] explains. If even these
/// contradict each other, both are kept as the two ends.
pub(super) fn fallback(window: &Window, t: i64, limits: &Limits, usual: f64) -> Option<Fit> {
    let base = base_of(window)?;
    let most = limits.max_rate + limits.wander;
    let tightest = |points: &[Point], base: i64| {
        localise(points, t, base).iter().map(|p| p.y + most * p.x.abs()).min_by(f64::total_cmp)
    };
    let upper = tightest(&window.forward, base);
    let lower = tightest(&window.reverse, base.saturating_neg()).map(|y| -y);
    let (lower, upper) = match (lower, upper) {
        (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
        one_sided => one_sided,
    };
    let estimate = lower.zip(upper).map(|(a, b)| f64::midpoint(a, b));
    let rates = (-most, most);
    Some(Fit {
        base,
        estimate,
        lower,
        upper,
        slope: usual,
        settled: 0.0,
        slope_error: limits.usual_skew,
        rates,
        margin: None,
        half: None,
        scatter: 0.0,
    })
}

/// By how much the offset is larger in the window after a step at `t` than in the one before, in nanoseconds:
/// the distance of two lines of one slope, that of the greatest sum of margins. Absent unless both directions
/// were seen on both sides, or if the bounds contradict.
pub(super) fn step(before: &Window, after: &Window, t: i64, limits: &Limits, usual: f64) -> Option<i64> {
    let hulls = |window: &Window| {
        let base = base_of(window)?;
        let hull = |points: &[Point], base| Hull::lower(localise(points, t, base).into_iter());
        Some((base, hull(&window.forward, base)?, hull(&window.reverse, base.saturating_neg())?))
    };
    let (old_base, old_above, old_below) = hulls(before)?;
    let (new_base, new_above, new_below) = hulls(after)?;
    let bends = old_above.edges().chain(new_above.edges());
    let bends = bends.chain(old_below.edges().chain(new_below.edges()).map(|edge| -edge));
    let sum = |slope: f64| margin(&old_above, &old_below, slope) + margin(&new_above, &new_below, slope);
    let slope = bends
        .filter(|slope| slope.abs() < limits.max_rate)
        .chain([usual])
        .map(|slope| (slope, sum(slope)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?
        .0;
    let middle = |above: &Hull, below: &Hull| f64::midpoint(above.support(slope), -below.support(-slope));
    let by = middle(&new_above, &new_below) - middle(&old_above, &old_below);
    Some(new_base.saturating_sub(old_base).saturating_add(round_ns(by)))
}

/// Any offset near the points, so that differences are small and exact in floating point.
fn base_of(window: &Window) -> Option<i64> {
    let forward = window.forward.first().map(|p| p.y);
    forward.or_else(|| window.reverse.first().map(|p| p.y.saturating_neg()))
}

fn localise(points: &[Point], t: i64, base: i64) -> Vec<Pt> {
    points.iter().map(|p| Pt { x: real(p.x.saturating_sub(t)), y: real(p.y.saturating_sub(base)) }).collect()
}

/// The margin at a slope; the reverse hull is mirrored.
fn margin(above: &Hull, below: &Hull, slope: f64) -> f64 {
    above.support(slope) + below.support(-slope)
}

/// The slope of greatest margin within ±`max_rate`, of equals the one nearest to `usual`. A concave function
/// bends at hull edges only, so its maximum is at one of them or at an end.
fn widest(above: &Hull, below: &Hull, max_rate: f64, usual: f64) -> (f64, f64) {
    let bends = above.edges().chain(below.edges().map(|edge| -edge)).filter(|slope| slope.abs() < max_rate);
    let tried: Vec<(f64, f64)> =
        bends.chain([-max_rate, max_rate]).map(|slope| (slope, margin(above, below, slope))).collect();
    let best = tried.iter().map(|(_, m)| *m).fold(f64::NEG_INFINITY, f64::max);
    // Equal within a picosecond: floating point, not evidence.
    let equal = || tried.iter().filter(|(_, m)| *m >= best - 1e-3).map(|(slope, _)| *slope);
    let (from, to) = (equal().fold(f64::INFINITY, f64::min), equal().fold(f64::NEG_INFINITY, f64::max));
    (usual.clamp(from, to), best)
}

/// The interval of slopes with a margin that is not negative; absent if there is none.
fn feasible(above: &Hull, below: &Hull, max_rate: f64) -> Option<(f64, f64)> {
    let (best, most) = widest(above, below, max_rate, 0.0);
    if most < 0.0 {
        return None;
    }
    let edge = |end: f64| {
        if margin(above, below, end) >= 0.0 {
            return end;
        }
        let (mut inside, mut outside) = (best, end);
        // 700 ppm halved 32 times moves a line by less than a nanosecond in a thousand seconds; the outer end is
        // kept, so this only widens.
        for _ in 0..32 {
            let middle = f64::midpoint(inside, outside);
            if margin(above, below, middle) >= 0.0 {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        outside
    };
    Some((edge(-max_rate), edge(max_rate)))
}

/// The line of maximum margin, its slope drawn to `usual` as far as the data leave it open. `corners` are the
/// points that can lie on a hull. Absent with one direction only.
fn line([forward, reverse]: [&[Pt]; 2], corners: &[Vec<Pt>; 2], limits: &Limits, usual: f64) -> Option<Line> {
    let above = Hull::lower(corners[0].iter().copied())?;
    let below = Hull::lower(corners[1].iter().copied())?;
    let (steepest, margin_at_best) = widest(&above, &below, limits.max_rate, usual);
    let excess = |points: &[Pt], hull: &Hull, slope: f64| {
        let floor = hull.support(slope);
        let mut over: Vec<f64> = points.iter().map(|p| p.y - slope * p.x - floor).collect();
        let typical = median(&mut over);
        // Few points lie on their own hull: their distance from it says nothing, so the round trip stands in.
        let typical = if points.len() < 5 { typical.max(margin_at_best.abs()) } else { typical };
        typical / count(points.len())
    };
    let scatter = excess(forward, &above, steepest) + excess(reverse, &below, -steepest);
    let error = slope_error(forward, reverse, scatter).filter(|_| steepest.abs() < limits.max_rate);
    let settled = error.map_or(0.0, |error| settled(error, limits.usual_skew));
    let slope = usual + (steepest - usual) * settled;
    let (upper, lower) = (above.support(slope), -below.support(-slope));
    Some(Line {
        alpha: f64::midpoint(upper, lower),
        slope,
        settled,
        slope_error: limits.usual_skew * (1.0 - settled).sqrt(),
        margin: margin_at_best,
        half: (upper - lower) / 2.0,
        scatter,
    })
}

/// The slope's own error: about four times the scatter over the time in which both directions were seen. Absent if
/// nothing holds the line at one end.
fn slope_error(forward: &[Pt], reverse: &[Pt], scatter: f64) -> Option<f64> {
    let (f0, f1, r0, r1) = (forward.first()?, forward.last()?, reverse.first()?, reverse.last()?);
    let shared = f1.x.min(r1.x) - f0.x.max(r0.x);
    (shared > 0.0).then(|| 4.0 * scatter / shared)
}

/// Weight of the data's slope with its error against the usual one, as in ridge regression.
fn settled(error: f64, usual: f64) -> f64 {
    usual * usual / (usual * usual + error * error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::limits::ClockInput;

    const MS: i64 = 1_000_000;

    fn window(forward: &[(i64, i64)], reverse: &[(i64, i64)]) -> Window {
        let points = |list: &[(i64, i64)]| list.iter().map(|&(x, y)| Point { x, y }).collect();
        Window { forward: points(forward), reverse: points(reverse) }
    }

    #[test]
    fn three_packets_give_a_bound_of_the_round_trip_and_no_wild_slope() {
        let limits = ClockInput::Realtime.limits();
        // Offset 1 s, 5 ms each way, the second forward packet 3 ms late.
        let second = 1000 * MS;
        let w = window(&[(0, second + 5 * MS), (11 * MS, second + 8 * MS)], &[(10 * MS, -second + 5 * MS)]);
        let f = fit(&w, 5 * MS, &limits, 0.0).unwrap();
        let at = |v: Option<f64>| v.unwrap() + real(f.base - second);
        assert!(at(f.lower) <= 0.0 && at(f.upper) >= 0.0);
        assert!(at(f.upper) - at(f.lower) < 10_030_000.0, "10 ms round trip and 700 ppm over 10 ms");
        assert!(f.slope.abs() < 1e-6, "slope {}", f.slope);
        assert!(at(f.estimate).abs() < 10_000.0);
    }

    #[test]
    fn one_direction_gives_one_side() {
        let f = fit(&window(&[(0, 7), (5, 9)], &[]), 0, &ClockInput::Realtime.limits(), 0.0).unwrap();
        assert!(f.upper.is_some() && f.lower.is_none() && f.estimate.is_none() && f.margin.is_none());
        let r = fit(&window(&[], &[(0, -7)]), 0, &ClockInput::Realtime.limits(), 0.0).unwrap();
        assert!(r.upper.is_none() && r.lower.is_some() && r.estimate.is_none());
        assert_eq!(fit(&Window::default(), 0, &ClockInput::Raw.limits(), 0.0), None);
    }

    #[test]
    fn clean_packets_on_a_skewed_line_give_the_line() {
        let limits = ClockInput::Realtime.limits();
        let o = |x: i64| 37_000 * MS + x / 20_000; // 50 ppm
        let forward: Vec<_> = (0..50).map(|k| (k * 100 * MS, o(k * 100 * MS) + 2 * MS)).collect();
        let reverse: Vec<_> = (0..50).map(|k| (k * 100 * MS + 9, -o(k * 100 * MS + 9) + 2 * MS)).collect();
        let f = fit(&window(&forward, &reverse), 2500 * MS, &limits, 0.0).unwrap();
        assert!((f.slope - 50e-6).abs() < 1e-9);
        assert!((f.estimate.unwrap() + real(f.base - o(2500 * MS))).abs() < 2.0);
        assert!((f.margin.unwrap() - 4e6).abs() < 2.0);
    }

    #[test]
    fn contradicting_directions_have_no_fit_but_a_fallback() {
        let limits = ClockInput::Raw.limits();
        let w = window(&[(0, -5 * MS)], &[(10, 0)]);
        assert_eq!(fit(&w, 0, &limits, 0.0), None);
        let f = fallback(&w, 0, &limits, 0.0).unwrap();
        assert!(f.lower.unwrap() < f.upper.unwrap());
    }
}
