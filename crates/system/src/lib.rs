//! The machine's own time and randomness.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use async_trait::async_trait;
use lead::Timestamp;
use pipeline::ports::{Clock, Random};

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The system's randomness: the standard library's hash keys, which the operating system seeds for
/// each thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bits(&self) -> u64 {
        // Every `RandomState` of a thread has other keys than the last, so hashing nothing is enough.
        RandomState::new().hash_one(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bits_come_twice_and_fractions_stay_in_range() {
        let bits: HashSet<u64> = (0..10_000).map(|_| SystemRandom.bits()).collect();
        assert_eq!(bits.len(), 10_000);
        assert!((0..1_000).all(|_| (0.0..1.0).contains(&SystemRandom.fraction())));
    }
}
