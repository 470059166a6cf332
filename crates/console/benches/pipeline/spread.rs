//! Medians, ranges and percentiles.

/// The median of figures, and the range that they were in.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    /// The median, by which a promise is judged.
    pub(crate) median: f64,
    /// The least.
    pub(crate) min: f64,
    /// The greatest.
    pub(crate) max: f64,
}

impl Spread {
    /// Of figures, at least one.
    pub(crate) fn of(figures: &[f64]) -> Self {
        Self {
            median: percentile(figures, 50.0),
            min: percentile(figures, 0.0),
            max: percentile(figures, 100.0),
        }
    }
}

/// A percentile by nearest rank, of at least one figure.
pub(crate) fn percentile(figures: &[f64], percent: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * percent / 100.0).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}
