//! Medians and other quantiles.

/// Minimum, median, 90th and 95th percentile of a series.
#[derive(Debug, Clone, Copy, Default)]
pub struct Series {
    pub min: f64,
    pub median: f64,
    pub p90: f64,
    pub p95: f64,
}

impl Series {
    pub fn of(values: impl Iterator<Item = f64>) -> Series {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        Series {
            min: at(&sorted, 0.0),
            median: at(&sorted, 0.5),
            p90: at(&sorted, 0.9),
            p95: at(&sorted, 0.95),
        }
    }
}

/// The value at a quantile, interpolated between neighbours.
fn at(sorted: &[f64], quantile: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    #[expect(clippy::cast_precision_loss, reason = "a handful of runs")]
    let place = last as f64 * quantile;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
    let below = place.floor() as usize;
    let low = sorted.get(below).copied().unwrap_or_default();
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn quantiles() {
        let series = Series::of([3.0, 1.0, 2.0].into_iter());
        assert_eq!((series.min, series.median), (1.0, 2.0));
        assert!((series.p90 - 2.8).abs() < 1e-9);
        assert_eq!(Series::of([1.0, 2.0].into_iter()).median, 1.5);
        assert_eq!(Series::of(std::iter::empty()).median, 0.0);
    }
}
