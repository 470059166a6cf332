//! Chance, all of it from one seed.

use std::{sync::Arc, time::Duration};

use pipeline::ports::Random;
use system::SeededRandom;

/// Dice. Clones throw from the same cup, so what one throws changes what the next one gets.
#[derive(Clone)]
pub struct Dice(Arc<SeededRandom>);

impl Dice {
    /// Dice for a seed.
    pub fn new(seed: u64) -> Self {
        Self(SeededRandom::new(seed))
    }

    /// The same cup, as the pipeline's port.
    pub fn random(&self) -> Arc<SeededRandom> {
        Arc::clone(&self.0)
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&self, limit: u64) -> u64 {
        self.0.bits() % limit
    }

    /// True in `rate` of all cases.
    pub fn chance(&self, rate: f64) -> bool {
        // Thrown even where the outcome is certain, so that rates can be changed without changing all else.
        self.0.fraction() < rate
    }

    /// A duration from `from` to `to`, in milliseconds.
    pub fn between(&self, from: Duration, to: Duration) -> Duration {
        let span = to.saturating_sub(from).as_millis().max(1);
        from + Duration::from_millis(self.below(u64::try_from(span).unwrap_or(u64::MAX)))
    }

    /// One of these.
    pub fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        let index = self.below(from.len() as u64);
        &from[usize::try_from(index).unwrap()]
    }
}
