//! Small statistics: intervals and tests for ratios, and how bursty losses are.

/// Standard normal quantile of 0.975: two-sided 95 %.
const Z95: f64 = 1.959_963_984_540_054;
/// Standard normal quantile of 0.9995: two-sided 0.1 %, the level at which two ratios are called different.
pub(crate) const Z_SURE: f64 = 3.290_526_731_491_926;
/// Most trials in total for which [`fisher_p`] is computed exactly; the cost grows with the smaller margin.
const EXACT: u64 = 10_000;

/// A count as a real number.
#[expect(clippy::cast_precision_loss, reason = "counts of packets stay below 2^53")]
pub(crate) const fn real(n: u64) -> f64 {
    n as f64
}

/// The nearest whole number; 0 below.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
pub(crate) fn whole(x: f64) -> u64 {
    x.round().clamp(0.0, 1e15) as u64
}

/// `a` by `b`; 0 if `b` is 0.
pub(crate) const fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { real(a) / real(b) }
}

/// 95 % confidence interval of a ratio `hits` of `trials`, by Wilson's score: right for few trials and for
/// ratios near 0 and 1 as well. (0, 1) without trials. E. B. Wilson, JASA 22 (1927) 209.
pub(crate) fn wilson95(hits: u64, trials: u64) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (real(trials), real(hits.min(trials)) / real(trials));
    let z2 = Z95 * Z95;
    let middle = p + z2 / (2.0 * n);
    let half = Z95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    let lo = if hits == 0 { 0.0 } else { (middle - half) / scale };
    let hi = if hits >= trials { 1.0 } else { (middle + half) / scale };
    (lo.max(0.0), hi.min(1.0))
}

/// How many standard errors the ratio `a` of `a_trials` is above `b` of `b_trials`, pooled. Absent if the
/// normal approximation does not hold (an expected count below five).
pub(crate) fn two_proportion_z(a: u64, a_trials: u64, b: u64, b_trials: u64) -> Option<f64> {
    let total = real(a_trials) + real(b_trials);
    let pooled = (real(a) + real(b)) / total;
    let fewest = real(a_trials.min(b_trials)) * pooled.min(1.0 - pooled);
    if a_trials == 0 || b_trials == 0 || fewest < 5.0 {
        return None;
    }
    let error = (pooled * (1.0 - pooled) * (1.0 / real(a_trials) + 1.0 / real(b_trials))).sqrt();
    Some((real(a) / real(a_trials) - real(b) / real(b_trials)) / error)
}

/// Fisher's exact test, two-sided: the probability of a table as unlikely as this one or more if both ratios
/// are the same. Absent for more than 10 000 trials together, where [`two_proportion_z`] serves.
pub(crate) fn fisher_p(a: u64, a_trials: u64, b: u64, b_trials: u64) -> Option<f64> {
    let (hits, total) = (a.checked_add(b)?, a_trials.checked_add(b_trials)?);
    if total > EXACT || a > a_trials || b > b_trials {
        return None;
    }
    let logs = log_factorials(total);
    let choose = |n: u64, k: u64| Some(at(&logs, n)? - at(&logs, k)? - at(&logs, n - k)?);
    let table = |k: u64| Some(choose(a_trials, k)? + choose(b_trials, hits - k)? - choose(total, hits)?);
    let observed = table(a)?;
    let mut p = 0.0;
    for k in hits.saturating_sub(b_trials)..=hits.min(a_trials) {
        let log = table(k)?;
        // Equally unlikely tables count; the tolerance is R's.
        if log <= observed + 1e-7 {
            p += log.exp();
        }
    }
    Some(p.min(1.0))
}

fn at(logs: &[f64], n: u64) -> Option<f64> {
    logs.get(usize::try_from(n).ok()?).copied()
}

/// `ln n!` for 0 to `last`.
fn log_factorials(last: u64) -> Vec<f64> {
    let mut sum = 0.0;
    core::iter::once(0.0)
        .chain((1..=last).map(|n| {
            sum += real(n).ln();
            sum
        }))
        .collect()
}

/// Whether two ratios differ beyond doubt (two-sided 0.1 %): by the exact test while it can be had, as the other is blunt
/// where one ratio is 0.
pub(crate) fn differ(a: u64, a_trials: u64, b: u64, b_trials: u64) -> bool {
    match fisher_p(a, a_trials, b, b_trials) {
        Some(p) => p < 0.001,
        None => two_proportion_z(a, a_trials, b, b_trials).is_some_and(|z| z.abs() > Z_SURE),
    }
}

/// Transitions between delivered (0) and lost (1) in the order of sending: the two-state chain of E. N. Gilbert,
/// Bell Syst. Tech. J. 39 (1960) 1253.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Gilbert {
    /// Delivered after delivered, lost after delivered.
    after_delivered: [u64; 2],
    /// Delivered after lost, lost after lost.
    after_lost: [u64; 2],
}

/// Losses below which nothing is said about bursts.
const ENOUGH_LOSSES: u64 = 20;
/// Quantile 0.999 of χ² with one degree of freedom.
const BURSTY_G: f64 = 10.827_566;

impl Gilbert {
    /// The chain of `delivered` and `lost` packets whose losses came in `bursts` runs.
    pub(crate) const fn of_runs(delivered: u64, lost: u64, bursts: u64) -> Self {
        Self {
            after_delivered: [delivered.saturating_sub(bursts), bursts],
            after_lost: [bursts, lost.saturating_sub(bursts)],
        }
    }

    /// Likelihood ratio against independent losses: χ² with one degree of freedom if they are independent.
    pub(crate) fn g(&self) -> f64 {
        let table = [self.after_delivered, self.after_lost];
        let columns = [0, 1].map(|j| real(table[0][j] + table[1][j]));
        let total = columns[0] + columns[1];
        let term = |n: f64, of: f64| if n > 0.0 { n * (n / of).ln() } else { 0.0 };
        let rows: f64 = table.iter().flat_map(|row| row.map(|n| term(real(n), real(row[0] + row[1])))).sum();
        let whole: f64 = columns.iter().map(|n| term(*n, total)).sum();
        (2.0 * (rows - whole)).max(0.0)
    }

    /// Whether losses come in bursts (p < 0.001); absent below 20 losses.
    pub(crate) fn bursty(&self) -> Option<bool> {
        let losses = self.after_delivered[1] + self.after_lost[1];
        let cluster = || {
            // Losses that avoid each other are no accident either, but no burst.
            let [d0, d1] = self.after_delivered.map(real);
            let [l0, l1] = self.after_lost.map(real);
            l1 * (d0 + d1) > d1 * (l0 + l1)
        };
        (losses >= ENOUGH_LOSSES).then(|| self.g() > BURSTY_G && cluster())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64, within: f64) {
        assert!((a - b).abs() < within, "{a} is not {b}");
    }

    #[test]
    fn wilson_gives_the_published_intervals() {
        // R. G. Newcombe, Statistics in Medicine 17 (1998) 857, Table I, method 3.
        for (hits, trials, lo, hi) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = wilson95(hits, trials);
            near(found.0, lo, 1e-4);
            near(found.1, hi, 1e-4);
        }
        assert!(wilson95(20, 20).1 >= 1.0);
        near(wilson95(20, 20).0, 1.0 - 0.1611, 1e-4);
    }

    #[test]
    fn no_trials_leave_everything_possible() {
        assert!(wilson95(0, 0).0 <= 0.0 && wilson95(0, 0).1 >= 1.0);
        assert_eq!(two_proportion_z(0, 0, 1, 100), None);
        assert_eq!(fisher_p(0, 0, 0, 0), Some(1.0));
        assert!(!differ(0, 0, 0, 0));
    }

    #[test]
    fn fisher_gives_the_values_of_the_lady_tasting_tea() {
        // R. A. Fisher, The Design of Experiments (1935): 34/70 two-sided for 3 of 4, 2/70 for 4 of 4.
        near(fisher_p(3, 4, 1, 4).unwrap(), 34.0 / 70.0, 1e-9);
        near(fisher_p(4, 4, 0, 4).unwrap(), 2.0 / 70.0, 1e-9);
        assert_eq!(fisher_p(1, 9000, 1, 2000), None);
    }

    #[test]
    fn the_z_of_two_ratios_is_the_root_of_chi_squared() {
        // 2×2 table 20/80 and 40/60: χ² = 200·(20·60 − 80·40)² / (100·100·60·140) = 9.5238.
        near(two_proportion_z(40, 100, 20, 100).unwrap().powi(2), 9.523_81, 1e-4);
        assert!(two_proportion_z(20, 100, 40, 100).unwrap() < 0.0);
        assert_eq!(two_proportion_z(1, 100, 2, 100), None, "too few for the normal approximation");
    }

    #[test]
    fn ratios_differ_only_beyond_doubt() {
        assert!(differ(50, 1000, 5, 1000));
        assert!(!differ(12, 1000, 8, 1000));
        assert!(differ(9, 60, 0, 200), "few counts");
        assert!(differ(114, 5_679, 0, 526), "a normal approximation has it at 3.28 standard errors");
        assert!(differ(1_140, 56_790, 0, 5_260) && !differ(1_140, 56_790, 106, 5_260), "more than is exact");
        assert!(!differ(1, 60, 0, 60));
    }

    #[test]
    fn bursts_of_four_are_bursts_and_single_losses_are_not() {
        assert_eq!(Gilbert::of_runs(3840, 160, 40).bursty(), Some(true));
        assert_eq!(Gilbert::of_runs(3840, 160, 160).bursty(), Some(false));
        // 4 % at random: 160 losses in about 160·0.96 runs.
        assert_eq!(Gilbert::of_runs(3840, 160, 154).bursty(), Some(false));
    }

    #[test]
    fn g_is_the_likelihood_ratio_of_the_table() {
        // Table 70/10, 10/10: G = 2 Σ O ln(O/E) with E = 64/16, 16/4.
        let g = Gilbert::of_runs(80, 20, 10);
        let expected = 2.0
            * (70.0 * (70.0_f64 / 64.0).ln()
                + 10.0 * (10.0_f64 / 16.0).ln()
                + 10.0 * (10.0_f64 / 16.0).ln()
                + 10.0 * (10.0_f64 / 4.0).ln());
        near(g.g(), expected, 1e-9);
        assert_eq!(g.bursty(), Some(true), "20 losses, G = 12.07");
    }

    #[test]
    fn few_losses_say_nothing_about_bursts() {
        assert_eq!(Gilbert::of_runs(981, 19, 1).bursty(), None);
        assert_eq!(Gilbert::of_runs(980, 20, 1).bursty(), Some(true));
        assert_eq!(Gilbert::default().bursty(), None);
    }
}
