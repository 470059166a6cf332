//! The machine's own time and randomness, and randomness from a seed where a run has to be repeatable.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
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

/// Numbers that look random and are the same for the same seed, on every machine: splitmix64,
/// <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    /// Numbers for a seed.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }
}

impl Random for SeededRandom {
    fn bits(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
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

    #[test]
    fn splitmix64_gives_its_published_numbers() {
        let random = SeededRandom::new(1_234_567);
        assert_eq!(
            [random.bits(), random.bits(), random.bits()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
