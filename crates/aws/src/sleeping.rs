//! A clock for tests.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use lead::Timestamp;
use pipeline::ports::Clock;

/// A clock that advances only by sleeping.
pub(crate) struct AutoAdvanceClock(Mutex<Timestamp>);

impl AutoAdvanceClock {
    pub(crate) fn from(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }
}

#[async_trait]
impl Clock for AutoAdvanceClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep(&self, duration: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += duration;
    }
}
