//! Means and shares with their confidence intervals.
//!
//! It owns the ratio estimator over batches. A run is cut into batches, each of which gives a numerator and a
//! denominator. The scatter of the batches' residuals says how far the ratio can be trusted (Law, Simulation Modeling
//! and Analysis, on batch means and ratio estimators).

/// A figure, and half the width of its 95% confidence interval.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Figure {
    /// The estimate.
    pub value: f64,
    /// Half the width; infinite where there were too few batches.
    pub half_width: f64,
}

impl Figure {
    /// The sum of the numerators over the sum of the denominators; zero if that is zero.
    #[must_use]
    pub fn ratio(batches: &[(f64, f64)]) -> Figure {
        let count = batches.len() as f64;
        let (over, under) = batches.iter().fold((0.0, 0.0), |sums, batch| (sums.0 + batch.0, sums.1 + batch.1));
        if under == 0.0 {
            return Figure { value: 0.0, half_width: f64::INFINITY };
        }
        let value = over / under;
        if batches.len() < 2 {
            return Figure { value, half_width: f64::INFINITY };
        }
        let residuals: f64 = batches.iter().map(|(over, under)| (over - value * under).powi(2)).sum();
        let deviation = (residuals / (count - 1.0) / count).sqrt() / (under / count);
        Figure { value, half_width: student_t(batches.len() - 1) * deviation }
    }

    /// The difference of two ratios, batch for batch with the same seeds: what both share cancels out.
    #[must_use]
    pub fn difference(these: &[(f64, f64)], those: &[(f64, f64)]) -> Figure {
        let (this, that) = (Figure::ratio(these), Figure::ratio(those));
        let count = these.len() as f64;
        let value = this.value - that.value;
        let under = |batches: &[(f64, f64)]| batches.iter().map(|(_, under)| under).sum::<f64>() / count;
        let (this_under, that_under) = (under(these), under(those));
        if these.len() != those.len() || these.len() < 2 || this_under == 0.0 || that_under == 0.0 {
            return Figure { value, half_width: f64::INFINITY };
        }
        let residual = |(over, under): &(f64, f64), ratio: f64, mean_under: f64| (over - ratio * under) / mean_under;
        let squares = these
            .iter()
            .zip(those)
            .map(|(a, b)| (residual(a, this.value, this_under) - residual(b, that.value, that_under)).powi(2));
        let deviation = (squares.sum::<f64>() / (count - 1.0) / count).sqrt();
        Figure { value, half_width: student_t(these.len() - 1) * deviation }
    }

    /// The mean of independent values.
    #[must_use]
    pub fn mean(values: &[f64]) -> Figure {
        let pairs: Vec<(f64, f64)> = values.iter().map(|value| (*value, 1.0)).collect();
        Figure::ratio(&pairs)
    }

    /// The interval's ends.
    #[must_use]
    pub fn interval(&self) -> (f64, f64) {
        (self.value - self.half_width, self.value + self.half_width)
    }

    /// Whether `value` lies in the interval.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        (value - self.value).abs() <= self.half_width
    }
}

/// The 97.5th percentile of Student's t with so many degrees of freedom: from a table where they are few, otherwise by
/// the expansion of Cornish and Fisher, which is good to three digits from six on.
#[must_use]
pub fn student_t(freedom: usize) -> f64 {
    const FEW: [f64; 6] = [f64::INFINITY, 12.706, 4.303, 3.182, 2.776, 2.571];
    const NORMAL: f64 = 1.959_964;
    if let Some(exact) = FEW.get(freedom) {
        return *exact;
    }
    let (z, n) = (NORMAL, freedom as f64);
    z + (z.powi(3) + z) / (4.0 * n)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n * n)
        + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::Seed;

    #[test]
    fn quantiles_from_the_table() {
        for (freedom, t) in [(1, 12.706), (6, 2.447), (9, 2.262), (19, 2.093), (29, 2.045), (120, 1.980)] {
            assert!((student_t(freedom) - t).abs() < 2e-3, "{freedom}: {}", student_t(freedom));
        }
    }

    #[test]
    fn nineteen_of_twenty_intervals_hold_the_truth() {
        let mut seed = Seed::from_number(7);
        let holds = (0..2000).filter(|_| {
            let batches: Vec<(f64, f64)> = (0..20)
                .map(|_| {
                    let under = 50.0 + 100.0 * seed.unit();
                    (under * 0.3 + 20.0 * (seed.unit() - 0.5), under)
                })
                .collect();
            Figure::ratio(&batches).holds(0.3)
        });
        let share = holds.count() as f64 / 2000.0;
        assert!((0.935..0.965).contains(&share), "{share}");
    }

    #[test]
    fn what_both_share_falls_out_of_a_difference() {
        let mut seed = Seed::from_number(9);
        let shared: Vec<(f64, f64)> = (0..20).map(|_| (10.0 + 30.0 * seed.unit(), 100.0)).collect();
        let more: Vec<(f64, f64)> = shared.iter().map(|(over, under)| (over + 1.0 + 0.1 * seed.unit(), *under)).collect();
        let difference = Figure::difference(&more, &shared);
        assert!((difference.value - 0.0105).abs() < 0.0005 && difference.half_width < 0.001, "{difference:?}");
        assert!(Figure::ratio(&more).half_width > 0.02, "each by itself is far less sure");
        assert_eq!(Figure::difference(&more[..1], &shared[..1]).half_width, f64::INFINITY);
    }

    #[test]
    fn too_little_to_tell() {
        assert_eq!(Figure::ratio(&[]), Figure { value: 0.0, half_width: f64::INFINITY });
        assert_eq!(Figure::ratio(&[(1.0, 4.0)]), Figure { value: 0.25, half_width: f64::INFINITY });
    }
}
