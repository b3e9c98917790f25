//! Lower convex hulls of points in the plane of time and offset.
//!
//! A line that must stay below every point only ever touches the lower hull. The other direction must stay
//! above its points; its points are mirrored (`y → −y`) so that one hull serves both.

/// A point relative to the query time and a base offset, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pt {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// A lower convex hull, left to right; never empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hull {
    points: Vec<Pt>,
}

impl Hull {
    /// The hull of points ordered by `x`; absent if there are none. Andrew's monotone chain, O(n).
    pub(super) fn lower(ordered: impl Iterator<Item = Pt>) -> Option<Self> {
        let mut points: Vec<Pt> = Vec::with_capacity(32);
        for p in ordered {
            while let Some(&last) = points.last() {
                let hidden = match points.len().checked_sub(2).map(|i| points[i]) {
                    _ if p.x <= last.x => p.y <= last.y,
                    Some(before) => {
                        (last.y - before.y) * (p.x - last.x) >= (p.y - last.y) * (last.x - before.x)
                    }
                    None => false,
                };
                if !hidden {
                    break;
                }
                points.pop();
            }
            if points.last().is_none_or(|last| p.x > last.x) {
                points.push(p);
            }
        }
        (!points.is_empty()).then_some(Self { points })
    }

    /// The hulls of the points before `x = 0` and from it on, one after the other: all points that can lie on
    /// the hull after something linear on both sides, like a multiple of `|x|`, is added.
    pub(super) fn halves(ordered: &[Pt]) -> Vec<Pt> {
        let (left, right) = ordered.split_at(ordered.partition_point(|p| p.x < 0.0));
        let half = |points: &[Pt]| Self::lower(points.iter().copied()).map(|hull| hull.points);
        [half(left), half(right)].into_iter().flatten().flatten().collect()
    }

    /// `min (y − slope·x)`: the height at `x = 0` of the highest line of that slope below all points.
    pub(super) fn support(&self, slope: f64) -> f64 {
        let i = self.edges().take_while(|edge| *edge < slope).count();
        self.points[i].y - slope * self.points[i].x
    }

    /// The slopes of the edges, increasing: where [`Self::support`] bends.
    pub(super) fn edges(&self) -> impl Iterator<Item = f64> + '_ {
        self.points.windows(2).map(|w| (w[1].y - w[0].y) / (w[1].x - w[0].x))
    }

    /// The slope in `[from, to]` for which [`Self::support`] is greatest. Concave, so it is where the touching
    /// vertex passes `x = 0`.
    pub(super) fn best_slope(&self, from: f64, to: f64) -> f64 {
        let crossing = self.points.windows(2).find(|w| w[0].x <= 0.0 && w[1].x >= 0.0);
        match crossing {
            Some(w) => ((w[1].y - w[0].y) / (w[1].x - w[0].x)).clamp(from, to),
            None if self.points[0].x > 0.0 => from,
            None => to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hull(points: &[(f64, f64)]) -> Hull {
        Hull::lower(points.iter().map(|&(x, y)| Pt { x, y })).unwrap()
    }

    #[test]
    fn nothing_has_no_hull() {
        assert_eq!(Hull::lower(core::iter::empty()), None);
    }

    #[test]
    fn points_above_a_chord_are_hidden() {
        let h = hull(&[(0.0, 0.0), (1.0, 5.0), (2.0, 1.0), (3.0, 9.0), (4.0, 2.0)]);
        assert_eq!(h.points, [Pt { x: 0.0, y: 0.0 }, Pt { x: 4.0, y: 2.0 }]);
        let v = hull(&[(0.0, 3.0), (1.0, 0.0), (2.0, 3.0)]);
        assert_eq!(v.points.len(), 3);
    }

    #[test]
    fn of_two_points_at_one_instant_the_lower_counts() {
        let h = hull(&[(0.0, 0.0), (1.0, 4.0), (1.0, -4.0), (1.0, 2.0)]);
        assert_eq!(h.points, [Pt { x: 0.0, y: 0.0 }, Pt { x: 1.0, y: -4.0 }]);
    }

    #[test]
    fn halves_keep_what_a_kink_at_zero_uncovers() {
        let points: Vec<Pt> = (-20..20)
            .map(|k| Pt {
                x: f64::from(k),
                y: f64::from((k * 7_i32).rem_euclid(11)) + f64::from(k * k) / 40.0,
            })
            .collect();
        for kink in [0.0, 0.1, 3.0] {
            let bent = |p: &Pt| Pt { x: p.x, y: p.y + kink * p.x.abs() };
            let halves = Hull::halves(&points);
            assert!(halves.len() < points.len());
            assert_eq!(Hull::lower(halves.iter().map(bent)), Hull::lower(points.iter().map(bent)));
        }
    }

    #[test]
    fn support_is_the_minimum_over_all_points() {
        let points = [(-3.0, 7.0), (-2.0, 1.0), (-1.0, 2.5), (0.5, 0.75), (2.0, 3.0), (5.0, 2.0)];
        let h = hull(&points);
        for slope in [-9.0, -1.5, -0.1, 0.0, 0.3, 0.9, 4.0] {
            let all = points.iter().map(|(x, y)| y - slope * x).fold(f64::INFINITY, f64::min);
            assert!((h.support(slope) - all).abs() < 1e-12, "slope {slope}");
        }
    }

    #[test]
    fn the_best_slope_lifts_the_line_highest_at_zero() {
        let h = hull(&[(-3.0, 7.0), (-2.0, 1.0), (0.5, 0.75), (2.0, 3.0)]);
        let best = h.best_slope(-10.0, 10.0);
        for step in -100..=100 {
            assert!(h.support(best) >= h.support(f64::from(step) / 10.0) - 1e-12);
        }
        assert!((hull(&[(1.0, 0.0), (2.0, 0.0)]).best_slope(-3.0, 2.0) - -3.0).abs() < 1e-12);
        assert!((hull(&[(-2.0, 0.0), (-1.0, 0.0)]).best_slope(-3.0, 2.0) - 2.0).abs() < 1e-12);
    }
}
